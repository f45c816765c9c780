"""How long an upstream asks to wait (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from wattline.wire.http import Headers

_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{0,20})?")
LONGEST_DATE = 64
"""Characters; the longest form of an HTTP date has half as many."""


def retry_after(headers: Headers, wall: float, cap: float) -> float | None:
    """Seconds, at most `cap`; None when the headers don't say, or say what can't be read.

    `retry-after-ms` (milliseconds; OpenAI and Azure send it) is finer and wins over `retry-after`
    (seconds, or a date, whose distance to `wall` counts; a date that has passed is 0).
    """
    fine = _first(headers, "retry-after-ms")
    if fine is not None and _NUMBER.fullmatch(fine):
        return min(float(fine) / 1000, cap)
    text = _first(headers, "retry-after")
    if text is None:
        return None
    if _NUMBER.fullmatch(text):
        return min(float(text), cap)
    moment = _date(text)
    return None if moment is None else min(max(moment - wall, 0.0), cap)


def _first(headers: Headers, wanted: str) -> str | None:
    return next((value.strip() for name, value in headers if name == wanted), None)


def _date(text: str) -> float | None:
    """Seconds since 1970. A date without a zone is UTC, as HTTP's dates are."""
    if len(text) > LONGEST_DATE:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
