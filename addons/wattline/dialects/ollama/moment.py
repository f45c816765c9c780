"""Moments as Ollama writes them (RFC 3339), and as Unix seconds."""

from __future__ import annotations

from datetime import UTC, datetime


def written(seconds: int | None) -> str | None:
    """`2025-01-31T12:00:00Z`; None for what is no moment of the years 1 to 9999."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, OSError, ValueError):
        return None


def read(text: str | None) -> int | None:
    """Unix seconds; None for what is no moment."""
    if not text or len(text) > 64:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    try:
        return int(found.timestamp()) if found.year > 1 else None
    except (OverflowError, ValueError):
        return None
