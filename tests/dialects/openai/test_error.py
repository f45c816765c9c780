"""Faults as OpenAI's clients read them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from kit.openai_calls import DIALECT
from wattline.base.errors import ClientFault, Fault, Kind, OurFault, UpstreamFault
from wattline.wire.call import Operation
from wattline.wire.sse import data, event_name


def shown(fault: Fault) -> tuple[dict[str, Any], dict[str, str]]:
    whole = DIALECT.error(fault, "req_1")
    assert whole.status == fault.status
    return json.loads(whole.body), dict(whole.headers)


def test_the_body_has_openais_object_and_the_flat_members() -> None:
    """A-155 and decision 12."""
    body, headers = shown(
        ClientFault("'model' is missing.", code="missing_required_parameter", param="model")
    )
    assert body == {
        "error": {
            "message": "'model' is missing.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "missing_required_parameter",
        },
        "message": "'model' is missing.",
        "status": "error",
    }
    assert headers == {
        "content-type": "application/json",
        "x-wattline-fault": "client",
        "x-request-id": "req_1",
    }


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_has_a_type(kind: Kind) -> None:
    body, _ = shown(ClientFault("x", kind=kind))
    assert body["error"]["type"] in {
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "not_found_error",
        "requests",
        "insufficient_quota",
        "server_error",
    }


def test_whose_fault_it_is() -> None:
    assert shown(UpstreamFault("x", code="http_503"))[1]["x-wattline-fault"] == "upstream"
    assert shown(OurFault("x"))[1]["x-wattline-fault"] == "ours"
    base = Fault("x", status=429, code="insufficient_balance", kind=Kind.INSUFFICIENT_BALANCE)
    body, headers = shown(base)
    assert headers["x-wattline-fault"] == "client"
    assert body["error"]["code"] == "insufficient_balance"


@pytest.mark.parametrize(
    ("seconds", "whole", "milliseconds"),
    [
        (0.2, "1", "200"),
        (1.0, "1", "1000"),
        (59.0001, "60", "59001"),
        (0.0, "0", "0"),
        (-5.0, "0", "0"),
    ],
)
def test_retry_after_is_rounded_up(seconds: float, whole: str, milliseconds: str) -> None:
    _, headers = shown(ClientFault("x", status=429, kind=Kind.RATE_LIMIT, retry_after=seconds))
    assert (headers["retry-after"], headers["retry-after-ms"]) == (whole, milliseconds)


@pytest.mark.parametrize("seconds", [None, math.inf, math.nan])
def test_no_retry_after_where_none_is_known(seconds: float | None) -> None:
    _, headers = shown(ClientFault("x", status=429, retry_after=seconds))
    assert "retry-after" not in headers


def test_should_retry() -> None:
    assert shown(UpstreamFault("x", code="c", should_retry=False))[1]["x-should-retry"] == "false"
    assert shown(UpstreamFault("x", code="c", should_retry=True))[1]["x-should-retry"] == "true"
    assert "x-should-retry" not in shown(OurFault("x"))[1]
    unknown_key = ClientFault("x", status=401, kind=Kind.AUTHENTICATION)
    assert shown(unknown_key)[1]["www-authenticate"] == "Bearer"


def test_an_error_in_a_stream_comes_without_an_end_marker() -> None:
    """A-060: no fake `[DONE]`."""
    fault = UpstreamFault("It broke\noff.", code="upstream_broke_off")
    raw = DIALECT.stream_error(fault, "req_1")
    assert raw.startswith(b'data: {"error":')
    assert raw.endswith(b"}\n\n")
    assert b"[DONE]" not in raw
    assert json.loads(data(raw) or b"")["error"]["code"] == "upstream_broke_off"
    typed = DIALECT.stream_error(fault, "req_1", Operation.RESPONSES)
    assert event_name(typed) == "error"
    value = json.loads(data(typed) or b"")
    assert (value["type"], value["message"]) == ("error", "It broke\noff.")
    assert value["error"]["code"] == value["code"] == "upstream_broke_off"
