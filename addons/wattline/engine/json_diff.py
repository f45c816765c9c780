"""What differs between two JSON values, by path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

MOST: Final = 100
"""Differences that are told."""
LONGEST: Final = 80
"""Characters of a text that are shown."""
DEEPEST: Final = 200
MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One place. `was` and `becomes` are shown as JSON, long or composite values by their kind; None: not there."""

    path: str
    was: str | None
    becomes: str | None


def differences(before: Any, after: Any) -> tuple[Change, ...]:
    """The first hundred, in the order of the fields. Never raises: below a depth of 200 values are compared whole."""
    return tuple(islice(_walk(before, after, "$", 0), MOST))


def _walk(before: Any, after: Any, path: str, depth: int) -> Iterator[Change]:
    if before is MISSING and isinstance(after, dict) and after:
        before = {}
    if depth < DEEPEST and isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            place = f"{path}.{key}"[: len(path) + LONGEST]
            yield from _walk(before.get(key, MISSING), after.get(key, MISSING), place, depth + 1)
    elif (
        depth < DEEPEST
        and isinstance(before, list)
        and isinstance(after, list)
        and len(before) == len(after)
    ):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _walk(one, other, f"{path}[{index}]", depth + 1)
    elif type(before) is not type(after) or before != after:
        yield Change(path, _shown(before), _shown(after))


def _shown(value: Any) -> str | None:
    """A text may be a part of a prompt: short ones only, of which names of models are most."""
    if value is MISSING:
        return None
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)[:LONGEST]
    if isinstance(value, str):
        return ascii(value) if len(value) <= LONGEST else f"a text of {len(value)} characters"
    return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
