"""MP3, FLAC and MP4, read by tinytag: their headers, no tags, nothing else of the file."""

from __future__ import annotations

from fractions import Fraction
from typing import BinaryIO, cast

from tinytag import TinyTag, TinyTagException

from wattline.wire.audio.excerpt import Excerpt

_DENOMINATOR = 1_000_000
"""Larger than any sample rate or time scale, so that the exact quotient is found again in a float."""


def tagged_seconds(file: Excerpt) -> Fraction | None:
    """Seconds; None when they are not to be found. Raises Exhausted, OSError."""
    try:
        found = TinyTag.get(file_obj=cast("BinaryIO", file), tags=False).duration
    except TinyTagException:
        return None
    if found is None or not 0 < found < float("inf"):
        return None
    return Fraction(found).limit_denominator(_DENOMINATOR)
