"""The ways in which a caller can show who it is."""

from __future__ import annotations

from typing import Any, Final

type Json = dict[str, Any]

SCHEMES: Final[Json] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of this sidecar. In open mode none is needed.",
    },
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
    "x-goog-api-key": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
    "key": {
        "type": "apiKey",
        "in": "query",
        "name": "key",
        "description": "As Google's older clients send it. A key in a URL is easily seen: prefer a header.",
    },
    "masterToken": {
        "type": "apiKey",
        "in": "query",
        "name": "masterToken",
        "description": "The operator's token (ADMIN_FIRST). `bearer` takes it too, which is safer.",
    },
    "jwt": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "What /api/v1/auth/login gives.",
    },
}
_KEYS: Final = ("bearer", "x-api-key", "api-key", "x-goog-api-key", "key", "jwt")


def any_key() -> list[Json]:
    """Any caller; the empty one stands for open mode."""
    return [{}, *({name: []} for name in _KEYS)]


def admin() -> list[Json]:
    """An admin's key or the master token."""
    return [*({name: []} for name in _KEYS), {"masterToken": []}]
