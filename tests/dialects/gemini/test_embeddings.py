"""Embeddings by Gemini's methods, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.gemini_calls import call
from wattline.base.errors import ClientFault
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.gemini.embeddings import GeminiEmbeddings
from wattline.wire.embedding import Embedding, Vectors
from wattline.wire.usage import Usage

CODEC = GeminiEmbeddings()
ONE = call("embedContent")
BATCH = call("batchEmbedContents")


def test_texts_are_written_and_read_back() -> None:
    wanted = Embedding(("a", "b"), 2)
    written = CODEC.write_request(wanted, "m")
    assert written.body["requests"][1] == {
        "model": "models/m",
        "content": {"parts": [{"text": "b"}]},
        "outputDimensionality": 2,
    }
    assert written.unsupported == ()
    assert CODEC.read_request(written.body, BATCH) == wanted
    alone = Embedding(("a",))
    assert CODEC.read_request(CODEC.write_request(alone, "m").body, BATCH) == alone
    assert CODEC.path("m") == "/models/m:batchEmbedContents"


def test_one_content() -> None:
    body = {
        "content": {"parts": [{"text": "a"}, {"text": "b"}]},
        "task_type": "RETRIEVAL_QUERY",
        "output_dimensionality": 3,
    }
    found = CODEC.read_request(body, ONE)
    assert found == Embedding(("ab",), 3, extras={"taskType": "RETRIEVAL_QUERY"})


def test_what_is_not_known_is_named_with_its_request() -> None:
    request = {"content": {"parts": [{"text": "a"}]}}
    body = {"requests": [request, request | {"title": "t"}]}
    assert CODEC.read_request(body, BATCH).extras == {"requests[1].title": "t"}


def test_what_gemini_can_not_do_is_told() -> None:
    wanted = Embedding(("a", (1, 2)), hints={"user": "u"}, extras={"input_type": "query"})
    written = CODEC.write_request(wanted, "m")
    assert written.unsupported == ("tokens as input", "input_type")
    assert written.dropped == ("user",)


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
        CODEC.read_request(body, BATCH)
    assert fault.value.param == param


def test_vectors_are_written_and_read_back() -> None:
    vectors = ((0.5, -1.0), (2.0, 3.25))
    wanted = Embedding(("a", "b"))
    found = Vectors(vectors, usage=Usage(3, 0))
    assert CODEC.read_answer(CODEC.write_answer(found, wanted, BATCH)) == found
    raw = CODEC.write_answer(Vectors(vectors[:1]), wanted, ONE)
    assert json.loads(raw) == {"embedding": {"values": [0.5, -1.0]}}
    assert CODEC.read_answer(raw) == Vectors(vectors[:1])


def test_a_usage_that_can_not_be_true() -> None:
    raw = b'{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":-1}}'
    assert CODEC.read_answer(raw) == Vectors(((1.0,),), bad_usage=True)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"embeddings":[]}', b'{"embeddings":[{"values":["x"]}]}', b"<p>"]
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        CODEC.read_answer(body)


def test_errors_in_a_success() -> None:
    error = b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}'
    for body in (error, b"[" + error + b"]"):
        with pytest.raises(ReplyError) as raised:
            CODEC.read_answer(body)
        assert raised.value.word == "rate_limit"
