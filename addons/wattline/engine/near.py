"""Names that look like a name that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SHOWN = 3
COMPARED = 256
"""Comparing costs about 10 µs a name, and anybody may ask for names that don't exist."""
LONGEST = 80


def near(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Up to three of `names`, the likeliest first."""
    if len(name) > LONGEST:
        return ()
    lengths = sorted(names, key=lambda known: (abs(len(known) - len(name)), known))[:COMPARED]
    by_fold = {known.casefold(): known for known in reversed(lengths)}
    found = get_close_matches(name.casefold(), by_fold, n=SHOWN, cutoff=0.6)
    return tuple(by_fold[fold] for fold in found)


def quoted(name: str) -> str:
    """A name from a client, fit for one line of text."""
    return repr(name) if len(name) <= LONGEST else f"{name[:LONGEST]!r}…"
