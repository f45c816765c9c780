"""A gateway's requests into calls."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.gateway_calls import ASK, read
from wattline.base.errors import ClientFault
from wattline.dialects.gateway.request import own_name
from wattline.wire.call import Operation

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        *("provider", "model", "messages", "temperature", "max_tokens", "stream", "input"),
        *("query", "documents", "top_n", "cache", "fallback_models", "site_url", "use_cache"),
        *("anthropic_version", "transforms", "reasoning_effort", "top_p"),
    ]
)


def test_the_provider_is_a_part_of_the_models_name() -> None:
    """E-043: {provider, model, messages, temperature, max_tokens, stream}."""
    body = {"provider": "openrouter", "model": "anthropic/claude-3-5-sonnet", "messages": ASK}
    found = read(body | {"temperature": 0.7, "max_tokens": 1000, "stream": True})
    assert found.model == "openrouter/anthropic/claude-3-5-sonnet"
    assert (found.provider, own_name(found)) == ("openrouter", "anthropic/claude-3-5-sonnet")
    assert (found.operation, found.stream, found.max_output) == (Operation.CHAT, True, 1000)


def test_without_a_provider_the_rules_choose() -> None:
    for missing in ({}, {"provider": None}, {"provider": ""}):
        found = read({"model": "m", "messages": ASK, **missing})
        assert (found.model, found.provider, own_name(found)) == ("m", None, "m")


@pytest.mark.parametrize(
    ("path", "body", "operation"),
    [
        ("/api/v1/embeddings", {"input": "The quick brown fox"}, Operation.EMBEDDINGS),
        ("/api/v1/rerank", {"query": "q", "documents": ["a", "b"]}, Operation.RERANK),
    ],
)
def test_other_operations_never_stream(path: str, body: dict[str, Any], operation: Any) -> None:
    """E-045, E-046."""
    found = read({"provider": "p", "model": "m", "stream": True, **body}, path)
    assert (found.operation, found.stream, found.model) == (operation, False, "p/m")
    assert found.tokens > 1


@pytest.mark.parametrize(
    ("path", "changes", "param"),
    [
        ("/api/v1/chat", {"model": None}, "model"),
        ("/api/v1/chat", {"messages": None}, "messages"),
        ("/api/v1/chat", {"messages": []}, "messages"),
        ("/api/v1/chat", {"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ("/api/v1/chat", {"messages": [{"role": "teapot", "content": "x"}]}, "messages[0].role"),
        ("/api/v1/chat", {"temperature": 2.1}, "temperature"),
        ("/api/v1/chat", {"temperature": "hot"}, "temperature"),
        ("/api/v1/chat", {"top_p": 2}, "top_p"),
        ("/api/v1/chat", {"max_tokens": 0}, "max_tokens"),
        ("/api/v1/chat", {"stream": "yes"}, "stream"),
        ("/api/v1/chat", {"provider": {"order": []}}, "provider"),
        ("/api/v1/chat", {"provider": "a/b"}, "provider"),
        ("/api/v1/chat", {"anthropic_version": 1}, "anthropic_version"),
        ("/api/v1/chat", {"site_url": 1}, "site_url"),
        ("/api/v1/chat", {"use_cache": "no"}, "use_cache"),
        ("/api/v1/chat", {"cache": "yes"}, "cache"),
        ("/api/v1/chat", {"fallback_models": "gpt-4o"}, "fallback_models"),
        ("/api/v1/chat", {"fallback_models": [1]}, "fallback_models[0]"),
        ("/api/v1/embeddings", {"input": None}, "input"),
        ("/api/v1/embeddings", {"input": ["a", {}]}, "input[1]"),
        ("/api/v1/embeddings", {"dimensions": "x"}, "dimensions"),
        ("/api/v1/rerank", {"query": None}, "query"),
        ("/api/v1/rerank", {"documents": None}, "documents"),
        ("/api/v1/rerank", {"documents": []}, "documents"),
        ("/api/v1/rerank", {"documents": [1]}, "documents[0]"),
        ("/api/v1/rerank", {"top_n": 0}, "top_n"),
    ],
)
def test_a_mistake_names_its_field(path: str, changes: dict[str, Any], param: str) -> None:
    """E-084: required fields, types, ranges (temperature 0-2)."""
    body = {"model": "m", "messages": ASK, "input": "a", "query": "q", "documents": ["a"]}
    body |= changes
    with pytest.raises(ClientFault) as caught:
        read({key: value for key, value in body.items() if value is not None}, path)
    assert caught.value.param == param
    assert caught.value.status == 400


@given(
    st.dictionaries(FIELDS, JSON),
    st.sampled_from(["/api/v1/chat", "/api/v1/embeddings", "/api/v1/rerank"]),
)
def test_any_body_is_read_or_refused(body: dict[str, Any], path: str) -> None:
    with suppress(ClientFault):
        assert read(body, path).model
