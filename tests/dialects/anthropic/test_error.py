"""Faults as Anthropic's clients expect them."""

from __future__ import annotations

import json

import pytest

from kit.anthropic_calls import DIALECT
from wattline.base.errors import ClientFault, Fault, Kind, OurFault, UpstreamFault
from wattline.dialects.anthropic.error import LOST_THREAD

ERROR_TYPES = {
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


@pytest.mark.parametrize("kind", Kind)
def test_types_by_kind(kind: Kind) -> None:
    fault = Fault("No.", status=418, code="c", kind=kind)
    whole = DIALECT.error(fault, "req_1")
    assert whole.status == 418
    assert json.loads(whole.body) == {
        "type": "error",
        "error": {"type": ERROR_TYPES[kind], "message": "No.", "code": "c"},
        "request_id": "req_1",
    }


def test_headers() -> None:
    fault = UpstreamFault("Down.", code="down", status=503, retry_after=1.2, should_retry=False)
    assert dict(DIALECT.error(fault, "req_1").headers) == {
        "content-type": "application/json",
        "x-wattline-fault": "upstream",
        "request-id": "req_1",
        "x-request-id": "req_1",
        "retry-after": "2",
        "retry-after-ms": "1200",
        "x-should-retry": "false",
    }
    key = ClientFault("Key?", status=401, kind=Kind.AUTHENTICATION)
    assert dict(DIALECT.error(key, "").headers) == {
        "content-type": "application/json",
        "x-wattline-fault": "client",
        "www-authenticate": "Bearer",
    }
    assert ("x-wattline-fault", "ours") in DIALECT.error(OurFault("Bug."), "r").headers


def test_the_field_at_fault_is_named() -> None:
    whole = DIALECT.error(ClientFault("Bad.", param="messages[0].role"), "")
    assert json.loads(whole.body)["error"]["param"] == "messages[0].role"
    assert json.loads(whole.body)["request_id"] is None


def test_an_error_as_a_streams_last_event() -> None:
    raw = DIALECT.stream_error(UpstreamFault("Cut.", code="cut"), "req_1")
    assert raw.startswith(b"event: error\ndata: ")
    assert raw.endswith(b"\n\n")
    value = json.loads(raw.split(b"data: ")[1])
    assert value["type"] == "error"
    assert value["error"]["type"] == "api_error"
    assert value["request_id"] == "req_1"


@pytest.mark.parametrize(
    ("message", "details"),
    [
        (
            "openai has no counterpart for thread. Leave it out.",
            {"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
        ),
        (
            "openai has no counterpart for container, thread; x has no counterpart for top_k.",
            {"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
        ),
        (f"Nobody can: {LOST_THREAD}.", {"error_code": "thread_not_found"}),
        ("openai has no counterpart for threads, top_k.", None),
    ],
)
def test_a_held_conversation_is_refused_in_the_sdks_words(message: str, details: object) -> None:
    fault = ClientFault(message, code="unsupported_by_target")
    error = json.loads(DIALECT.error(fault, "req_1").body)["error"]
    assert error.get("details") == details
