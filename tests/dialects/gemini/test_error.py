"""Faults in the shape of Google's errors."""

from __future__ import annotations

import json

import pytest

from kit.gemini_calls import DIALECT
from wattline.base.errors import ClientFault, Kind, OurFault, UpstreamFault
from wattline.wire.sse import data


def test_a_fault_of_the_client() -> None:
    fault = ClientFault("'contents' is missing.", code="missing", param="contents")
    answer = DIALECT.error(fault, "req_1")
    assert answer.status == 400
    assert dict(answer.headers) == {
        "content-type": "application/json",
        "x-wattline-fault": "client",
        "x-request-id": "req_1",
    }
    info = "type.googleapis.com/google.rpc.ErrorInfo"
    assert json.loads(answer.body) == {
        "error": {
            "code": 400,
            "message": "'contents' is missing.",
            "status": "INVALID_ARGUMENT",
            "details": [
                {
                    "@type": info,
                    "reason": "MISSING",
                    "domain": "wattline",
                    "metadata": {"requestId": "req_1"},
                },
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [
                        {"field": "contents", "description": "'contents' is missing."}
                    ],
                },
            ],
        }
    }


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [
        (Kind.INVALID_REQUEST, 400, "INVALID_ARGUMENT"),
        (Kind.AUTHENTICATION, 401, "UNAUTHENTICATED"),
        (Kind.PERMISSION, 403, "PERMISSION_DENIED"),
        (Kind.NOT_FOUND, 404, "NOT_FOUND"),
        (Kind.TOO_LARGE, 413, "INVALID_ARGUMENT"),
        (Kind.RATE_LIMIT, 429, "RESOURCE_EXHAUSTED"),
        (Kind.INSUFFICIENT_BALANCE, 402, "RESOURCE_EXHAUSTED"),
        (Kind.UPSTREAM, 502, "UNAVAILABLE"),
        (Kind.UPSTREAM, 504, "DEADLINE_EXCEEDED"),
        (Kind.UNAVAILABLE, 503, "UNAVAILABLE"),
        (Kind.INTERNAL, 500, "INTERNAL"),
    ],
)
def test_status_words(kind: Kind, status: int, word: str) -> None:
    fault = ClientFault("No.", status=status, code="c", kind=kind)
    answer = DIALECT.error(fault, "")
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"], error["status"]) == (status, status, word)
    assert ("www-authenticate" in dict(answer.headers)) is (status == 401)


def test_when_to_come_again() -> None:
    fault = OurFault(
        "Later.", status=503, kind=Kind.UNAVAILABLE, retry_after=1.2, should_retry=True
    )
    answer = DIALECT.error(fault, "req_1")
    headers = dict(answer.headers)
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("2", "1200")
    assert headers["x-should-retry"] == "true"
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"}
    assert retry in json.loads(answer.body)["error"]["details"]


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0])
def test_odd_seconds(seconds: float) -> None:
    answer = DIALECT.error(OurFault("Later.", retry_after=seconds), "req_1")
    assert dict(answer.headers).get("retry-after") in (None, "0")


def test_the_error_of_a_stream_is_known_by_its_first_member() -> None:
    raw = DIALECT.stream_error(UpstreamFault("Broke off.", code="cut"), "req_1")
    assert (data(raw) or b"").startswith(b'{"error":')
    assert raw.endswith(b"\n\n")
