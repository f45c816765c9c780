"""Streams of typed events: the Responses API and its likes, at every chunk boundary."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from kit.openai_calls import DIALECT, call
from wattline.wire.call import Operation
from wattline.wire.piece import Mark, Piece
from wattline.wire.usage import Usage

RESPONSES = call(Operation.RESPONSES)


def typed(kind: str, **fields: Any) -> bytes:
    value = {"type": kind, "sequence_number": 1, **fields}
    return f"event: {kind}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def response(status: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": "gpt-5",
        "output": [],
        "usage": None,
        "error": None,
        **fields,
    }


COUNTS = {
    "input_tokens": 36,
    "input_tokens_details": {"cached_tokens": 6},
    "output_tokens": 87,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 123,
}

TRANSCRIPT = [
    (typed("response.created", response=response("in_progress")), Mark.STARTUP, 0),
    (typed("response.in_progress", response=response("in_progress")), Mark.STARTUP, 0),
    (typed("response.queued", response=response("queued")), Mark.STARTUP, 0),
    (
        typed(
            "response.output_item.added", output_index=0, item={"type": "message", "content": []}
        ),
        Mark.STARTUP,
        0,
    ),
    (
        typed("response.content_part.added", part={"type": "output_text", "text": ""}),
        Mark.STARTUP,
        0,
    ),
    (typed("response.output_text.delta", delta="H\u00e9llo"), Mark.OUTPUT, 5),
    (typed("response.output_text.done", text="H\u00e9llo"), Mark.OUTPUT, 0),
    (typed("response.function_call_arguments.delta", delta="{}"), Mark.OUTPUT, 2),
    (typed("response.audio.delta", delta="AAAA"), Mark.OUTPUT, 0),
    (
        typed("response.output_item.added", item={"type": "function_call", "name": "f"}),
        Mark.OUTPUT,
        0,
    ),
    (typed("response.something.new", x=[1]), Mark.OUTPUT, 0),
    (typed("response.completed", response=response("completed", usage=COUNTS)), Mark.END, 0),
]


def feed(stream: bytes, cuts: list[int] | None = None) -> list[Piece]:
    reader = DIALECT.reader(RESPONSES)
    places = [0, *(cuts or []), len(stream)]
    return [p for a, b in pairwise(places) for p in reader.feed(stream[a:b])]


def test_a_response_at_every_chunk_boundary() -> None:
    """B-021."""
    stream = b"".join(raw for raw, _, _ in TRANSCRIPT)
    whole = feed(stream)
    assert [(p.raw, p.mark, p.output) for p in whole] == TRANSCRIPT
    for cut in range(len(stream)):
        assert feed(stream, [cut]) == whole
    assert (whole[-1].usage, whole[-1].finish, whole[-1].model) == (
        Usage(36, 87, 6, 64),
        True,
        "gpt-5",
    )


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete"])
def test_the_last_event_ends_the_answer(kind: str) -> None:
    reader = DIALECT.reader(RESPONSES)
    assert not reader.ended
    reader.feed(typed(kind, response=response("x", usage=None)))
    assert reader.ended
    late = reader.feed(typed("response.output_text.delta", delta="x") + b"data: [DONE]\n\n")
    assert [p.mark for p in late] == [Mark.MALFORMED, Mark.END]


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (
            typed(
                "response.failed",
                response=response("failed", error={"code": "rate_limit_exceeded", "message": "x"}),
            ),
            "rate_limit",
        ),
        (
            typed(
                "response.failed",
                response=response("failed", error={"code": "server_error", "message": "x"}),
            ),
            "server_error",
        ),
        (typed("response.failed"), "server_error"),
        (typed("error", code="rate_limit_exceeded", message="x", param=None), "rate_limit"),
        (typed("error", error={"type": "overloaded_error"}), "overloaded"),
        (b'data: {"error":{"code":"invalid_api_key"}}\n\n', "authentication"),
        (b'event: error\ndata: {"message":"x"}\n\n', "server_error"),
        (typed("response.output_text.delta", delta="x", error={"code": 429}), "rate_limit"),
    ],
)
def test_errors(raw: bytes, word: str) -> None:
    piece = feed(raw)[0]
    assert (piece.mark, piece.error) == (Mark.ERROR, word)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b"{}",
        b'{"type":7}',
        b'{"type":""}',
        b'{"type":' + b"[" * 200_000,
    ],
)
def test_what_is_no_event_is_malformed(payload: bytes) -> None:
    assert feed(b"data: " + payload + b"\n\n")[0].mark is Mark.MALFORMED


def test_a_usage_that_cannot_be_true() -> None:
    """T17."""
    piece = feed(
        typed(
            "response.completed",
            response=response("completed", usage={**COUNTS, "output_tokens": -1}),
        )
    )[0]
    assert (piece.mark, piece.usage, piece.bad_usage) == (Mark.END, None, True)


def test_streams_of_transcriptions_speech_and_images() -> None:
    for operation, first, last in (
        (Operation.TRANSCRIPTION, "transcript.text.delta", "transcript.text.done"),
        (Operation.SPEECH, "speech.audio.delta", "speech.audio.done"),
        (Operation.IMAGES, "image_generation.partial_image", "image_generation.completed"),
    ):
        reader = DIALECT.reader(call(operation))
        usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
        pieces = reader.feed(typed(first, delta="x") + typed(last, usage=usage))
        assert [p.mark for p in pieces] == [Mark.OUTPUT, Mark.END]
        assert pieces[1].usage == Usage(3, 4)
        assert reader.ended
