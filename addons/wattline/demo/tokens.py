"""The demo provider's tokens: four characters each, the last one maybe fewer."""

from __future__ import annotations

WIDTH = 4


def count(text: str) -> int:
    """How many tokens a text has."""
    return -(-len(text) // WIDTH)


def split(text: str) -> list[str]:
    """The tokens of a text, in order; together they are the text."""
    return [text[start : start + WIDTH] for start in range(0, len(text), WIDTH)]
