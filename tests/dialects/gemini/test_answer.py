"""Whole answers: what they say, and the energy in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.gemini_calls import DIALECT, call
from wattline.dialects.base import Energy
from wattline.wire.usage import Usage, UsageSource

ENERGY = Energy(15_750_000)
USAGE = b'{"promptTokenCount": 8,"candidatesTokenCount":5,"totalTokenCount":13,"x":1.0e0}'
BODY = (
    b'{"candidates": [{"content":{"parts":[{"text":"Hello","thoughtSignature":"a+/="}]},'
    b'"finishReason":"STOP"}],\n"usageMetadata": '
    + USAGE
    + b',"modelVersion":"g","responseId":"r"}'
)
SAID = Usage(8, 5)


def test_an_answer() -> None:
    found = DIALECT.read_answer(call(), BODY)
    assert (found.usage, found.sound, found.output, found.model) == (SAID, True, 5, "g")


def test_energy_is_the_only_change() -> None:
    assert DIALECT.write_answer(call(), BODY, SAID, ENERGY) == BODY.replace(
        b'"x":1.0e0}', b'"x":1.0e0,"energy":15.75}'
    )


def test_an_array_of_responses() -> None:
    """streamGenerateContent without alt=sse."""
    asked = call("streamGenerateContent", stream=False)
    first = BODY.replace(b'"candidatesTokenCount":5', b'"candidatesTokenCount":1')
    raw = b"[" + first + b"\n,\r\n" + BODY + b"\n]\n"
    found = DIALECT.read_answer(asked, raw)
    assert (found.usage, found.sound, found.output) == (SAID, True, 10)
    out = DIALECT.write_answer(asked, raw, SAID, ENERGY)
    assert (
        out == raw[: len(first) + 5] + DIALECT.write_answer(call(), BODY, SAID, ENERGY) + b"\n]\n"
    )


def test_a_usage_is_made_when_there_was_none() -> None:
    raw = b'{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}'
    assert DIALECT.read_answer(call(), raw).usage is None
    usage = Usage(9, 5, 4, 2, UsageSource.ESTIMATED)
    assert json.loads(DIALECT.write_answer(call(), raw, usage, Energy(None)))["usageMetadata"] == {
        "promptTokenCount": 9,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 2,
        "cachedContentTokenCount": 4,
        "totalTokenCount": 14,
        "estimated": True,
        "energy": None,
    }


def test_a_refused_prompt_is_sound() -> None:
    raw = b'{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}'
    found = DIALECT.read_answer(call(), raw)
    assert (found.sound, found.usage, found.error) == (True, Usage(4, 0), None)


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"<html>", b"[]", b"3", b'{"candidates":[]}', BODY[:-3], b"[{},3]", b"\xff"]
)
def test_what_is_no_answer(raw: bytes) -> None:
    assert not DIALECT.read_answer(call(), raw).sound
    assert isinstance(DIALECT.write_answer(call(), raw, SAID, ENERGY), bytes)


@pytest.mark.parametrize("method", ["generateContent", "embedContent", "countTokens"])
def test_errors_in_a_success(method: str) -> None:
    error = b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}'
    assert DIALECT.read_answer(call(method), error).error == "rate_limit"
    assert DIALECT.read_answer(call(method), b"[" + error + b"]").error == "rate_limit"


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"promptTokenCount": 8, "totalTokenCount": 8}, Usage(8, 0)),
        ({"promptTokenCount": 0, "candidatesTokenCount": 0}, Usage(0, 0)),
        (
            {"promptTokenCount": 8, "thoughtsTokenCount": 4, "totalTokenCount": 12},
            Usage(8, 4, 0, 4),
        ),
        ({"promptTokenCount": 8, "totalTokenCount": 20}, Usage(8, 12)),
        (
            {"promptTokenCount": 8, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 1},
            Usage(13, 1),
        ),
        ({"candidatesTokenCount": 3, "totalTokenCount": 10}, Usage(7, 3)),
        ({"promptTokenCount": 2, "cachedContentTokenCount": 9}, Usage(2, 0, 2)),
        ({"candidatesTokenCount": 3}, None),
        ({}, None),
    ],
)
def test_counts(usage: dict[str, int], expected: Usage | None) -> None:
    raw = json.dumps({"candidates": [{}], "usageMetadata": usage}).encode()
    found = DIALECT.read_answer(call(), raw)
    assert (found.usage, found.bad_usage) == (expected, False)


@pytest.mark.parametrize("usage", [3, "x", [], {"promptTokenCount": -1}, {"totalTokenCount": 1.5}])
def test_counts_that_cannot_be_true(usage: Any) -> None:
    raw = json.dumps({"candidates": [{}], "usageMetadata": usage}).encode()
    assert DIALECT.read_answer(call(), raw).bad_usage
    out = json.loads(DIALECT.write_answer(call(), raw, SAID, ENERGY))["usageMetadata"]
    assert out["promptTokenCount"] == 8
    assert out["energy"] == 15.75


def test_embeddings() -> None:
    raw = b'{"embeddings":[{"values":[0.1,-2e-3]}]}'
    found = DIALECT.read_answer(call("batchEmbedContents"), raw)
    assert (found.sound, found.usage) == (True, None)
    assert DIALECT.read_answer(call("embedContent"), b'{"embedding": {"values":[1]}}').sound
    assert not DIALECT.read_answer(call("batchEmbedContents"), b'{"embeddings":[ ]}').sound
    out = DIALECT.write_answer(call("batchEmbedContents"), raw, Usage(3, 0), ENERGY)
    assert out == raw[:-1] + (
        b',"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3,"energy":15.75}}'
    )


def test_counting_tokens_is_free_and_untouched() -> None:
    raw = b'{"totalTokens": 31}'
    found = DIALECT.read_answer(call("countTokens"), raw)
    assert (found.sound, found.usage) == (True, Usage(0, 0))
    assert DIALECT.write_answer(call("countTokens"), raw, Usage(0, 0), ENERGY) == raw
    assert not DIALECT.read_answer(call("countTokens"), b'{"totalTokens":"x"}').sound
    assert not DIALECT.read_answer(call("countTokens"), b"<html>").sound
