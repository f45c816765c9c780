"""Which names an answer's JSON has: how we see whether a retelling left something out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

type Outline = frozenset[tuple[str, ...]]

_BESIDE: Final = frozenset(
    {
        *("id", "created", "created_at", "createTime", "responseId", "modelVersion", "object"),
        *("usage", "usageMetadata", "system_fingerprint", "service_tier", "obfuscation"),
        *("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"),
        *("prompt_eval_count", "eval_count", "x_groq", "provider", "native_finish_reason"),
        *("energy", "estimated"),
    }
)
"""Speaks of the making of an answer, not of what it says."""


def outline(body: bytes, *, stream: bool) -> Outline | None:
    """The place of each value that says something, lists and the order of things left out: `("choices",
    "message", "content")`. Of a stream all events together. None for what can't be read.
    """
    try:
        values = [json.loads(text) for text in (_events(body) if stream else [body])]
    except (ValueError, RecursionError):
        return None
    return frozenset(place for value in values for place in _places(value, ()))


def _events(body: bytes) -> Iterator[bytes]:
    """The JSON of each server-sent event, or each line."""
    for line in body.splitlines():
        text = line.removeprefix(b"data:").strip()
        named = line.startswith((b":", b"event:", b"id:", b"retry:"))
        if text and not named and text != b"[DONE]":
            yield text


def _places(value: Any, at: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in _BESIDE:
                yield from _places(item, (*at, name))
    elif isinstance(value, list):
        for item in value:
            yield from _places(item, at)
    elif value is not None and value is not False and value != "":  # 0 says something
        yield at
