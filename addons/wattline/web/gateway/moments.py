"""Moments in answers."""

from __future__ import annotations

from datetime import UTC, datetime


def precise(ms: int) -> str:
    """Milliseconds since 1970 UTC as ISO 8601 with all of them."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return "9999-12-31T23:59:59.999+00:00"
