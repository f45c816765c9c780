"""Calls and requests of the OpenAI dialect, for tests."""

from __future__ import annotations

import json
from typing import Any

from wattline.dialects.openai.dialect import OpenAIDialect
from wattline.dialects.table import find
from wattline.wire.call import LOCAL, Call, Operation
from wattline.wire.http import Headers, Request, Use

DIALECT = OpenAIDialect()

PATHS = {
    Operation.CHAT: "/v1/chat/completions",
    Operation.COMPLETION: "/v1/completions",
    Operation.RESPONSES: "/v1/responses",
    Operation.EMBEDDINGS: "/v1/embeddings",
    Operation.MODERATIONS: "/v1/moderations",
    Operation.RERANK: "/v1/rerank",
    Operation.IMAGES: "/v1/images/generations",
    Operation.SPEECH: "/v1/audio/speech",
    Operation.TRANSCRIPTION: "/v1/audio/transcriptions",
}


def read(
    body: dict[str, Any],
    operation: Operation = Operation.CHAT,
    headers: Headers = (),
    use: Use = Use.REVERSE,
) -> Call:
    """What the dialect reads a parsed body into."""
    path = PATHS[operation]
    raw = json.dumps(body).encode()
    request = Request(
        "req_1", "POST", "http", "localhost", 8088, path, headers, raw, "127.0.0.1", use
    )
    route = find("POST", "localhost", path, forward=False)
    assert route is not None
    return DIALECT.read_call(request, route, body, LOCAL, path)


def call(operation: Operation = Operation.CHAT, **fields: Any) -> Call:
    """A call as the dialect would have read it."""
    known: dict[str, Any] = {"model": "gpt-4o", "stream": True, "host": "localhost", **fields}
    return Call(
        id="req_1",
        dialect="openai",
        operation=operation,
        method="POST",
        path=PATHS[operation],
        principal=LOCAL,
        **known,
    )
