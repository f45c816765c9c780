"""Streams between Gemini's shape and the neutral events."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.gemini_calls import DIALECT, call
from wattline.dialects.base import Energy
from wattline.dialects.gemini.codec import GenerateCodec
from wattline.dialects.gemini.text import json_text
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Failed,
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
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Stop
from wattline.wire.sse import EventDecoder, EventTooLarge, data
from wattline.wire.usage import Usage

CODEC = GenerateCodec()
CALL = call("streamGenerateContent")
PROMPT = {"promptTokenCount": 8, "totalTokenCount": 8}
LAST = {"promptTokenCount": 8, "candidatesTokenCount": 5, "totalTokenCount": 13}


def event(*candidates: Any, usage: Any = None, **more: Any) -> bytes:
    value: dict[str, Any] = {"candidates": list(candidates), **more}
    if usage is not None:
        value["usageMetadata"] = usage
    whole = value | {"modelVersion": "g", "responseId": "r"}
    return b"data: " + json.dumps(whole).encode() + b"\r\n\r\n"


def said(*parts: Any, finish: str | None = None, index: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {"content": {"parts": list(parts)}, "index": index}
    return found if finish is None else found | {"finishReason": finish}


def decoded(*chunks: bytes) -> list[Event]:
    decoder = CODEC.decoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


STREAM = b"".join(
    [
        event(said({"text": ""}), usage=PROMPT),
        event(said({"text": "Hm", "thought": True})),
        event(said({"text": "", "thought": True, "thoughtSignature": "c2ln"})),
        event(said({"text": "Hel"}, {"text": "lo", "thoughtSignature": "dA=="})),
        b": ping\n\n",
        event(said({"inlineData": {"mimeType": "image/png", "data": "AAAA"}})),
        event(
            said(
                {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "Yw=="},
                {"functionCall": {"name": "g", "id": "own"}},
            )
        ),
        event(said({"text": "!"}, finish="STOP"), usage=LAST),
    ]
)
EVENTS = [
    Started("r", "g"),
    Counted(Usage(8, 0)),
    ReasoningDelta("Hm"),
    ReasoningSealed("c2ln"),
    TextDelta("Hel"),
    TextDelta("lo"),
    ReasoningSealed("dA=="),
    Idle(),
    Picture("image/png", "AAAA"),
    CallStarted(0, "call_r_0", "f", 0, "Yw=="),
    CallDelta(0, '{"a":1}'),
    CallStarted(1, "own", "g"),
    CallDelta(1, "{}"),
    TextDelta("!"),
    Stopped(Stop.TOOL_CALLS),
    Counted(Usage(8, 5)),
    Ended(),
]


def test_a_stream_is_decoded() -> None:
    assert decoded(STREAM) == EVENTS
    assert decoded(STREAM, STREAM) == EVENTS  # nothing after the end


def test_every_chunk_boundary() -> None:
    for cut in range(len(STREAM) + 1):
        assert decoded(STREAM[:cut], STREAM[cut:]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_any_chunks(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert decoded(*(STREAM[a:b] for a, b in pairwise(edges))) == EVENTS


def test_alternatives_end_one_by_one() -> None:
    found = decoded(
        event(said({"text": "a"}), said({"text": "b"}, finish="MAX_TOKENS", index=1), usage=PROMPT)
        + event(said(finish="SAFETY"), usage=LAST)
    )
    assert found[1:] == [
        TextDelta("a"),
        TextDelta("b", 1),
        Stopped(Stop.LENGTH, 1),
        Counted(Usage(8, 0)),
        Stopped(Stop.FILTERED),
        Counted(Usage(8, 5)),
        Ended(),
    ]


def test_nothing_of_an_alternative_comes_after_its_end() -> None:
    found = decoded(
        event(said({"text": "a"}, finish="STOP"), said({"text": "b"}, index=1))
        + event(said({"text": "late"}, finish="STOP"))
    )
    assert found[1:] == [TextDelta("a"), Stopped(Stop.END), TextDelta("b", 1)]


def test_without_usage_the_body_says_the_end() -> None:
    decoder = CODEC.decoder()
    assert decoder.feed(event(said({"text": "a"}))) == [Started("r", "g"), TextDelta("a")]
    assert decoder.end() == []  # not finished: it was cut
    assert decoder.feed(event(said(finish="STOP"))) == [Stopped(Stop.END)]
    assert decoder.end() == [Ended()]
    assert decoder.end() == []
    assert decoded(event(said(finish="STOP")) + b"data: [DONE]\n\n")[-1] == Ended()
    late = decoded(event(said(finish="STOP")) + event(usage=LAST))
    assert late[-2:] == [Counted(Usage(8, 5)), Ended()]


def test_a_last_event_without_its_blank_line() -> None:
    for cut in range(1, 5):
        decoder = CODEC.decoder()
        found = decoder.feed(STREAM[:-cut])
        assert [*found, *decoder.end(), *decoder.end()] == EVENTS


def test_a_refused_prompt() -> None:
    found = decoded(event(usage=PROMPT, promptFeedback={"blockReason": "OTHER"}))
    assert found[1:] == [Stopped(Stop.FILTERED), Counted(Usage(8, 0)), Ended()]


def test_errors_end_the_stream() -> None:
    error = b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}'
    for raw in (b"data: " + error + b"\n\n", error + b"\n\n", b"data: [" + error + b"]\n\n"):
        assert decoded(raw + STREAM) == [Failed("rate_limit")]


@pytest.mark.parametrize(
    "raw",
    [
        b"data: x\n\n",
        b"data: {}\n\n",
        b"data: [DONE]\n\n",
        b'data: {"candidates":3}\n\n',
        b'data: {"candidates":[{"content":{"parts":[{"text":1}]}}]}\n\n',
    ],
)
def test_malformed_events(raw: bytes) -> None:
    assert decoded(raw) == [Malformed()]


@pytest.mark.parametrize("bad", [-1, 1.5, True, "5", 10**10])
def test_usage_that_cannot_be_true(bad: Any) -> None:
    found = decoded(event(said({"text": "a"}), usage=LAST | {"promptTokenCount": bad}))
    assert found[-1] == Counted(None, bad=True)


def test_an_event_is_bounded() -> None:
    with pytest.raises(EventTooLarge):
        decoded(b"data: " + b"x" * (9 * 1024 * 1024))


def test_many_events_are_linear() -> None:
    decoder = CODEC.decoder()
    raw = event(said({"text": "a"})) * 1000
    assert sum(len(decoder.feed(raw)) for _ in range(50)) == 50_001


def encoded(*events: Event) -> list[Piece]:
    encoder = CODEC.encoder(CALL)
    return [piece for event in events for piece in encoder.encode(event)]


def value(raw: bytes) -> dict[str, Any]:
    (only,) = EventDecoder().feed(raw)
    found: dict[str, Any] = json.loads(data(only) or b"")
    return found


def test_a_stream_is_encoded() -> None:
    pieces = encoded(
        Started("r", "g"),
        Idle(),
        TextDelta("Hi"),
        CallStarted(0, "c0", "f"),
        CallStarted(1, "c1", "g", signature="c2ln"),
        CallDelta(1, '{"b"'),
        CallDelta(0, '{"a":1}'),
        CallDelta(1, ":2}"),
        Stopped(Stop.TOOL_CALLS),
        Counted(Usage(3, 1)),
        Counted(Usage(9, 7, 4, 2)),
        Ended(),
    )
    assert [piece.mark for piece in pieces] == [Mark.OUTPUT] * 3 + [Mark.END]
    assert [piece.output for piece in pieces] == [2, 8, 8, 0]
    assert [piece.finish for piece in pieces] == [False, False, False, True]
    assert value(pieces[0].raw) == {
        "candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}, "index": 0}],
        "modelVersion": "g",
        "responseId": "r",
    }
    calls = [value(piece.raw)["candidates"][0]["content"]["parts"] for piece in pieces[1:3]]
    assert calls == [
        [{"functionCall": {"id": "c0", "name": "f", "args": {"a": 1}}}],
        [{"functionCall": {"id": "c1", "name": "g", "args": {"b": 2}}, "thoughtSignature": "c2ln"}],
    ]
    last = value(pieces[3].raw)
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert last["usageMetadata"]["thoughtsTokenCount"] == 2
    assert pieces[3].usage == Usage(9, 7, 4, 2)
    told = DIALECT.write_usage(CALL, pieces[3], Usage(9, 7, 4, 2), Energy(15_750_000))
    assert value(told)["usageMetadata"] == last["usageMetadata"] | {"energy": 15.75}


def test_calls_of_an_answer_that_did_not_say_why_it_stopped() -> None:
    made, last = encoded(CallStarted(0, "c", "f"), CallDelta(0, "{}"), Ended())
    part = value(made.raw)["candidates"][0]["content"]["parts"][0]
    assert part == {"functionCall": {"id": "c", "name": "f", "args": {}}}
    assert value(last.raw)["candidates"][0]["finishReason"] == "STOP"


def test_an_end_without_a_reason_or_counts() -> None:
    (last,) = encoded(Started(), Counted(None, bad=True), Ended())
    found = value(last.raw)
    assert found["candidates"][0]["finishReason"] == "STOP"
    assert "usageMetadata" not in found
    assert found["responseId"] == "req_1"
    assert (last.usage, last.bad_usage, last.finish) == (None, True, True)
    told = DIALECT.write_usage(CALL, last, Usage(1, 2), Energy(None))
    assert value(told)["usageMetadata"]["promptTokenCount"] == 1


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
BASE64 = st.from_regex(r"(?:[A-Za-z0-9+/]{4}){1,4}", fullmatch=True)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """The events of an answer in the order in which Gemini tells them: calls last and whole."""
    events: list[Event] = [Started(draw(WORDS), draw(WORDS))]
    for index in range(draw(st.integers(1, 2))):
        content = (
            st.builds(TextDelta, WORDS, st.just(index))
            | st.builds(ReasoningDelta, WORDS, st.just(index))
            | st.builds(ReasoningSealed, BASE64, st.none(), st.just(index))
            | st.builds(ReasoningSealed, st.none(), WORDS, st.just(index))
            | st.builds(Picture, st.just("image/png"), BASE64, st.just(index))
        )
        events += draw(st.lists(content, min_size=1, max_size=4))
    ends: list[Event] = []
    for index in range(1 + max(getattr(event, "alternative", 0) for event in events)):
        calls = draw(st.lists(st.dictionaries(WORDS, WORDS, max_size=2), max_size=2))
        for number, args in enumerate(calls):
            made = CallStarted(number, f"id{number}", draw(WORDS), index, draw(st.none() | BASE64))
            events += [made, CallDelta(number, json_text(args), index)]
        usual = Stop.TOOL_CALLS if calls else Stop.END
        ends.append(Stopped(draw(st.sampled_from([usual, Stop.LENGTH, Stop.FILTERED])), index))
    return [*events, *ends, Counted(Usage(draw(st.integers(1, 9)), 3, 0, 1)), Ended()]


@given(answers(), st.integers(1, 50))
def test_what_is_encoded_is_decoded_as_it_was(events: list[Event], size: int) -> None:
    raw = b"".join(piece.raw for piece in encoded(*events))
    assert decoded(*(raw[i : i + size] for i in range(0, len(raw), size))) == events


@given(answers())
def test_the_native_reader_agrees(events: list[Event]) -> None:
    """What the encoder writes is a stream as Google's."""
    pieces = encoded(*events)
    reader = DIALECT.reader(CALL)
    found = [piece for piece in pieces for piece in reader.feed(piece.raw)]
    assert [piece.finish for piece in found] == [piece.finish for piece in pieces]
    assert found[-1].usage == pieces[-1].usage


def test_refusals_are_text() -> None:
    (piece,) = encoded(RefusalDelta("No."))
    assert value(piece.raw)["candidates"][0]["content"]["parts"] == [{"text": "No."}]


KEYS = st.sampled_from(
    ["candidates", "content", "parts", "text", "index", "functionCall", "name", "usageMetadata"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(KEYS, JSON, max_size=4), max_size=4))
def test_garbage_never_raises(values: list[Any]) -> None:
    raw = b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)
    encoder = CODEC.encoder(CALL)
    for found in decoded(raw):
        if not isinstance(found, Failed | Malformed):
            encoder.encode(found)
