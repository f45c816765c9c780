"""Faults in the shape of OpenAI's errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.base.errors import Fault, Kind
from wattline.dialects.fault_headers import fault_headers
from wattline.wire.call import Operation
from wattline.wire.http import Whole
from wattline.wire.sse import event

_TYPES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.INVALID_REQUEST: "invalid_request_error",
        Kind.AUTHENTICATION: "authentication_error",
        Kind.PERMISSION: "permission_error",
        Kind.NOT_FOUND: "not_found_error",
        Kind.TOO_LARGE: "invalid_request_error",
        Kind.RATE_LIMIT: "requests",
        Kind.INSUFFICIENT_BALANCE: "insufficient_quota",
        Kind.UPSTREAM: "server_error",
        Kind.UNAVAILABLE: "server_error",
        Kind.INTERNAL: "server_error",
    }
)


_CHUNKED = (Operation.CHAT, Operation.COMPLETION)


def error(fault: Fault, call_id: str) -> Whole:
    """A fault as a whole answer: OpenAI's object, and beside it the flat members of A-155."""
    body = {"error": describe(fault), "message": fault.message, "status": "error"}
    headers = fault_headers(fault, "x-request-id", call_id=call_id)
    return Whole(fault.status, headers, json.dumps(body).encode())


def stream_error(fault: Fault, operation: Operation) -> bytes:
    """A fault as the last event of a stream. No end marker follows: the answer is not complete."""
    found = describe(fault)
    if operation in _CHUNKED:
        return event(json.dumps({"error": found}).encode())
    typed = {"type": "error", **{key: found[key] for key in ("code", "message", "param")}}
    return event(json.dumps(typed | {"sequence_number": 0, "error": found}).encode(), "error")


def describe(fault: Fault) -> dict[str, Any]:
    """The `error` member."""
    return {
        "message": fault.message,
        "type": _TYPES[fault.kind],
        "param": fault.param,
        "code": fault.code,
    }
