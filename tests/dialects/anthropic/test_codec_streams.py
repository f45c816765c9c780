"""Streams of messages: decoded into neutral events, encoded from them, and back again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.anthropic_calls import call, spoiled
from wattline.dialects.anthropic.codec import MessagesCodec
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
from wattline.wire.usage import Usage, UsageSource

CODEC = MessagesCodec()
START_USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 5,
    "cache_read_input_tokens": 20,
    "output_tokens": 1,
}
BEGUN = Usage(35, 1, cached=20, written=5)


def event(name: str, **fields: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def start(**usage: Any) -> bytes:
    message = {"id": "msg_1", "model": "claude-x-2", "content": [], "usage": usage}
    return event("message_start", message=message)


def block(index: int, **fields: Any) -> bytes:
    return event("content_block_start", index=index, content_block=fields)


def delta(index: int, **fields: Any) -> bytes:
    return event("content_block_delta", index=index, delta=fields)


def stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


def end(usage: Any, reason: str | None = "end_turn", **fields: Any) -> bytes:
    return event("message_delta", delta={"stop_reason": reason, **fields}, usage=usage)


STOP = event("message_stop")
TRANSCRIPT: list[tuple[bytes, list[Event]]] = [
    (start(**START_USAGE), [Started("msg_1", "claude-x-2"), Counted(BEGUN)]),
    (event("ping"), [Idle()]),
    (block(0, type="thinking", thinking="", signature=""), []),
    (delta(0, type="thinking_delta", thinking="hm"), [ReasoningDelta("hm")]),
    (delta(0, type="signature_delta", signature="sig"), []),
    (stop(0), [ReasoningSealed("sig")]),
    (block(1, type="redacted_thinking", data="zz"), [ReasoningSealed(redacted="zz")]),
    (stop(1), []),
    (block(2, type="text", text=""), []),
    (delta(2, type="text_delta", text="H\u00e9"), [TextDelta("H\u00e9")]),
    (delta(2, type="citations_delta", citation={}), [Idle()]),
    (stop(2), []),
    (block(3, type="server_tool_use", id="s", name="web_search", input={}), [Idle()]),
    (delta(3, type="input_json_delta", partial_json='{"q":1}'), [Idle()]),
    (stop(3), []),
    (block(4, type="tool_use", id="a", name="get", input={}), [CallStarted(0, "a", "get")]),
    (delta(4, type="input_json_delta", partial_json=""), []),
    (delta(4, type="input_json_delta", partial_json='{"x":'), [CallDelta(0, '{"x":')]),
    (delta(4, type="input_json_delta", partial_json="1}"), [CallDelta(0, "1}")]),
    (stop(4), []),
    (block(5, type="tool_use", id="b", name="put", input={}), [CallStarted(1, "b", "put")]),
    (stop(5), [CallDelta(1, "{}")]),
    (
        end({"output_tokens": 42, "output_tokens_details": {"thinking_tokens": 9}}, "tool_use"),
        [Stopped(Stop.TOOL_CALLS), Counted(Usage(35, 42, 20, 9, written=5))],
    ),
    (STOP, [Ended()]),
    (event("ping"), []),
]


def decode(stream: bytes, cuts: Sequence[int] = ()) -> list[Event]:
    decoder = CODEC.decoder()
    places = [0, *cuts, len(stream)]
    return [found for a, b in pairwise(places) for found in decoder.feed(stream[a:b])]


def encode(events: Iterable[Event]) -> list[Piece]:
    encoder = CODEC.encoder(call())
    return [piece for found in events for piece in encoder.encode(found)]


def raw(pieces: Iterable[Piece]) -> bytes:
    return b"".join(piece.raw for piece in pieces)


def values(pieces: Iterable[Piece]) -> list[dict[str, Any]]:
    found = []
    for piece in pieces:
        name, data = piece.raw.decode().removesuffix("\n\n").split("\n")
        value = json.loads(data.removeprefix("data: "))
        assert name == f"event: {value['type']}"
        found.append(value)
    return found


@pytest.mark.parametrize("crlf", [False, True])
def test_a_transcript_at_every_chunk_boundary(*, crlf: bool) -> None:
    stream = b"".join(part for part, _ in TRANSCRIPT)
    stream = stream.replace(b"\n", b"\r\n") if crlf else stream
    expected = [found for _, events in TRANSCRIPT for found in events]
    assert decode(stream) == expected
    for cut in range(len(stream)):
        assert decode(stream, [cut]) == expected
    assert decode(stream, range(1, len(stream))) == expected


def test_each_event() -> None:
    decoder = CODEC.decoder()
    for part, expected in TRANSCRIPT:
        assert decoder.feed(part) == expected


def test_blocks_that_begin_with_their_content() -> None:
    stream = (
        block(0, type="thinking", thinking="hm", signature="sig")
        + block(1, type="text", text="Hi")
        + block(2, type="tool_use", id="a", name="get", input={"x": [1]})
        + end({"output_tokens": 1})
    )
    assert decode(stream)[:5] == [
        ReasoningDelta("hm"),
        ReasoningSealed("sig"),
        TextDelta("Hi"),
        CallStarted(0, "a", "get"),
        CallDelta(0, '{"x":[1]}'),
    ]


def test_errors_and_what_is_malformed() -> None:
    error = event("error", error={"type": "overloaded_error"})
    assert decode(error + STOP) == [Failed("overloaded")]
    assert decode(b'event: error\ndata: {"error":{}}\n\n') == [Failed("server_error")]
    assert decode(b"data: {\n\ndata: {}\n\n: x\n\n") == [Malformed(), Malformed(), Idle()]
    assert decode(block(0, type="tool_use", name=5)) == [Malformed()]
    assert decode(start(output_tokens=-1))[1] == Counted(None, bad=True)
    assert decode(end({"output_tokens": 1.5}))[1] == Counted(None, bad=True)
    assert decode(b"data: [DONE]\n\n") == [Ended()]


def test_a_refusal_in_words() -> None:
    details = {"type": "refusal", "explanation": "Not that."}
    assert decode(end({}, "refusal", stop_details=details)) == [
        RefusalDelta("Not that."),
        Stopped(Stop.FILTERED),
    ]


def test_an_output_that_was_not_counted_is_estimated() -> None:
    stream = start(**START_USAGE) + delta(0, type="text_delta", text="x" * 40) + STOP
    estimate = Usage(35, 10, 20, source=UsageSource.ESTIMATED, written=5)
    assert decode(stream)[-2:] == [Counted(estimate), Ended()]


def test_calls_that_never_end_are_bounded() -> None:
    stream = b"".join(block(i, type="tool_use", id="a", name="n") for i in range(2_000))
    assert decode(stream)[1_024:] == [Malformed()] * (2_000 - 1_024)


def test_garbage_at_any_place_is_read() -> None:
    for part, _ in TRANSCRIPT:
        for value in spoiled(json.loads(part.split(b"data: ")[1])):
            pieces = encode(
                found
                for found in decode(b"data: " + json.dumps(value).encode() + b"\n\n" + STOP)
                if not isinstance(found, Failed | Malformed)
            )
            values(pieces)


def test_an_answer_as_sdks_expect_it() -> None:
    usage = Usage(35, 42, cached=20, reasoning=9, written=5)
    pieces = encode(
        [
            Started("msg_1", "m"),
            ReasoningDelta("hm"),
            ReasoningSealed("sig"),
            ReasoningSealed(redacted="zz"),
            Idle(),
            TextDelta("Hi"),
            CallStarted(0, "a", "get"),
            CallDelta(0, "{}"),
            Stopped(Stop.TOOL_CALLS),
            Counted(usage),
            Ended(),
        ]
    )
    head, *blocks, last, marker = values(pieces)
    assert head["message"] == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    assert [
        (value["type"], value.get("index"), value.get("content_block", value.get("delta")))
        for value in blocks
    ] == [
        ("content_block_start", 0, {"type": "thinking", "thinking": "", "signature": ""}),
        ("content_block_delta", 0, {"type": "thinking_delta", "thinking": "hm"}),
        ("content_block_delta", 0, {"type": "signature_delta", "signature": "sig"}),
        ("content_block_stop", 0, None),
        ("content_block_start", 1, {"type": "redacted_thinking", "data": "zz"}),
        ("content_block_stop", 1, None),
        ("ping", None, None),
        ("content_block_start", 2, {"type": "text", "text": ""}),
        ("content_block_delta", 2, {"type": "text_delta", "text": "Hi"}),
        ("content_block_stop", 2, None),
        ("content_block_start", 3, {"type": "tool_use", "id": "a", "name": "get", "input": {}}),
        ("content_block_delta", 3, {"type": "input_json_delta", "partial_json": "{}"}),
        ("content_block_stop", 3, None),
    ]
    assert last == {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 5,
            "cache_read_input_tokens": 20,
            "output_tokens": 42,
            "output_tokens_details": {"thinking_tokens": 9},
        },
    }
    assert marker == {"type": "message_stop"}
    assert [piece.mark for piece in pieces[:3]] == [Mark.STARTUP, Mark.STARTUP, Mark.OUTPUT]
    assert [piece.mark for piece in pieces[-2:]] == [Mark.USAGE, Mark.END]
    assert [piece.finish for piece in pieces[-3:]] == [True, True, False]
    assert pieces[-2].usage == usage
    assert pieces[0].model == "m"
    assert sum(piece.output for piece in pieces) == len("hmHiget{}")


def test_calls_whose_arguments_come_in_turns() -> None:
    events = [
        CallStarted(0, "a", "get"),
        CallStarted(1, "b", "put"),
        CallDelta(1, "{"),
        CallDelta(0, "{}"),
        TextDelta("x"),
        CallDelta(1, "}"),
        Ended(),
    ]
    found = values(encode(events))
    deltas = [
        (value["index"], value["delta"].get("partial_json"))
        for value in found
        if value["type"] == "content_block_delta"
    ]
    assert deltas == [(1, "{"), (0, "{}"), (2, None), (1, "}")]
    begun = [value["index"] for value in found if value["type"] == "content_block_start"]
    ended = [value["index"] for value in found if value["type"] == "content_block_stop"]
    assert sorted(begun) == sorted(ended) == [0, 1, 2]
    assert found[-2]["delta"]["stop_reason"] == "tool_use"


def test_an_answer_of_nothing() -> None:
    head, last, _ = values(encode([Ended()]))
    assert head["message"]["id"] == "msg_req_1"
    assert head["message"]["model"] == "claude-x"
    assert last["delta"]["stop_reason"] == "end_turn"
    assert last["usage"] == {"input_tokens": 0, "output_tokens": 0}
    assert encode([Ended()])[1].usage is None
    assert encode([Counted(None, bad=True), Ended()])[1].bad_usage


def test_other_alternatives_and_odd_events_are_left_out() -> None:
    events = [
        TextDelta("x", alternative=1),
        Stopped(Stop.LENGTH, alternative=1),
        CallDelta(7, "x"),
        ReasoningSealed(),
        Idle(),
        Malformed(),
        Failed("overloaded"),
    ]
    assert encode(events) == []
    assert encode([Ended(), TextDelta("x"), Ended()]) == encode([Ended()])


def test_refusals_pictures_and_half_surrogates() -> None:
    found = values(
        encode([RefusalDelta("No"), Picture("image/png", "iV"), TextDelta("\ud800"), Ended()])
    )
    texts = [value["delta"]["text"] for value in found if value["type"] == "content_block_delta"]
    assert texts[0] == "No"
    assert "image left out" in texts[1]
    assert texts[2] == "?"
    assert found[-2]["delta"]["stop_reason"] == "refusal"
    values(encode([Started("\ud800", "\ud800"), CallStarted(0, "\ud800", "\ud800"), Ended()]))


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Events as a decoder gives them: what goes out comes back the same."""
    found: list[Event] = [Started("msg_1", "claude-x")]
    calls = 0
    for kind in draw(st.lists(st.sampled_from("trsc"), max_size=6)):
        texts = draw(st.lists(TEXTS, min_size=1, max_size=3))
        match kind:
            case "t":
                found += map(TextDelta, texts)
            case "r":
                found += [*map(ReasoningDelta, texts), ReasoningSealed(draw(TEXTS))]
            case "s":
                found.append(ReasoningSealed(redacted=texts[0]))
            case _:
                found.append(CallStarted(calls, f"call_{calls}", texts[0]))
                found += [CallDelta(calls, text) for text in texts]
                calls += 1
    found.append(Stopped(draw(st.sampled_from([Stop.LENGTH, Stop.TOOL_CALLS, Stop.FILTERED]))))
    found.append(Counted(Usage(draw(st.integers(1, 9)), draw(st.integers(0, 9)))))
    return [*found, Ended()]


@settings(max_examples=100, deadline=None)
@given(streams(), st.data())
def test_a_stream_comes_back_as_it_was(events: list[Event], data: st.DataObject) -> None:
    stream = raw(encode(events))
    cut = data.draw(st.integers(0, len(stream)))
    assert decode(stream, [cut]) == events


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(junk: bytes) -> None:
    decode(b"x\n\n" + junk)
