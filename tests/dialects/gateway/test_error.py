"""A gateway's errors."""

from __future__ import annotations

import json

import pytest

from kit.gateway_calls import DIALECT
from wattline.base.errors import ClientFault, Fault, Kind, OurFault, UpstreamFault


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        (ClientFault("x", status=401, kind=Kind.AUTHENTICATION), 401, "authentication_error"),
        (ClientFault("x", status=403, kind=Kind.PERMISSION), 403, "authorization_error"),
        (ClientFault("x"), 400, "validation_error"),
        (ClientFault("x", status=404, kind=Kind.NOT_FOUND), 404, "validation_error"),
        (ClientFault("x", status=413, kind=Kind.TOO_LARGE), 413, "validation_error"),
        (ClientFault("x", status=429, kind=Kind.RATE_LIMIT), 429, "rate_limit_error"),
        (UpstreamFault("x", status=500, code="all_providers_failed"), 500, "provider_error"),
        (
            OurFault("x", status=503, code="no_provider", kind=Kind.UNAVAILABLE),
            503,
            "provider_error",
        ),
        (OurFault("x", status=503, kind=Kind.UNAVAILABLE), 503, "internal_error"),
        (OurFault("x"), 500, "internal_error"),
    ],
)
def test_types(fault: Fault, status: int, kind: str) -> None:
    """E-111."""
    whole = DIALECT.error(fault, "req_abc123")
    assert whole.status == status
    error = json.loads(whole.body)["error"]
    assert list(error) == ["type", "message", "details", "trace_id"]
    assert (error["type"], error["message"], error["trace_id"]) == (kind, "x", "req_abc123")
    assert ("content-type", "application/json") in whole.headers


def test_details() -> None:
    """E-110, E-084: details {provider, model, available_models} and {field, message}."""
    fault = ClientFault("no", code="model_not_found", param="model")
    fault.details = {"provider": "anthropic", "model": "m", "available_models": ["a"]}
    assert json.loads(DIALECT.error(fault, "r").body)["error"]["details"] == {
        "provider": "anthropic",
        "model": "m",
        "available_models": ["a"],
        "code": "model_not_found",
        "field": "model",
        "message": "no",
    }


def test_the_error_of_a_stream() -> None:
    raw = DIALECT.stream_error(UpstreamFault("broke", code="upstream_broke_off"), "r")
    assert raw.startswith(b"data: ")
    assert raw.endswith(b"\n\n")
    assert json.loads(raw[6:])["error"]["type"] == "provider_error"
