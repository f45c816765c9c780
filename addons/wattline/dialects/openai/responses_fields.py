"""Typed reading of what stands deep in a Responses request: each mistake names its full path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from wattline.dialects.fields import kind, wrong

type Item = Mapping[str, Any]


def expect(at: str, expected: str, value: Any) -> NoReturn:
    """Refuse `value`, which stands at the path `at` and is not what is `expected` there."""
    if value is None:
        wrong(at, f"'{at}' is missing. It must be {expected}.", "missing_required_parameter")
    wrong(at, f"'{at}' must be {expected}, not {kind(value)}.")


def choose(at: str, value: Any, allowed: frozenset[str]) -> str:
    """One of some words."""
    if not isinstance(value, str):
        expect(at, "a string", value)
    if value not in allowed:
        wrong(at, f"'{at}' must be one of {', '.join(sorted(allowed))}.", "invalid_value")
    return value


def text(item: Item, key: str, at: str) -> str:
    """A text that must be there; it may be empty."""
    value = item.get(key)
    if not isinstance(value, str):
        expect(join(at, key), "a string", value)
    return value


def optional_text(item: Item, key: str, at: str) -> str | None:
    """A text; None when it is missing or null."""
    return None if item.get(key) is None else text(item, key, at)


def optional_flag(item: Item, key: str, at: str) -> bool | None:
    """A boolean; None when it is missing or null."""
    value = item.get(key)
    if value is not None and not isinstance(value, bool):
        expect(join(at, key), "true or false", value)
    return value


def optional_object(item: Item, key: str, at: str) -> Item | None:
    """An object; None when it is missing or null."""
    value = item.get(key)
    if value is not None and not isinstance(value, dict):
        expect(join(at, key), "an object", value)
    return value


def objects(item: Item, key: str, at: str) -> list[tuple[str, Item]]:
    """The objects of an array, each with its path; none when the array is missing or null."""
    value = item.get(key)
    if value is None:
        return []
    where = join(at, key)
    if not isinstance(value, list):
        expect(where, "an array", value)
    found: list[tuple[str, Item]] = []
    for index, one in enumerate(value):
        if not isinstance(one, dict):
            expect(f"{where}[{index}]", "an object", one)
        found.append((f"{where}[{index}]", one))
    return found


def join(at: str, key: str) -> str:
    """The path of a member."""
    return f"{at}.{key}" if at else key
