"""Token counts of chat answers, with what was read from and written to a provider's cache."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wattline.dialects.openai.usage import Count, read_usage
from wattline.wire.usage import MAX_TOKENS, Usage


def read_counts(value: Any) -> Count:
    """The counts in a parsed `usage`. Cached tokens stand in `prompt_tokens_details`, with DeepSeek in
    `prompt_cache_hit_tokens`, with Moonshot in `cached_tokens`; OpenAI and OpenRouter tell those written
    to the cache as `cache_write_tokens`.
    """
    found = read_usage(value)
    if found.usage is None or not isinstance(value, dict):
        return found
    usage = found.usage
    details = value.get("prompt_tokens_details")
    said = details.get("cache_write_tokens") if isinstance(details, dict) else None
    elsewhere = value.get("prompt_cache_hit_tokens", value.get("cached_tokens"))
    if not (_sound(said) and _sound(elsewhere)):
        return Count(bad=True)
    if said or (elsewhere and not usage.cached):
        cached = usage.cached or min(elsewhere or 0, usage.prompt)
        usage = replace(usage, cached=cached, written=min(said or 0, usage.prompt - cached))
    return Count(usage)


def _sound(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value <= MAX_TOKENS)


def write_counts(usage: Usage) -> dict[str, Any]:
    """A `usage` member."""
    found: dict[str, Any] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
    }
    if usage.cached or usage.written:
        found["prompt_tokens_details"] = {"cached_tokens": usage.cached} | (
            {"cache_write_tokens": usage.written} if usage.written else {}
        )
    if usage.reasoning:
        found["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return found
