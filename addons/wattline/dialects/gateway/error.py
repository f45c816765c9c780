"""Faults in the shape of the gateway's errors."""

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
        Kind.INVALID_REQUEST: "validation_error",
        Kind.AUTHENTICATION: "authentication_error",
        Kind.PERMISSION: "authorization_error",
        Kind.NOT_FOUND: "validation_error",
        Kind.TOO_LARGE: "validation_error",
        Kind.RATE_LIMIT: "rate_limit_error",
        Kind.INSUFFICIENT_BALANCE: "rate_limit_error",
        Kind.UPSTREAM: "provider_error",
        Kind.UNAVAILABLE: "internal_error",
        Kind.INTERNAL: "internal_error",
    }
)
_NO_PROVIDER = "no_provider"


def error(fault: Fault, call_id: str) -> Whole:
    """A fault as a whole answer, with the headers of every dialect of ours."""
    whole = openai_error(fault, call_id)
    return Whole(whole.status, whole.headers, dumps(_body(fault, call_id)))


def stream_error(fault: Fault, call_id: str) -> bytes:
    """A fault as the last event of a stream. No end marker follows: the answer is not complete."""
    return event(dumps(_body(fault, call_id)))


def _body(fault: Fault, call_id: str) -> dict[str, Any]:
    details: dict[str, Any] = {**fault.details, "code": fault.code}
    if fault.param is not None:
        details |= {"field": fault.param, "message": fault.message}
    kind = "provider_error" if fault.code == _NO_PROVIDER else _TYPES[fault.kind]
    found = {"type": kind, "message": fault.message, "details": details, "trace_id": call_id}
    return {"error": found}
