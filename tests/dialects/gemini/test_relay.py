"""A native stream through the relay: the client's last event has the energy, and no text is lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kit.gemini_calls import DIALECT, call
from wattline.dialects.base import Energy
from wattline.engine.meter import Meter
from wattline.service.relay import StreamRelay
from wattline.upstream.base import Broken
from wattline.wire.sse import EventDecoder, data
from wattline.wire.usage import Usage

CALL = call("streamGenerateContent")
ENERGY = Energy(15_750_000)


class Upstream:
    """An upstream's body."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks

    async def pieces(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk


def event(text: str, finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}}
    if finish is not None:
        candidate["finishReason"] = finish
    value: dict[str, Any] = {"candidates": [candidate]}
    if usage is not None:
        value["usageMetadata"] = usage
    whole = value | {"modelVersion": "g", "responseId": "r"}
    return b"data: " + json.dumps(whole).encode() + b"\r\n\r\n"


COUNTS = {"promptTokenCount": 8, "candidatesTokenCount": 5, "totalTokenCount": 13}


async def relayed(*chunks: bytes, energy: Energy | None = ENERGY) -> bytes:
    meter = Meter(CALL, 3)
    upstream: Any = Upstream(*chunks)
    relay = StreamRelay(DIALECT, CALL, upstream, meter)
    await relay.start(5)
    out = b""
    while found := await relay.next():
        out += found
    usage, _ = meter.usage(ended=True)
    return out + relay.tail(usage, energy)


def values(raw: bytes) -> list[dict[str, Any]]:
    return [json.loads(data(piece) or b"") for piece in EventDecoder().feed(raw)]


async def test_the_last_event_has_the_energy_and_its_text() -> None:
    """A-051: all other bytes are the upstream's."""
    raw = event("a", usage=COUNTS) + event("b", "STOP", COUNTS)
    end = b'"totalTokenCount": 13}, "modelVersion": "g", "responseId": "r"}\r\n\r\n'
    expected = raw[: -len(end)] + end.replace(b"13}", b'13,"energy":15.75}')
    assert await relayed(raw) == expected
    assert await relayed(*(raw[i : i + 1] for i in range(len(raw)))) == expected


async def test_a_passed_stream_is_untouched() -> None:
    raw = event("a", usage=COUNTS) + event("b", "STOP", COUNTS)
    assert await relayed(raw, energy=None) == raw


async def test_an_answer_of_one_event() -> None:
    out = values(await relayed(event("a", "STOP", COUNTS)))
    assert len(out) == 1
    assert out[0]["usageMetadata"] == COUNTS | {"energy": 15.75}


async def test_a_finish_reason_in_each_event() -> None:
    out = values(await relayed(*(event(x, "STOP", COUNTS) for x in "abc")))
    texts = [value["candidates"][0]["content"]["parts"][0]["text"] for value in out]
    assert texts == ["a", "b", "c"]
    assert ["energy" in value["usageMetadata"] for value in out] == [False, False, True]


async def test_more_after_the_finish_is_not_lost() -> None:
    raw = event("a", "STOP", COUNTS) + event("b")
    out = await relayed(raw)
    assert out.startswith(raw)
    (last,) = values(out[len(raw) :])
    assert last["usageMetadata"]["energy"] == 15.75
    assert last["responseId"] == "r"
    assert last["candidates"][0]["content"]["parts"] == [{"text": ""}]  # not the text again


async def test_no_usage_at_all() -> None:
    raw = event("abcd", "STOP")
    (_, last) = values(await relayed(raw))
    assert last["usageMetadata"] == {
        "promptTokenCount": 3,
        "candidatesTokenCount": 1,
        "totalTokenCount": 4,
        "estimated": True,
        "energy": 15.75,
    }
    assert last["candidates"][0]["content"]["parts"] == [{"text": ""}]


async def test_an_unfinished_answer_is_cut() -> None:
    with pytest.raises(Broken):
        await relayed(event("a", usage=COUNTS))


def test_a_usage_event_without_any_other() -> None:
    made = DIALECT.write_usage(CALL, None, Usage(1, 2), ENERGY)
    (value,) = values(made)
    assert (value["modelVersion"], value["responseId"]) == ("gemini-2.5-flash", "req_1")
