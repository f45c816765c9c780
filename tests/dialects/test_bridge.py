"""Calls for vectors and for an order of texts between dialects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.gateway_calls import call as gateway_call
from kit.openai_calls import call as openai_call
from wattline.base.errors import ClientFault
from wattline.dialects.bridge import Bridge, bridge_to
from wattline.dialects.crossing import crosses, native
from wattline.dialects.embedding_codecs import EMBEDDING_CLIENTS, EMBEDDING_PROVIDERS
from wattline.dialects.rerank_codecs import RERANK_CLIENTS
from wattline.wire.call import Operation
from wattline.wire.usage import Usage

VECTORS = openai_call(Operation.EMBEDDINGS, stream=False)
ORDER = openai_call(Operation.RERANK, stream=False)
QUESTION = {"query": "q", "documents": ["a", "b"], "top_n": 1}
GATEWAY_ORDER = gateway_call("/api/v1/rerank", **QUESTION)


def found(*args: Any) -> Bridge:
    bridge = bridge_to(*args)
    assert bridge is not None
    return bridge


def test_what_crosses() -> None:
    """What is said to cross has codecs on both sides."""
    for client in ("openai", "gemini", "ollama", "gateway", "anthropic", "inference"):
        for provider in ("openai", "gemini", "ollama", "anthropic", "generate"):
            crossing = crosses(Operation.EMBEDDINGS, client, provider)
            if crossing and native(client) != provider:
                assert client in EMBEDDING_CLIENTS
                assert provider in EMBEDDING_PROVIDERS
    assert {"openai", "gateway"} == set(RERANK_CLIENTS)
    assert crosses(Operation.RERANK, "gateway", "openai")
    assert not crosses(Operation.RERANK, "gateway", "anthropic")
    assert not crosses(Operation.EMBEDDINGS, "gateway", "anthropic")
    assert crosses(Operation.CHAT, "gateway", "generate")


def test_an_inference_is_openais() -> None:
    assert native("inference") == "openai"
    assert native("gateway") == "gateway"


def test_between_equals_nothing_is_translated() -> None:
    assert bridge_to("openai", "api.openai.com", VECTORS, {"input": "a"}) is None
    assert bridge_to("openai", "api.voyageai.com", ORDER, QUESTION) is None


def test_vectors() -> None:
    bridge = found("gemini", "x", VECTORS, {"input": ["a", "b"]})
    assert bridge.path("m") == "/models/m:batchEmbedContents"
    assert len(bridge.write_request("m").body["requests"]) == 2
    answer, raw = bridge.read_answer(
        b'{"embeddings":[{"values":[1]},{"values":[2]}],"usageMetadata":{"promptTokenCount":3}}'
    )
    assert (answer.sound, answer.usage, answer.output) == (True, Usage(3, 0), 0)
    assert [one["embedding"] for one in json.loads(raw)["data"]] == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("body", "error", "sound"),
    [
        (b'{"error":{"status":"RESOURCE_EXHAUSTED"}}', "rate_limit", True),
        (b"<html>", None, False),
        (b'{"embeddings":[{"values":[1]}]}', None, False),
    ],
)
def test_what_is_no_answer(body: bytes, error: str | None, sound: bool) -> None:  # noqa: FBT001
    answer, raw = found("gemini", "x", VECTORS, {"input": ["a", "b"]}).read_answer(body)
    assert (answer.error, answer.sound, raw) == (error, sound, b"")


def test_an_order_is_cut_to_what_was_asked_for() -> None:
    """E-046: `top_n`, also with a provider that does not know it."""
    bridge = found("openai", "ai.api.nvidia.com", GATEWAY_ORDER, QUESTION)
    assert bridge.path("n/m") == "/retrieval/n/m/reranking"
    answer, raw = bridge.read_answer(
        b'{"rankings":[{"index":0,"logit":-1},{"index":1,"logit":2.5}]}'
    )
    assert (answer.sound, answer.usage) == (True, None)
    assert json.loads(raw) == {"results": [{"index": 1, "relevance_score": 2.5, "document": "b"}]}


def test_nvidia_is_foreign_to_openais_clients_too() -> None:
    bridge = found("openai", "ai.api.nvidia.com", ORDER, QUESTION)
    _, raw = bridge.read_answer(b'{"rankings":[{"index":0,"logit":1}]}')
    assert json.loads(raw)["results"] == [{"index": 0, "relevance_score": 1.0}]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error":"overloaded"}', "overloaded"),
        (b'{"results":[{"index":2,"score":1}]}', None),
        (b"{}", None),
    ],
)
def test_what_is_no_order(body: bytes, error: str | None) -> None:
    answer, raw = found("openai", "x", GATEWAY_ORDER, QUESTION).read_answer(body)
    assert (answer.error, answer.sound, raw) == (error, error is not None, b"")


def test_a_request_that_can_not_be_read() -> None:
    with pytest.raises(ClientFault):
        bridge_to("gemini", "x", VECTORS, {"input": [1, "x"]})
