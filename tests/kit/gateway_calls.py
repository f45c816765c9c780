"""Calls and requests of the gateway's dialect, for tests."""

from __future__ import annotations

import json
from typing import Any

from wattline.dialects.gateway.dialect import GatewayDialect
from wattline.dialects.table import find
from wattline.wire.call import LOCAL, Call
from wattline.wire.http import Request, Use

DIALECT = GatewayDialect()
ASK = [{"role": "user", "content": "Hello"}]


def read(body: dict[str, Any], path: str = "/api/v1/chat") -> Call:
    """What the dialect reads a parsed body into."""
    raw = json.dumps(body).encode()
    request = Request(
        "req_1", "POST", "http", "localhost", 8088, path, (), raw, "127.0.0.1", Use.REVERSE
    )
    route = find("POST", "localhost", path, forward=False)
    assert route is not None
    assert route.dialect == DIALECT.name
    return DIALECT.read_call(request, route, body, LOCAL, path)


def call(path: str = "/api/v1/chat", **fields: Any) -> Call:
    """A call as the dialect would have read it."""
    least: dict[str, dict[str, Any]] = {
        "/api/v1/chat": {"messages": ASK},
        "/api/v1/embeddings": {"input": "a"},
        "/api/v1/rerank": {"query": "q", "documents": ["a"]},
    }
    return read({"model": "m", "provider": "anthropic", **least[path], **fields}, path)
