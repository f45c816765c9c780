"""Groq tells the usage of a stream in `x_groq`, in the chunk that finishes the answer."""

from __future__ import annotations

import json

import pytest

from kit.openai_calls import call
from wattline.dialects.base import Energy
from wattline.dialects.openai.dialect import OpenAIDialect
from wattline.wire.piece import Mark
from wattline.wire.sse import event
from wattline.wire.usage import Usage

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "queue_time": 0.01}
CALL = call(stream=True)


def last(**more) -> bytes:
    choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
    value = {
        "id": "c",
        "object": "chat.completion.chunk",
        "model": "m",
        "choices": [choice],
        **more,
    }
    return event(json.dumps(value).encode())


def read(raw: bytes):
    (piece,) = OpenAIDialect().reader(CALL).feed(raw)
    return piece


@pytest.mark.parametrize("odd", [{}, {"system_fingerprint": float("nan")}], ids=["quick", "slow"])
def test_it_is_the_usage_of_the_stream(odd):
    piece = read(last(x_groq={"id": "req", "usage": USAGE}, **odd))
    assert (piece.usage, piece.mark, piece.finish) == (Usage(11, 7), Mark.OUTPUT, True)


def test_a_usage_in_its_own_place_counts_more():
    own = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
    assert read(last(usage=own, x_groq={"usage": USAGE})).usage == Usage(12, 7)


@pytest.mark.parametrize("groq", [None, 7, [], "x", {}, {"usage": None}, {"id": "req"}])
def test_anything_else_is_none(groq):
    piece = read(last(x_groq=groq))
    assert (piece.usage, piece.bad_usage, piece.mark) == (None, False, Mark.OUTPUT)


def test_counts_that_cannot_be_true_are_told():
    assert read(last(x_groq={"usage": {**USAGE, "prompt_tokens": -1}})).bad_usage


def test_the_client_gets_it_once_more_with_its_energy():
    piece = read(last(x_groq={"usage": USAGE}))
    told = OpenAIDialect().write_usage(CALL, piece, Usage(11, 7), Energy(9_000_000), piece)
    value = json.loads(told.split(b"data: ")[1])
    assert (value["usage"]["total_tokens"], value["usage"]["energy"]) == (18, 9)
