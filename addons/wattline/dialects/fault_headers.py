"""Headers of a fault that is a whole answer: they are the same in the dialects whose clients read them."""

from __future__ import annotations

import math

from wattline.base.errors import Fault, Kind, Whose

_SERVER_ERRORS = 500


def fault_headers(fault: Fault, *ids: str, call_id: str) -> tuple[tuple[str, str], ...]:
    """`ids` are the names of the headers that hold the call's id, if it has one."""
    headers = [("content-type", "application/json"), ("x-wattline-fault", _whose(fault).value)]
    if call_id:
        headers += [(name, call_id) for name in ids]
    if fault.kind is Kind.AUTHENTICATION and fault.status == 401:
        headers.append(("www-authenticate", "Bearer"))
    if allow := getattr(fault, "allow", ()):
        headers.append(("allow", ", ".join(allow)))
    return (*headers, *_retry(fault))


def retry_seconds(fault: Fault) -> float | None:
    """After how many seconds to try again; None where that is not known."""
    seconds = fault.retry_after
    return max(0.0, seconds) if seconds is not None and math.isfinite(seconds) else None


def _whose(fault: Fault) -> Whose:
    by_status = Whose.CLIENT if fault.status < _SERVER_ERRORS else Whose.OURS
    return getattr(fault, "whose", by_status)


def _retry(fault: Fault) -> list[tuple[str, str]]:
    """`retry-after` in whole seconds, rounded up; SDKs read the milliseconds first."""
    headers = []
    seconds = retry_seconds(fault)
    if seconds is not None:
        headers = [
            ("retry-after", str(math.ceil(seconds))),
            ("retry-after-ms", str(math.ceil(seconds * 1000))),
        ]
    if fault.should_retry is not None:
        headers.append(("x-should-retry", "true" if fault.should_retry else "false"))
    return headers
