"""Faults in the shape of Google's errors (google.rpc.Status in JSON)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.base.errors import Fault, Kind
from wattline.dialects.fault_headers import fault_headers, retry_seconds
from wattline.wire.http import Whole
from wattline.wire.sse import event

_STATUSES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.INVALID_REQUEST: "INVALID_ARGUMENT",
        Kind.AUTHENTICATION: "UNAUTHENTICATED",
        Kind.PERMISSION: "PERMISSION_DENIED",
        Kind.NOT_FOUND: "NOT_FOUND",
        Kind.TOO_LARGE: "INVALID_ARGUMENT",
        Kind.RATE_LIMIT: "RESOURCE_EXHAUSTED",
        Kind.INSUFFICIENT_BALANCE: "RESOURCE_EXHAUSTED",
        Kind.UPSTREAM: "UNAVAILABLE",
        Kind.UNAVAILABLE: "UNAVAILABLE",
        Kind.INTERNAL: "INTERNAL",
    }
)
"""Words of google.rpc.Code."""

_TYPE = "type.googleapis.com/google.rpc."
_DOMAIN = "wattline"


def error(fault: Fault, call_id: str) -> Whole:
    """A fault as a whole answer."""
    headers = fault_headers(fault, "x-request-id", call_id=call_id)
    body = json.dumps({"error": _object(fault, call_id)}).encode()
    return Whole(fault.status, headers, body)


def stream_error(fault: Fault, call_id: str) -> bytes:
    """A fault as the last event of a stream: SDKs know it by its first member, `error`."""
    return event(json.dumps({"error": _object(fault, call_id)}).encode())


def _object(fault: Fault, call_id: str) -> dict[str, Any]:
    return {
        "code": fault.status,
        "message": fault.message,
        "status": "DEADLINE_EXCEEDED" if fault.status == 504 else _STATUSES[fault.kind],
        "details": _details(fault, call_id),
    }


def _details(fault: Fault, call_id: str) -> list[dict[str, Any]]:
    """google.rpc.ErrorInfo always, BadRequest and RetryInfo where they say something."""
    info = {"@type": _TYPE + "ErrorInfo", "reason": fault.code.upper(), "domain": _DOMAIN}
    details: list[dict[str, Any]] = [info | {"metadata": {"requestId": call_id}}]
    if fault.param is not None:
        violation = {"field": fault.param, "description": fault.message}
        details.append({"@type": _TYPE + "BadRequest", "fieldViolations": [violation]})
    seconds = retry_seconds(fault)
    if seconds is not None:
        details.append({"@type": _TYPE + "RetryInfo", "retryDelay": f"{math.ceil(seconds)}s"})
    return details
