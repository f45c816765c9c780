"""Neutral events into a gateway's stream, and back."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kit.gateway_calls import call
from kit.neutral_answers import REPLIES, every_cut
from wattline.dialects.gateway.codec import GatewayCodec
from wattline.dialects.unfold import events_of
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Idle,
    Malformed,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.parts import Text
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.sse import DONE, data
from wattline.wire.usage import Usage

CODEC = GatewayCodec()
CALL = call(stream=True)


def encoded(*events: Event) -> list[Piece]:
    encoder = CODEC.encoder(CALL)
    return [piece for event in events for piece in encoder.encode(event)]


def body(piece: Piece) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data(piece.raw) or b"")
    return found


def test_a_stream() -> None:
    """E-044: `data: {"delta":{"content":"…"}}` … `data: [DONE]`."""
    usage = Usage(3, 4)
    pieces = encoded(
        Started("i", "m", 7),
        TextDelta("Quantum"),
        TextDelta(' "computing"\n'),
        Stopped(Stop.END),
        Counted(usage),
        Ended(),
    )
    assert pieces[0].raw == b'data: {"delta":{"content":"Quantum"}}\n\n'
    assert [piece.mark for piece in pieces] == [*[Mark.OUTPUT] * 3, Mark.USAGE, Mark.END]
    assert [piece.output for piece in pieces] == [7, 13, 0, 0, 0]
    assert body(pieces[1]) == {"delta": {"content": ' "computing"\n'}}
    assert body(pieces[2]) == {"delta": {"content": ""}, "finish_reason": "stop"}
    assert pieces[2].finish
    assert body(pieces[3])["usage"]["total_tokens"] == 7
    assert pieces[3].usage == usage
    assert pieces[4].raw == DONE


def test_every_event_has_a_delta_with_a_content() -> None:
    """E-044: clients read `delta.content` of every event without looking first."""
    pieces = encoded(
        ReasoningDelta("Hm."),
        ReasoningSealed("sig"),
        RefusalDelta("No."),
        CallStarted(0, "c1", "f", signature="s"),
        CallDelta(0, "{}"),
        Picture("image/png", "AA=="),
        TextDelta("b", alternative=1),
        Stopped(Stop.LENGTH, alternative=1),
        Counted(Usage(1, 1)),
        Ended(),
    )
    found = [body(piece) for piece in pieces[:-1]]
    assert all(isinstance(one["delta"]["content"], str) for one in found)
    assert found[0]["delta"]["reasoning_content"] == "Hm."
    assert found[1]["delta"]["refusal"] == "No."
    assert found[2]["delta"]["tool_calls"][0]["function"] == {"name": "f", "arguments": ""}
    assert found[3]["delta"]["tool_calls"][0]["function"] == {"arguments": "{}"}
    assert found[5] == {"delta": {"content": "b"}, "index": 1}
    assert found[6]["finish_reason"] == "length"
    assert found[7]["finish_reason"] == "tool_calls"
    assert [piece.finish for piece in pieces].index(True) == 7


def test_an_answer_without_anything() -> None:
    pieces = encoded(Ended(), TextDelta("late"))
    assert [body(piece) for piece in pieces[:-1]] == [
        {"delta": {"content": ""}, "finish_reason": "stop"}
    ]
    assert [piece.mark for piece in encoded(Idle(), Counted(None, bad=True), Ended())] == [
        Mark.STARTUP,
        Mark.OUTPUT,
        Mark.END,
    ]


@given(
    st.text(min_size=1, max_size=12), st.none() | st.builds(Usage, st.integers(0, 9), st.just(2))
)
def test_a_stream_is_read_back_at_every_boundary(text: str, usage: Usage | None) -> None:
    reply = Reply((Alternative((Text(text),), Stop.END),), usage=usage)
    raw = b"".join(piece.raw for piece in encoded(*events_of(reply)))
    for events in every_cut(lambda: CODEC.decoder().feed, raw):
        assert "".join(e.text for e in events if isinstance(e, TextDelta)) == text
        assert not any(isinstance(event, Malformed) for event in events)
        assert [e.stop for e in events if isinstance(e, Stopped)] == [Stop.END]
        assert isinstance(events[-1], Ended)
        assert [e.usage for e in events if isinstance(e, Counted)] == ([usage] if usage else [])


@given(REPLIES)
def test_any_answer_can_be_told(reply: Reply) -> None:
    pieces = encoded(*events_of(reply))
    assert pieces[-1].mark is Mark.END
    assert sum(piece.finish for piece in pieces) >= 1
    for piece in pieces[:-1]:
        assert isinstance(body(piece)["delta"]["content"], str)


def test_a_long_stream_takes_linear_time() -> None:
    encoder = CODEC.encoder(replace(CALL, stream=True))
    event = TextDelta("a")
    started = time.thread_time()
    for _ in range(100_000):
        encoder.encode(event)
    assert time.thread_time() - started < 5
