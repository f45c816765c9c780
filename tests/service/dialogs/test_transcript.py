"""The text of an answer."""

from __future__ import annotations

import json

import pytest

from wattline.service.dialogs.transcript import LONGEST, Transcript
from wattline.wire.http import Whole


def chunk(text, **more):
    return {"choices": [{"index": 0, "delta": {"content": text}, **more}]}


def sse(*payloads):
    texts = [p if isinstance(p, str) else json.dumps(p) for p in payloads]
    return "".join(f"data: {text}\n\n" for text in texts).encode()


STREAM = sse(
    chunk("При"),
    chunk("вет"),
    chunk(None),
    {"choices": [{"index": 1, "delta": {"content": "other"}}]},
    {"choices": [], "usage": {"total_tokens": 3}},
    "{",
    "7",
    chunk(", you"),
    "[DONE]",
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_a_stream_in_pieces_of_any_size(size):
    transcript = Transcript()
    for start in range(0, len(STREAM), size):
        assert not transcript.done
        transcript.take(STREAM[start : start + size])
    assert (transcript.text, transcript.done) == ("Привет, you", True)


def test_every_boundary():
    for cut in range(len(STREAM)):
        transcript = Transcript()
        transcript.take(STREAM[:cut])
        assert not transcript.done
        transcript.take(STREAM[cut:])
        assert (transcript.text, transcript.done) == ("Привет, you", True)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"choices": [{"message": {"content": "hi"}}, {"message": {"content": "other"}}]}, "hi"),
        ({"choices": [{"message": {"content": None, "tool_calls": []}}]}, ""),
        ({"choices": [{"message": {"content": ["hi"]}}]}, ""),
        ({"choices": [{"message": "hi"}]}, ""),
        ({"choices": []}, ""),
        ({"choices": "x"}, ""),
        ({}, ""),
        ([], ""),
        ("x", ""),
    ],
)
def test_a_whole_answer(body, text):
    transcript = Transcript()
    transcript.take(Whole(200, (), json.dumps(body).encode()))
    assert transcript.text == text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_none(body):
    transcript = Transcript()
    transcript.take(Whole(200, (), body))
    assert transcript.text == ""


def test_lone_surrogates_are_replaced():
    """A database takes valid text only."""
    transcript = Transcript()
    transcript.take(Whole(200, (), rb'{"choices":[{"message":{"content":"a\ud800b"}}]}'))
    transcript.text.encode()
    assert transcript.text == "a?b"


def test_a_long_answer_is_cut():
    transcript = Transcript()
    for _ in range(3):
        transcript.take(sse(chunk("x" * 600_000)))
    assert len(transcript.text) == LONGEST
    transcript.take(b"data: " + b"x" * (9 * 1024 * 1024))
    transcript.take(b"more")
    assert not transcript.done
