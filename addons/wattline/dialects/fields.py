"""Typed reading of a request's fields: each mistake names the field, and what to send instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from wattline.base.errors import ClientFault

MAX_NAME = 256
"""Characters of a model's or a user's name."""
MAX_COUNT = 1_000_000_000

type Fields = Mapping[str, Any]


def wrong(param: str, message: str, code: str = "invalid_type") -> NoReturn:
    """Refuse a field."""
    raise ClientFault(message, code=code, param=param)


def required(fields: Fields, key: str) -> Any:
    """The value of a field that must be there and not be null."""
    value = fields.get(key)
    if value is None:
        wrong(key, f"'{key}' is missing. Add it to the body.", "missing_required_parameter")
    return value


def name(fields: Fields, key: str, default: str | None = None) -> str:
    """A printable, non-empty text of at most MAX_NAME characters."""
    value = fields.get(key, default)
    if value is None:
        value = required(fields, key)
    if not isinstance(value, str):
        wrong(key, f"'{key}' must be a string, not {kind(value)}.")
    if not value or len(value) > MAX_NAME or not value.isprintable():
        wrong(
            key,
            f"'{key}' must have 1 to {MAX_NAME} characters, all of them printable.",
            "invalid_value",
        )
    return value


def optional_name(fields: Fields, key: str) -> str | None:
    """Like `name`; None when it is missing, null or empty."""
    return name(fields, key) if fields.get(key) not in (None, "") else None


def flag(fields: Fields, key: str) -> bool:
    """A boolean; False when it is missing or null."""
    value = fields.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        wrong(key, f"'{key}' must be true or false, not {kind(value)}.")
    return value


def count(fields: Fields, key: str) -> int | None:
    """A positive integer; None when it is missing or null."""
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        wrong(key, f"'{key}' must be an integer, not {kind(value)}.")
    if not 1 <= value <= MAX_COUNT:
        wrong(key, f"'{key}' must be from 1 to {MAX_COUNT}.", "invalid_value")
    return value


def number(fields: Fields, key: str, low: float, high: float) -> None:
    """Check a number, when it is there, for its type and range."""
    value = fields.get(key)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        wrong(key, f"'{key}' must be a number, not {kind(value)}.")
    if not low <= value <= high:
        wrong(key, f"'{key}' must be from {low:g} to {high:g}.", "invalid_value")


def items(fields: Fields, key: str) -> list[Any]:
    """A list; an empty one when it is missing or null."""
    value = fields.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        wrong(key, f"'{key}' must be an array, not {kind(value)}.")
    return value


def kind(value: Any) -> str:
    """The JSON type of a value, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
