"""One word for an error that Gemini reports inside a success."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.words import error_word

_BY_STATUS: Mapping[str, str] = MappingProxyType(
    {
        "RESOURCE_EXHAUSTED": "rate_limit",
        "UNAUTHENTICATED": "authentication",
        "PERMISSION_DENIED": "permission",
        "DEADLINE_EXCEEDED": "timeout",
        "FAILED_PRECONDITION": "invalid_request",
        "OUT_OF_RANGE": "invalid_request",
    }
)
"""Those of google.rpc.Code that `error_word` does not know by themselves."""


def word(error: Any) -> str:
    """`rate_limit`, `overloaded`, …; `server_error` when the error does not say more."""
    status = error.get("status") if isinstance(error, dict) else None
    known = _BY_STATUS.get(status) if isinstance(status, str) else None
    return known or error_word(error)


def response_error(value: Any) -> Any:
    """The error that a parsed answer is; None when it is none. A list of one is how an error in an
    answer that is not a stream of events comes.
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.get("error") if isinstance(value, dict) else None
