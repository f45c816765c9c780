"""Transcripts: their length as the provider tells it, and what A-031 promises beside the text."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from wattline.base.json_members import members
from wattline.dialects.openai.stream import lenient
from wattline.dialects.splice import dumps, edit

MAX_SECONDS = 10_000_000
"""Some 115 days; a provider that tells more is not believed."""
_DIGITS = 32
"""Of a number in a string; older answers have it so (`"duration": "8.47"`)."""


def told_seconds(body: bytes) -> Fraction | None:
    """Seconds of the recording as a whole answer tells them: `duration`, or else `usage.seconds`, which
    is rounded up. None when it tells none that can be true.
    """
    answer = lenient(body)
    if answer is None:
        return None
    told = _seconds(answer.get("duration"))
    usage = answer.get("usage")
    if told is None and isinstance(usage, dict) and usage.get("type") == "duration":
        told = _seconds(usage.get("seconds"))
    return told


def _seconds(value: Any) -> Fraction | None:
    """A decimal number as it was written: 2.2 is 22/10, although no float is."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int):
        return Fraction(value) if 0 <= value <= MAX_SECONDS else None
    try:
        number = float(value)
        if not math.isfinite(number) or not 0 <= number <= MAX_SECONDS or len(str(value)) > _DIGITS:
            return None
        return Fraction(str(value).strip())
    except (ValueError, ArithmeticError):
        return None


def with_facts(body: bytes, seconds: Fraction | None, language: str | None) -> bytes:
    """The answer with `duration` (seconds) and `language` where it has none and they are known; every
    other byte stays. What is no JSON object with a text (a transcript as text or subtitles) stays.
    """
    found = members(body)
    keys = {member.key for member in found or ()}
    if found is None or "text" not in keys:
        return body
    changes: dict[str, bytes | None] = {}
    if seconds is not None and "duration" not in keys:
        changes["duration"] = dumps(round(float(seconds), 6))
    if language and "language" not in keys:
        changes["language"] = dumps(language)
    return edit(body, changes, found)
