"""Requests for messages, read into calls."""

from __future__ import annotations

from typing import Any

import pytest

from kit.anthropic_calls import call, read, spoiled
from wattline.base.errors import ClientFault
from wattline.wire.call import Operation

CLAUDE_CODE: dict[str, Any] = {
    "model": "claude-opus-4-7",
    "max_tokens": 32000,
    "stream": True,
    "metadata": {"user_id": "user_ab_account__session_1"},
    "system": [{"type": "text", "text": "You are", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "hello there"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": "x"}},
                {"type": "tool_use", "id": "t", "name": "Read", "input": {"path": "/a"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t",
                    "content": [
                        {"type": "image", "source": {"type": "url", "url": "https://e/x.png"}}
                    ],
                },
                {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
            ],
        },
    ],
    "tools": [{"name": "Read", "description": "Reads", "input_schema": {"type": "object"}}],
    "context_management": {"edits": []},
}


def test_facts_of_a_call() -> None:
    found = read(
        CLAUDE_CODE,
        headers=[("x-api-key", "k"), ("anthropic-beta", "b"), ("x-wattline-tag", "a,b")],
    )
    assert (found.model, found.stream, found.max_output) == ("claude-opus-4-7", True, 32000)
    assert (found.tools, found.images) == (True, True)
    assert found.user == "user_ab_account__session_1"
    assert found.headers == {"anthropic-beta": "b", "x-wattline-tag": "a,b"}
    assert found.tags == {"a", "b"}
    assert 1200 < found.tokens < 3200


def test_a_users_id_that_is_no_name_is_no_fault() -> None:
    for user in ("", "x" * 257, "a\nb", 5, None, {}):
        assert read({**CLAUDE_CODE, "metadata": {"user_id": user}}).user is None
    assert read({**CLAUDE_CODE, "metadata": "x"}).user is None


def test_counting_tokens_is_never_a_stream() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    assert not read(body, Operation.COUNT_TOKENS).stream


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("model", None, "model"),
        ("model", 5, "model"),
        ("messages", None, "messages"),
        ("messages", "x", "messages"),
        ("messages", [], "messages"),
        ("messages", [5], "messages[0]"),
        ("messages", [{"content": "x"}], "messages[0].role"),
        ("messages", [{"role": "user", "content": 5}], "messages[0].content"),
        ("messages", [{"role": "user", "content": ["x"]}], "messages[0].content[0]"),
        ("max_tokens", "5", "max_tokens"),
        ("max_tokens", True, "max_tokens"),
        ("max_tokens", -1, "max_tokens"),
        ("max_tokens", 1.5, "max_tokens"),
        ("stream", "yes", "stream"),
        ("system", 5, "system"),
        ("tools", {}, "tools"),
        ("tools", [5], "tools[0]"),
    ],
)
def test_faults_name_the_field(field: str, value: Any, param: str) -> None:
    with pytest.raises(ClientFault) as fault:
        read({**CLAUDE_CODE, field: value})
    assert fault.value.param == param
    assert fault.value.status == 400


def test_a_limit_of_nothing_fills_the_providers_cache() -> None:
    assert read({**CLAUDE_CODE, "max_tokens": 0}).max_output == 0


def test_garbage_at_any_place_is_read_or_refused() -> None:
    for body in spoiled(CLAUDE_CODE):
        try:
            assert read(body).id == call().id
        except ClientFault as fault:
            assert fault.param is not None  # noqa: PT017  (both ends are fine)
