"""Faults in the shape of the inference service's errors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from wattline.base.errors import Fault, Kind
from wattline.dialects.json_text import dumps
from wattline.dialects.openai.error import error as openai_error
from wattline.wire.http import Whole
from wattline.wire.sse import event

_TYPES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.INVALID_REQUEST: "validation",
        Kind.AUTHENTICATION: "validation",
        Kind.PERMISSION: "validation",
        Kind.NOT_FOUND: "validation",
        Kind.TOO_LARGE: "validation",
        Kind.RATE_LIMIT: "rate_limit",
        Kind.INSUFFICIENT_BALANCE: "rate_limit",
        Kind.UPSTREAM: "openrouter",
        Kind.UNAVAILABLE: "internal",
        Kind.INTERNAL: "internal",
    }
)
"""`openrouter` is any provider: the clients know the word."""


def error(fault: Fault, call_id: str) -> Whole:
    """A fault as a whole answer, with the headers of every dialect of ours."""
    headers = openai_error(fault, call_id).headers
    return Whole(_status(fault), headers, dumps({"error": _object(fault)}))


def stream_error(fault: Fault) -> bytes:
    """A fault as the last event of a stream. No end marker follows: the answer is not complete."""
    return event(dumps({"error": _object(fault)}))


def _status(fault: Fault) -> int:
    """A provider's failure is a bad gateway here; 500 is the service's own."""
    return 502 if fault.kind is Kind.UPSTREAM else fault.status


def _object(fault: Fault) -> dict[str, Any]:
    found: dict[str, Any] = {
        "code": _status(fault),
        "message": fault.message,
        "type": _TYPES[fault.kind],
    }
    if fault.param is not None:
        found["details"] = {"field": fault.param, "message": fault.message}
    return found
