"""Streams of messages, at every chunk boundary."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.anthropic_calls import DIALECT, call, spoiled
from wattline.wire.piece import Mark, Piece
from wattline.wire.usage import Usage, UsageSource


def event(name: str, **fields: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def start(**usage: Any) -> bytes:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "claude-x-2",
        "stop_reason": None,
        "usage": usage,
    }
    return event("message_start", message=message)


def block(index: int, **fields: Any) -> bytes:
    return event("content_block_start", index=index, content_block=fields)


def delta(index: int, **fields: Any) -> bytes:
    return event("content_block_delta", index=index, delta=fields)


def stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


def end(usage: Any, reason: str | None = "end_turn") -> bytes:
    return event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=usage)


BEGUN = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 5,
    "cache_read_input_tokens": 20,
    "output_tokens": 1,
}
PING = event("ping")
STOP = event("message_stop")

TRANSCRIPT = [
    (start(**BEGUN), Mark.STARTUP, 0),
    (block(0, type="thinking", thinking="", signature=""), Mark.STARTUP, 0),
    (PING, Mark.STARTUP, 0),
    (b": comment\n\n", Mark.STARTUP, 0),
    (delta(0, type="thinking_delta", thinking="hmm"), Mark.OUTPUT, 3),
    (delta(0, type="signature_delta", signature="EqQB"), Mark.OUTPUT, 0),
    (stop(0), Mark.OUTPUT, 0),
    (block(1, type="redacted_thinking", data="zz"), Mark.OUTPUT, 2),
    (block(2, type="text", text=""), Mark.STARTUP, 0),
    (delta(2, type="text_delta", text="H\u00e9y"), Mark.OUTPUT, 3),
    (delta(2, type="citations_delta", citation={"url": "u"}), Mark.OUTPUT, 0),
    (block(3, type="tool_use", id="t", name="get", input={}), Mark.OUTPUT, 3),
    (delta(3, type="input_json_delta", partial_json='{"a":1}'), Mark.OUTPUT, 7),
    (event("brand_new", x=1), Mark.OUTPUT, 0),
    (end({"output_tokens": 42}, "tool_use"), Mark.USAGE, 0),
    (STOP, Mark.END, 0),
]
CRLF = [(raw.replace(b"\n", b"\r\n"), mark, size) for raw, mark, size in TRANSCRIPT]


def feed(stream: bytes, cuts: list[int] | None = None) -> list[Piece]:
    reader = DIALECT.reader(call())
    places = [0, *(cuts or []), len(stream)]
    return [piece for a, b in pairwise(places) for piece in reader.feed(stream[a:b])]


@pytest.mark.parametrize("transcript", [TRANSCRIPT, CRLF], ids=["lf", "crlf"])
def test_transcripts_at_every_chunk_boundary(transcript: list[tuple[bytes, Mark, int]]) -> None:
    """A-051, A-060."""
    stream = b"".join(raw for raw, _, _ in transcript)
    whole = feed(stream)
    assert [(p.raw, p.mark, p.output) for p in whole] == transcript
    for cut in range(0, len(stream), 1):
        assert feed(stream, [cut]) == whole
    assert feed(stream, list(range(1, len(stream)))) == whole


def test_usage_is_merged_and_holds_what_was_cached() -> None:
    pieces = feed(b"".join(raw for raw, _, _ in TRANSCRIPT))
    assert pieces[0].usage == Usage(35, 1, cached=20, written=5)
    assert pieces[0].model == "claude-x-2"
    last = pieces[-2]
    assert last.usage == Usage(35, 42, cached=20, written=5)
    assert last.finish
    assert [p.finish for p in pieces].count(True) == 1


def test_totals_of_the_last_event_stand_over_the_first() -> None:
    usage = {"input_tokens": 7, "cache_read_input_tokens": 0, "output_tokens": 2}
    *_, last, _ = feed(start(**BEGUN) + end(usage) + STOP)
    assert last.usage == Usage(12, 2, written=5)


def test_an_output_that_was_not_counted_is_estimated() -> None:
    text = delta(0, type="text_delta", text="x" * 40)
    expected = Usage(35, 10, cached=20, written=5, source=UsageSource.ESTIMATED)
    *_, last, marker = feed(start(**BEGUN) + text + end(None) + STOP)
    assert last.usage == expected
    *_, marker = feed(start(**BEGUN) + text + STOP)
    assert marker.usage == expected
    assert all(
        piece.usage is None for piece in feed(start(input_tokens=0, output_tokens=0) + text + STOP)
    )


def test_a_count_before_the_end_passes_and_counts() -> None:
    _, early, last, _ = feed(start() + end(BEGUN, None) + end({"output_tokens": 3}) + STOP)
    assert (early.mark, early.finish, early.usage) == (
        Mark.OUTPUT,
        False,
        Usage(35, 1, 20, written=5),
    )
    assert last.usage == Usage(35, 3, 20, written=5)


@pytest.mark.parametrize(
    "count", [-1, 1.5, 9.0, True, "12", 10**10, [], {}], ids=lambda value: repr(value)[:8]
)
def test_counts_that_cannot_be_true(count: Any) -> None:
    for key in ("input_tokens", "output_tokens", "cache_read_input_tokens"):
        *_, last, _ = feed(start(**BEGUN) + end({"output_tokens": 3, key: count}) + STOP)
        assert last.bad_usage
        first = feed(start(**{**BEGUN, key: count}))[0]
        assert first.bad_usage
        assert first.usage is None


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, "overloaded"),
        ({"type": "rate_limit_error", "message": ""}, "rate_limit"),
        ({"type": "api_error", "message": ""}, "server_error"),
        ({"type": "authentication_error"}, "authentication"),
        ({"type": "invalid_request_error"}, "invalid_request"),
        (None, "server_error"),
    ],
)
def test_errors_in_the_stream(error: Any, word: str) -> None:
    piece = feed(event("error", error=error))[0]
    assert (piece.mark, piece.error) == (Mark.ERROR, word)
    bare = feed(b"event: error\ndata: " + json.dumps({"error": error}).encode() + b"\n\n")[0]
    assert (bare.mark, bare.error) == (Mark.ERROR, word)
    assert feed(event("error", error=error) + PING)[1].mark is Mark.MALFORMED


def test_what_is_malformed_is_passed_on() -> None:
    for raw in (b"data: {\n\n", b"data: []\n\n", b"data: {}\n\n", b"data: \xff\n\n"):
        assert feed(raw) == [Piece(Mark.MALFORMED, raw)]
    assert [p.mark for p in feed(STOP + STOP)] == [Mark.END, Mark.MALFORMED]


def test_an_event_without_a_type_has_that_of_its_name() -> None:
    raw = b'event: content_block_delta\ndata: {"delta":{"type":"text_delta","text":"abc"}}\n\n'
    assert (feed(raw)[0].mark, feed(raw)[0].output) == (Mark.OUTPUT, 3)


def test_garbage_at_any_place_is_read() -> None:
    for raw, _, _ in TRANSCRIPT:
        if b"data: " in raw:
            for value in spoiled(json.loads(raw.split(b"data: ")[1])):
                payload = b"data: " + json.dumps(value).encode() + b"\n\n"
                assert (
                    b"".join(p.raw for p in feed(start(**BEGUN) + payload))
                    == start(**BEGUN) + payload
                )


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(junk: bytes) -> None:
    reader = DIALECT.reader(call())
    pieces = reader.feed(b"x\n\n" + junk)
    assert b"".join(p.raw for p in pieces) + reader.rest() == b"x\n\n" + junk
