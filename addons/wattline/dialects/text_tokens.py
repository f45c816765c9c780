"""How many tokens a text is: counted by a tokenizer where one is installed (`wattline[tokens]`), else by its length.

rs-bpe brings its vocabularies along and downloads nothing. `o200k_base` is that of OpenAI's newer models; other
vendors' count some tenths more or less, so that a count stays an estimate. https://pypi.org/project/rs-bpe
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, Final

ENOUGH: Final = 50_000
"""Tokens of one call after which further texts are measured by their length: counting takes time."""
LONGEST: Final = 65_536
"""Characters of one text that are counted; the rest is taken to be like them."""

type Count = Callable[[str], int]


def by_length(text: str) -> int:
    """About 4 characters a token in English, 2 in other scripts."""
    return len(text) // (4 if text.isascii() else 2) + 1


def text_tokens(text: str, so_far: int = 0, count: Count | None = None) -> int:
    """Tokens of one text of a call that has `so_far` others; at least 1. `count`: by default what is installed."""
    if count is None:
        count = installed()
    if count is None or so_far >= ENOUGH:
        return by_length(text)
    head = text[:LONGEST]
    try:
        found = count(head)
    except (UnicodeError, ValueError):  # half of a surrogate pair is no text
        return by_length(text)
    if len(head) < len(text):
        found = found * len(text) // len(head)
    return max(found, 1)


def value_tokens(value: Any) -> int:
    """About how many tokens the keys and texts in a JSON value are."""
    size = 0
    level = [value]
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                size += len(item)
            elif isinstance(item, dict):
                size += sum(map(len, item)) + 4 * len(item)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level = below
    return size // 4


@cache
def installed() -> Count | None:
    """The tokenizer of this Python, loaded when it is first asked for; None where there is none."""
    return tokenizer()


def tokenizer(find: Callable[[str], ModuleType] = import_module) -> Count | None:
    """That of rs-bpe, or None: it is not there, or not as this was written for."""
    try:
        count: Count = find("rs_bpe.bpe").openai.o200k_base().count
        return count if count("one two") > 0 else None
    except (ImportError, AttributeError, TypeError, OSError):
        return None
