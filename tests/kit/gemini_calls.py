"""Calls and requests of the Gemini dialect, for tests."""

from __future__ import annotations

import json
from typing import Any

from wattline.dialects.base import Route
from wattline.dialects.gemini.dialect import GeminiDialect
from wattline.dialects.gemini.paths import OPERATIONS, match
from wattline.wire.call import LOCAL, Call, Operation
from wattline.wire.http import Headers, Request, Use

DIALECT = GeminiDialect()
MODEL = "gemini-2.5-flash"


def target(method: str = "generateContent", model: str = MODEL) -> str:
    """A request's target."""
    return f"/v1beta/models/{model}:{method}"


def route(path: str) -> Route:
    """The route of a path."""
    found = match(path)
    operation = OPERATIONS[found[1]] if found is not None else Operation.CHAT
    return Route("gemini", operation, path)


def read(body: Any, to: str | None = None, headers: Headers = (), use: Use = Use.REVERSE) -> Call:
    """What the dialect reads a parsed body into. `to` is the target, query included."""
    whole = to or target()
    path = whole.partition("?")[0]
    raw = json.dumps(body).encode()
    request = Request(
        "req_1", "POST", "http", "localhost", 8088, whole, headers, raw, "127.0.0.1", use
    )
    return DIALECT.read_call(request, route(path), body, LOCAL, path)


def call(method: str = "generateContent", **fields: Any) -> Call:
    """A call as the dialect would have read it."""
    path = target(method)
    known: dict[str, Any] = {
        "model": MODEL,
        "stream": method == "streamGenerateContent",
        "wants_usage": True,
        **fields,
    }
    return Call(
        id="req_1",
        dialect="gemini",
        operation=OPERATIONS[method],
        method="POST",
        host="localhost",
        path=path,
        principal=LOCAL,
        **known,
    )
