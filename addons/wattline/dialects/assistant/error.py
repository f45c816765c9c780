"""Faults in the shape of the assistant gateway's errors (A-155): `error` says it in short, `message` in full."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from wattline.base.errors import Fault, Kind
from wattline.dialects.json_text import dumps
from wattline.dialects.openai.error import error as openai_error
from wattline.wire.http import Whole
from wattline.wire.sse import event

_SHORT: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.INVALID_REQUEST: "Bad request",
        Kind.AUTHENTICATION: "Invalid token",
        Kind.PERMISSION: "Forbidden",
        Kind.NOT_FOUND: "Not found",
        Kind.TOO_LARGE: "Request too large",
        Kind.RATE_LIMIT: "Rate limit exceeded",
        Kind.INSUFFICIENT_BALANCE: "Insufficient balance",
        Kind.UNAVAILABLE: "Service unavailable",
        Kind.INTERNAL: "Server error",
    }
)


def error(fault: Fault, call_id: str) -> Whole:
    """A fault as a whole answer, with the headers of every dialect of ours."""
    whole = openai_error(fault, call_id)
    return Whole(whole.status, whole.headers, dumps(_body(fault)))


def stream_error(fault: Fault) -> bytes:
    """A fault as the last event of a stream. No end marker follows: the answer is not complete."""
    return event(dumps(_body(fault)))


def _body(fault: Fault) -> dict[str, Any]:
    # That no provider answered is told with the reasons.
    short = _SHORT.get(fault.kind, fault.message)
    found = {"error": short, "message": fault.message, "status": "error", "code": fault.code}
    return found if fault.param is None else found | {"param": fault.param}
