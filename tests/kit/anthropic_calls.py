"""Calls and requests of Anthropic's dialect, and garbage at any place of them, for tests."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from wattline.dialects.anthropic.dialect import AnthropicDialect
from wattline.dialects.base import Route
from wattline.wire.call import LOCAL, Call, Operation
from wattline.wire.http import Headers, Request, Use

DIALECT = AnthropicDialect()

ROUTES = {
    Operation.CHAT: Route("anthropic", Operation.CHAT, "/messages"),
    Operation.COUNT_TOKENS: Route("anthropic", Operation.COUNT_TOKENS, "/messages/count_tokens"),
}

GARBAGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    "",
    "x",
    [],
    ["x"],
    [None],
    {},
    {"type": 1},
    10**30,
)


def read(
    body: dict[str, Any],
    operation: Operation = Operation.CHAT,
    headers: Headers = (),
    use: Use = Use.REVERSE,
) -> Call:
    """What the dialect reads a parsed body into."""
    route = ROUTES[operation]
    path = "/v1" + route.upstream_path
    raw = json.dumps(body).encode()
    request = Request(
        "req_1", "POST", "http", "localhost", 8088, path, headers, raw, "127.0.0.1", use
    )
    return DIALECT.read_call(request, route, body, LOCAL, path)


def call(operation: Operation = Operation.CHAT, **fields: Any) -> Call:
    """A call as the dialect would have read it."""
    known: dict[str, Any] = {"model": "claude-x", "stream": True, "host": "localhost", **fields}
    return Call(
        id="req_1",
        dialect="anthropic",
        operation=operation,
        method="POST",
        path="/v1" + ROUTES[operation].upstream_path,
        principal=LOCAL,
        **known,
    )


def spoiled(value: Any) -> Iterator[Any]:
    """`value` with each of its places in turn holding each kind of garbage."""
    for path in _paths(value):
        for garbage in GARBAGE:
            changed = copy.deepcopy(value)
            holder = changed
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = garbage
            yield changed


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    places: Any = ()
    if isinstance(value, dict):
        places = value.items()
    elif isinstance(value, list):
        places = enumerate(value)
    for key, inner in places:
        yield (*at, key)
        yield from _paths(inner, (*at, key))
