"""Names that look like a name that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SHOWN = 3
LONGEST = 80
# Anybody may ask for names that don't exist, so the work is bounded: names of about the same length
# are looked at, and those that share most pairs of letters are compared.
LOOKED_AT = 256
COMPARED = 16


def near(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Up to three of `names`, the likeliest first."""
    if len(name) > LONGEST:
        return ()
    folded = name.casefold()
    pairs = _pairs(folded)
    known = sorted(names, key=lambda other: (abs(len(other) - len(name)), other))[:LOOKED_AT]
    known.sort(key=lambda other: -len(pairs & _pairs(other.casefold())))
    by_fold = {other.casefold(): other for other in reversed(known[:COMPARED])}
    found = get_close_matches(folded, by_fold, n=SHOWN, cutoff=0.6)
    return tuple(by_fold[fold] for fold in found)


def quoted(name: str) -> str:
    """A name from a client, fit for one line of text."""
    return repr(name) if len(name) <= LONGEST else f"{name[:LONGEST]!r}…"


def _pairs(name: str) -> set[str]:
    return {name[at : at + 2] for at in range(len(name) - 1)}
