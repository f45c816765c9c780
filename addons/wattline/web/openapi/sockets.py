"""WebSockets. OpenAPI has no words for them, so they stand under a member of our own, `x-websockets`."""

from __future__ import annotations

from typing import Any, Final

from wattline.dialects.frames.asked import TYPES
from wattline.dialects.table import own_paths
from wattline.web.openapi.security import any_key
from wattline.wire.call import Operation

type Json = dict[str, Any]

_TOLD: Final = (
    *("auth.ok", "chat.start", "chat.delta", "chat.complete", "pong"),
    *("providers", "providers.changed", "stats", "stats.end"),
    *("inference_response", "heartbeat", "close", "error"),
)
_CHATS: Final = (
    f"JSON messages with a `type`. From the client: {', '.join(TYPES)}. From here: {', '.join(_TOLD)}. "
    "docs/websockets.md describes each."
)


def sockets() -> list[Json]:
    """All of them: path, what is spoken, who may."""
    found: list[Json] = [
        {"path": "/ws", "summary": "Chats", "description": _CHATS, "security": any_key()}
    ]
    for path, route in own_paths().items():
        if route.operation is Operation.RESPONSES:
            found += [
                _socket(path, "OpenAI's Responses API over a WebSocket"),
                _socket(f"{path.removesuffix('/responses')}/realtime", "OpenAI's realtime API"),
            ]
    return found


def _socket(path: str, summary: str) -> Json:
    return {
        "path": path,
        "summary": summary,
        "description": "Messages are those of OpenAI's API; each response is a call of its own.",
        "security": any_key(),
    }
