"""One word for an error that an upstream reports inside a success."""

from __future__ import annotations

import re
from typing import Any

_BY_STATUS = {
    400: "invalid_request",
    401: "authentication",
    402: "insufficient_quota",
    403: "permission",
    404: "not_found",
    408: "timeout",
    413: "too_large",
    422: "invalid_request",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}

# In this order: `insufficient_quota` often comes as a 429, `context_length_exceeded` as an
# `invalid_request_error`.
_BY_WORD = (
    ("insufficient_quota", "insufficient_quota"),
    ("context_length", "context_length"),
    ("content_filter", "content_filter"),
    ("content_policy", "content_filter"),
    ("rate_limit", "rate_limit"),
    ("too_many_requests", "rate_limit"),
    ("overload", "overloaded"),
    ("unavailable", "overloaded"),
    ("invalid_api_key", "authentication"),
    ("authentication", "authentication"),
    ("unauthorized", "authentication"),
    ("permission", "permission"),
    ("model_not_found", "not_found"),
    ("not_found", "not_found"),
    ("timeout", "timeout"),
    ("invalid", "invalid_request"),
)

_OF_KEYS = frozenset({"authentication", "permission", "insufficient_quota"})
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}", re.ASCII)
_STATUS = re.compile(r"[1-5][0-9]{2}")

DEFAULT = "server_error"


def error_word(error: Any) -> str:
    """`rate_limit`, `overloaded`, `authentication`, `invalid_request`, …; `server_error` when the error
    (a parsed `error` member, or a text) doesn't say more.
    """
    if isinstance(error, str):
        found = _by_word(error)
        # A text may quote the call, and its words must not speak against a key.
        return found if found and (found not in _OF_KEYS or _CODE.fullmatch(error)) else DEFAULT
    if not isinstance(error, dict):
        return DEFAULT
    words = [error.get(key) for key in ("code", "type", "status")]
    for word in words:
        if isinstance(word, str) and (found := _by_word(word)):
            return found
    for word in [*words, error.get("status_code")]:
        if (found := _by_status(word)) is not None:
            return found
    return DEFAULT


def _by_word(text: str) -> str | None:
    text = text[:200].lower().replace(" ", "_").replace("-", "_")
    return next((word for part, word in _BY_WORD if part in text), None)


def _by_status(value: Any) -> str | None:
    if isinstance(value, str) and _STATUS.fullmatch(value):
        value = int(value)
    return _BY_STATUS.get(value) if type(value) is int else None
