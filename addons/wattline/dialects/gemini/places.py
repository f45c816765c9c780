"""Typed reading of values at any place of a request: `at` is the path that a fault names."""

from __future__ import annotations

from typing import Any

from wattline.dialects.fields import kind, wrong
from wattline.dialects.gemini.names import renamed


def record(value: Any, at: str) -> dict[str, Any]:
    """An object, its keys in camelCase. Raises ClientFault."""
    if not isinstance(value, dict):
        wrong(at, f"'{at}' must be an object, not {kind(value)}.", _code(value))
    return renamed(value)


def optional_record(value: Any, at: str) -> dict[str, Any]:
    """An object, its keys in camelCase; an empty one for null. Raises ClientFault."""
    return {} if value is None else record(value, at)


def array(value: Any, at: str) -> list[Any]:
    """An array; an object stands for an array of one, null for none. Raises ClientFault."""
    if value is None:
        return []
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        wrong(at, f"'{at}' must be an array, not {kind(value)}.")
    return value


def text(value: Any, at: str) -> str:
    """A string. Raises ClientFault."""
    if not isinstance(value, str):
        wrong(at, f"'{at}' must be a string, not {kind(value)}.", _code(value))
    return value


def optional_text(value: Any, at: str) -> str | None:
    """A string; None for null. Raises ClientFault."""
    return None if value is None else text(value, at)


def optional_flag(value: Any, at: str) -> bool | None:
    """A boolean; None for null. Raises ClientFault."""
    if value is not None and not isinstance(value, bool):
        wrong(at, f"'{at}' must be true or false, not {kind(value)}.")
    return value


def optional_whole(value: Any, at: str, low: int, high: int) -> int | None:
    """An integer within bounds; None for null. Raises ClientFault."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        wrong(at, f"'{at}' must be an integer, not {kind(value)}.")
    if not low <= value <= high:
        wrong(at, f"'{at}' must be from {low} to {high}.", "invalid_value")
    return int(value)


def optional_number(value: Any, at: str, low: float, high: float) -> float | None:
    """A number within bounds; None for null. Raises ClientFault."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        wrong(at, f"'{at}' must be a number, not {kind(value)}.")
    if not low <= value <= high:
        wrong(at, f"'{at}' must be from {low:g} to {high:g}.", "invalid_value")
    return value


def _code(value: Any) -> str:
    return "missing_required_parameter" if value is None else "invalid_type"
