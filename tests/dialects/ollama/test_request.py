"""Ollama's requests as calls."""

from __future__ import annotations

from typing import Any

import pytest

from kit.ollama_calls import read
from wattline.base.errors import ClientFault
from wattline.wire.call import Operation

HI = [{"role": "user", "content": "Hi there, you"}]


@pytest.mark.parametrize(
    ("said", "stream"),
    [({}, True), ({"stream": None}, True), ({"stream": True}, True), ({"stream": False}, False)],
)
def test_chat_and_generate_stream_unless_told_not_to(*, said: dict[str, Any], stream: bool) -> None:
    assert read({"model": "m", "messages": HI, **said}).stream is stream
    call = read({"model": "m", "prompt": "Hi", **said}, "/api/generate")
    assert (call.stream, call.wants_usage) == (stream, stream)


def test_embeddings_never_stream() -> None:
    assert not read({"model": "m", "input": ["a", "b"]}, "/api/embed").stream
    call = read({"model": "m", "prompt": "a", "stream": True}, "/api/embeddings")
    assert (call.stream, call.operation) == (False, Operation.EMBEDDINGS)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"model": "m"}, "/api/generate"),
        ({"model": "m", "prompt": "", "keep_alive": 0}, "/api/generate"),
        ({"model": "m"}, "/api/chat"),
        ({"model": "m", "messages": [], "stream": True}, "/api/chat"),
    ],
)
def test_loading_a_model_is_answered_whole(body: dict[str, Any], path: str) -> None:
    assert not read(body, path).stream


def test_what_rules_ask_about() -> None:
    call = read(
        {
            "model": "llama3.2:1b",
            "messages": [
                {"role": "user", "content": "x" * 400, "images": ["aGk="]},
                {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
            ],
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "options": {"num_predict": 77},
        },
        headers=(("x-wattline-tag", "a,b"), ("authorization", "Bearer s")),
    )
    assert (call.model, call.max_output, call.tools, call.images) == ("llama3.2:1b", 77, True, True)
    assert call.tokens > 100 + 765
    assert call.tags == {"a", "b"}
    assert "authorization" not in call.headers


@pytest.mark.parametrize("limit", [-1, -2, 0, None, True, "7", 1.5, 10**12])
def test_no_limit_is_none(limit: Any) -> None:
    assert (
        read({"model": "m", "messages": HI, "options": {"num_predict": limit}}).max_output is None
    )


@pytest.mark.parametrize(
    ("body", "path", "param"),
    [
        ({}, "/api/chat", "model"),
        ({"model": 5, "messages": HI}, "/api/chat", "model"),
        ({"model": "m", "messages": HI, "stream": "no"}, "/api/chat", "stream"),
        ({"model": "m", "messages": {}}, "/api/chat", "messages"),
        ({"model": "m", "messages": ["x"]}, "/api/chat", "messages[0]"),
        ({"model": "m", "messages": [{}]}, "/api/chat", "messages[0].role"),
        (
            {"model": "m", "messages": [{"role": "user", "content": []}]},
            "/api/chat",
            "messages[0].content",
        ),
        (
            {"model": "m", "messages": [{"role": "user", "images": "x"}]},
            "/api/chat",
            "messages[0].images",
        ),
        ({"model": "m", "messages": HI, "tools": [1]}, "/api/chat", "tools[0]"),
        ({"model": "m", "messages": HI, "options": []}, "/api/chat", "options"),
        ({"model": "m", "prompt": 1}, "/api/generate", "prompt"),
        ({"model": "m"}, "/api/embed", "input"),
        ({"model": "m", "input": [1]}, "/api/embed", "input[0]"),
        ({"model": "m", "prompt": []}, "/api/embeddings", "prompt"),
    ],
)
def test_a_mistake_names_its_field(body: dict[str, Any], path: str, param: str) -> None:
    with pytest.raises(ClientFault) as caught:
        read(body, path)
    assert caught.value.param == param
