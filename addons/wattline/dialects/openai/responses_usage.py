"""Token counts of the Responses API. Its input includes what was read from a cache and written to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wattline.dialects.openai.usage import BAD, Count, read_usage
from wattline.wire.usage import Usage


def read_counts(value: Any) -> Count:
    """The counts in a parsed `usage`, those written into a cache included."""
    count = read_usage(value)
    details = value.get("input_tokens_details") if count.usage is not None else None
    written = details.get("cache_write_tokens") if isinstance(details, dict) else None
    if count.usage is None or written is None:
        return count
    if isinstance(written, bool) or not isinstance(written, int) or written < 0:
        return BAD
    return Count(
        replace(count.usage, written=min(written, count.usage.prompt - count.usage.cached))
    )


def write_counts(usage: Usage | None) -> dict[str, Any] | None:
    """A `usage` member; null when there is none."""
    if usage is None:
        return None
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.written,
        },
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }
