"""Faults in the shape of Anthropic's errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.base.errors import Fault, Kind
from wattline.dialects.fault_headers import fault_headers
from wattline.wire.http import Whole
from wattline.wire.sse import event

_TYPES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.INVALID_REQUEST: "invalid_request_error",
        Kind.AUTHENTICATION: "authentication_error",
        Kind.PERMISSION: "permission_error",
        Kind.NOT_FOUND: "not_found_error",
        Kind.TOO_LARGE: "request_too_large",
        Kind.RATE_LIMIT: "rate_limit_error",
        Kind.INSUFFICIENT_BALANCE: "billing_error",
        Kind.UPSTREAM: "api_error",
        Kind.UNAVAILABLE: "overloaded_error",
        Kind.INTERNAL: "api_error",
    }
)
"""`overloaded_error` keeps our status (503): SDKs retry it like Anthropic's own 529."""

LOST_THREAD = "the conversation that 'thread' continues is held by another provider"
_NO_THREAD = re.compile(r"has no counterpart for (?:[^;]*, )?thread\b")


def error(fault: Fault, call_id: str) -> Whole:
    """A fault as a whole answer."""
    headers = fault_headers(fault, "request-id", "x-request-id", call_id=call_id)
    return Whole(fault.status, headers, _body(fault, call_id))


def stream_error(fault: Fault, call_id: str) -> bytes:
    """A fault as the last event of a stream. No `message_stop` follows: the answer is not complete."""
    return event(_body(fault, call_id), "error")


def _body(fault: Fault, call_id: str) -> bytes:
    """Anthropic's object. `code` and `param` are our own, for programs; SDKs let them pass."""
    inner: dict[str, Any] = {
        "type": _TYPES[fault.kind],
        "message": fault.message,
        "code": fault.code,
    }
    if fault.param is not None:
        inner["param"] = fault.param
    if fault.code == "unsupported_by_target" and (details := _thread(fault.message)) is not None:
        inner["details"] = details
    return json.dumps({"type": "error", "error": inner, "request_id": call_id or None}).encode()


def _thread(message: str) -> dict[str, Any] | None:
    """A conversation that Anthropic was to hold can't be held by others. By these words its SDK knows that
    it must send the whole conversation, without `thread`.
    """
    if LOST_THREAD in message:
        return {"error_code": "thread_not_found"}
    if _NO_THREAD.search(message) is None:
        return None
    return {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
