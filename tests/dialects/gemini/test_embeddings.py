"""Embeddings between lists of texts and Gemini's methods."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.gemini_calls import call
from wattline.base.errors import ClientFault
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.gemini.embeddings import (
    Texts,
    Vectors,
    read_texts,
    read_vectors,
    write_texts,
    write_vectors,
)
from wattline.wire.usage import Usage

ONE = call("embedContent")
BATCH = call("batchEmbedContents")


def test_texts_are_written_and_read_back() -> None:
    body = write_texts(["a", "b"], "m", 2)
    assert body["requests"][1] == {
        "model": "models/m",
        "content": {"parts": [{"text": "b"}]},
        "outputDimensionality": 2,
    }
    assert read_texts(body, BATCH) == Texts(("a", "b"), 2)
    assert read_texts(write_texts(["a"], "m"), BATCH) == Texts(("a",))


def test_one_content() -> None:
    body = {
        "content": {"parts": [{"text": "a"}, {"text": "b"}]},
        "task_type": "RETRIEVAL_QUERY",
        "output_dimensionality": 3,
    }
    assert read_texts(body, ONE) == Texts(("ab",), 3, ("taskType",))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"requests": [3]}, "requests[0]"),
        ({"requests": [{}]}, "requests[0].content"),
        ({"requests": [{"content": {"parts": ["x"]}}]}, "requests[0].content.parts[0]"),
        (
            {"requests": [{"content": {"parts": [{"inlineData": {}}]}}]},
            "requests[0].content.parts[0].text",
        ),
        (
            {"requests": [{"content": {}, "outputDimensionality": 0}]},
            "requests[0].outputDimensionality",
        ),
        (
            {"requests": [{"content": {}, "outputDimensionality": 1}, {"content": {}}]},
            "requests[].outputDimensionality",
        ),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientFault) as fault:
        read_texts(body, BATCH)
    assert fault.value.param == param


def test_vectors_are_written_and_read_back() -> None:
    vectors = ((0.5, -1.0), (2.0, 3.25))
    raw = write_vectors(vectors, BATCH, Usage(3, 0))
    assert read_vectors(raw, 2) == Vectors(vectors, Usage(3, 0))
    raw = write_vectors(vectors[:1], ONE, None)
    assert json.loads(raw) == {"embedding": {"values": [0.5, -1.0]}}
    assert read_vectors(raw, 1) == Vectors(vectors[:1])


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"embeddings":[]}', b'{"embeddings":[{"values":["x"]}]}', b"<p>"]
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        read_vectors(body, 1)


def test_errors_in_a_success() -> None:
    error = b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}'
    for body in (error, b"[" + error + b"]"):
        with pytest.raises(ReplyError) as raised:
            read_vectors(body, 1)
        assert raised.value.word == "rate_limit"
