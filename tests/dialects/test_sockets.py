"""Which upgrades are calls, and whose key is in a subprotocol."""

from __future__ import annotations

import pytest

from wattline.dialects.sockets import (
    find_socket,
    harmless,
    keys_in,
    protocols,
    without_socket_headers,
)
from wattline.wire.call import Operation

CALLS = [
    ("", "/v1/realtime", False, Operation.REALTIME, "/realtime"),
    ("", "/v1/responses", False, Operation.RESPONSES, "/responses"),
    ("", "/openai/v1/realtime", False, Operation.REALTIME, "/realtime"),
    ("api.openai.com", "/v1/realtime", True, Operation.REALTIME, "/realtime"),
    ("api.openai.com", "/v1/responses", True, Operation.RESPONSES, "/responses"),
    ("api.groq.com", "/openai/v1/responses", True, Operation.RESPONSES, "/responses"),
    ("llm.internal", "/v1/realtime", True, Operation.REALTIME, "/realtime"),
]
NONE = [
    ("", "/realtime/", False),
    ("", "/v1/Realtime", False),
    ("", "/v1/realtime/sessions", False),
    ("", "/v1/chat/completions", False),
    ("", "/v1/chat/realtime", False),
    ("", "/v1/messages", False),
    ("api.anthropic.com", "/v1/realtime", True),
    ("api.openai.com", "/realtime", True),
]


@pytest.mark.parametrize(("host", "path", "forward", "operation", "upstream"), CALLS)
def test_calls(host, path, forward, operation, upstream):
    """B-044."""
    route = find_socket(host, path, forward=forward)
    assert route is not None
    assert (route.dialect, route.operation, route.upstream_path) == ("openai", operation, upstream)


@pytest.mark.parametrize(("host", "path", "forward"), NONE)
def test_no_calls(host, path, forward):
    assert find_socket(host, path, forward=forward) is None


def test_subprotocols_and_the_keys_among_them():
    headers = [
        ("sec-websocket-protocol", "realtime, openai-insecure-api-key.sk-1 ,"),
        ("sec-websocket-protocol", "openai-beta.realtime-v1,openai-project.p"),
        ("sec-websocket-key", "x"),
        ("authorization", "Bearer y"),
    ]
    offered = protocols(headers)
    assert offered[:2] == ["realtime", "openai-insecure-api-key.sk-1"]
    assert keys_in(value for name, value in headers if name.endswith("protocol")) == ["sk-1"]
    assert harmless(offered) == ["realtime", "openai-beta.realtime-v1"]
    assert without_socket_headers(headers) == (("authorization", "Bearer y"),)
