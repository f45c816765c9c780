"""Typed reading of values at any place in a request: `at` is the path that a fault names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.dialects.fields import kind, wrong


def text(value: Any, at: str) -> str:
    """A string. Raises ClientFault."""
    if not isinstance(value, str):
        wrong(at, f"'{at}' must be a string, not {kind(value)}.", _code(value))
    return value


def optional_text(value: Any, at: str) -> str | None:
    """A string, or None. Raises ClientFault."""
    return None if value is None else text(value, at)


def record(value: Any, at: str) -> Mapping[str, Any]:
    """An object. Raises ClientFault."""
    if not isinstance(value, dict):
        wrong(at, f"'{at}' must be an object, not {kind(value)}.", _code(value))
    return value


def optional_record(value: Any, at: str) -> Mapping[str, Any] | None:
    """An object, or None. Raises ClientFault."""
    return None if value is None else record(value, at)


def array(value: Any, at: str) -> list[Any]:
    """An array. Raises ClientFault."""
    if not isinstance(value, list):
        wrong(at, f"'{at}' must be an array, not {kind(value)}.", _code(value))
    return value


def optional_flag(value: Any, at: str) -> bool | None:
    """A boolean, or None. Raises ClientFault."""
    if value is None or isinstance(value, bool):
        return value
    return wrong(at, f"'{at}' must be true or false, not {kind(value)}.")


def optional_whole(value: Any, at: str) -> int | None:
    """An integer of any sign, or None. Raises ClientFault."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        wrong(at, f"'{at}' must be an integer, not {kind(value)}.")
    return value


def _code(value: Any) -> str:
    return "missing_required_parameter" if value is None else "invalid_type"
