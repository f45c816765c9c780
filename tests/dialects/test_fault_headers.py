"""Headers of faults, whatever the dialect."""

from __future__ import annotations

import pytest

from wattline.base.errors import ClientFault, Kind, OurFault, UpstreamFault
from wattline.dialects.fault_headers import fault_headers, retry_seconds


def test_the_order_and_the_names_of_ids():
    fault = ClientFault("No.", status=401, kind=Kind.AUTHENTICATION)
    assert fault_headers(fault, "request-id", "x-request-id", call_id="c1") == (
        ("content-type", "application/json"),
        ("x-wattline-fault", "client"),
        ("request-id", "c1"),
        ("x-request-id", "c1"),
        ("www-authenticate", "Bearer"),
    )


def test_a_fault_of_no_call():
    assert fault_headers(OurFault("No."), "x-request-id", call_id="") == (
        ("content-type", "application/json"),
        ("x-wattline-fault", OurFault("No.").whose.value),
    )


@pytest.mark.parametrize(
    ("after", "seconds"),
    [(1.2, 1.2), (-3.0, 0.0), (None, None), (float("nan"), None), (float("inf"), None)],
)
def test_when_to_try_again(after, seconds):
    fault = UpstreamFault("Later.", code="busy", status=503, retry_after=after)
    assert retry_seconds(fault) == seconds
    told = dict(fault_headers(fault, call_id=""))
    assert ("retry-after" in told) is ("retry-after-ms" in told) is (seconds is not None)
