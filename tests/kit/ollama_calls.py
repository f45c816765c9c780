"""Calls and requests of Ollama's dialect, for tests."""

from __future__ import annotations

import json
from typing import Any

from wattline.dialects.ollama.dialect import ROUTES, OllamaDialect
from wattline.wire.call import LOCAL, Call, Operation
from wattline.wire.http import Headers, Request, Use

DIALECT = OllamaDialect()


def read(body: dict[str, Any], path: str = "/api/chat", headers: Headers = ()) -> Call:
    """What the dialect reads a parsed body into."""
    raw = json.dumps(body).encode()
    request = Request(
        "req_1", "POST", "http", "localhost", 8088, path, headers, raw, "127.0.0.1", Use.REVERSE
    )
    route = next(route for route in ROUTES if route.upstream_path == path)
    return DIALECT.read_call(request, route, body, LOCAL, path)


def call(operation: Operation = Operation.CHAT, **fields: Any) -> Call:
    """A call as the dialect would have read it."""
    known: dict[str, Any] = {"model": "llama3.2", "stream": True, "host": "localhost", **fields}
    path = next(route.upstream_path for route in ROUTES if route.operation is operation)
    return Call(
        id="req_1",
        dialect="ollama",
        operation=operation,
        method="POST",
        path=path,
        principal=LOCAL,
        **known,
    )
