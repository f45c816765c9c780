"""Reading requests, and refusing bad ones in OpenAI's words and codes.

A field that is null counts as absent, as it does there. Fields that the demo provider does not know
are let pass: providers add new ones every month.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_SHOWN = 40


class Refused(Exception):
    """The request is answered with an error. `code` and `param` are as in OpenAI's error object."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param
        self.code = code


class Fields:
    """The fields of one JSON object; `place` is the path to it, for errors."""

    def __init__(self, values: Mapping[str, Any], place: str = "") -> None:
        self._values = values
        self._place = place

    def name(self, field: str) -> str:
        """A field's full path, such as `messages[0].role`."""
        return f"{self._place}.{field}" if self._place else field

    def get(self, field: str) -> Any:
        """A field as it is; None when absent."""
        return self._values.get(field)

    def need(self, field: str) -> Any:
        """A field that must be there."""
        value = self._values.get(field)
        if value is None:
            raise Refused(
                f"Missing required parameter: '{self.name(field)}'.",
                param=self.name(field),
                code="missing_required_parameter",
            )
        return value

    def text(self, field: str, *, required: bool = False) -> str | None:
        """A text."""
        value = self.need(field) if required else self.get(field)
        if value is not None and not isinstance(value, str):
            raise self.wrong_type(field, "a string")
        return value

    def flag(self, field: str) -> bool:
        """A boolean; absent is false."""
        value = self.get(field)
        if value is not None and not isinstance(value, bool):
            raise self.wrong_type(field, "a boolean")
        return value is True

    def integer(self, field: str, low: int, high: int | None = None) -> int | None:
        """A whole number from `low` to `high`."""
        value = self.get(field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong_type(field, "an integer")
        self._bounds(field, "integer", value, low, high)
        return value

    def number(self, field: str, low: float, high: float) -> float | None:
        """A number from `low` to `high`."""
        value = self.get(field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong_type(field, "a decimal")
        self._bounds(field, "decimal", value, low, high)
        return float(value)

    def one_of(self, field: str, allowed: Sequence[str], *, required: bool = False) -> str | None:
        """A text that is one of `allowed`."""
        value = self.text(field, required=required)
        if value is not None and value not in allowed:
            names = ", ".join(f"'{name}'" for name in allowed)
            raise Refused(
                f"Invalid value: '{value[:_SHOWN]}'. Supported values are: {names}.",
                param=self.name(field),
                code="invalid_value",
            )
        return value

    def object(self, field: str) -> Fields | None:
        """An object."""
        value = self.get(field)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong_type(field, "an object")
        return Fields(value, self.name(field))

    def objects(self, field: str, *, required: bool = False) -> list[Fields]:
        """An array of objects; with `required`, at least one."""
        values = self.need(field) if required else self.get(field)
        if values is None:
            return []
        if not isinstance(values, list):
            raise self.wrong_type(field, "an array of objects")
        if required and not values:
            raise self.empty(field)
        name = self.name(field)
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                raise Fields({name: value}).wrong_type(name, "an object", f"{name}[{index}]")
        return [Fields(value, f"{name}[{index}]") for index, value in enumerate(values)]

    def empty(self, field: str) -> Refused:
        """The refusal of an empty array."""
        name = self.name(field)
        return Refused(
            f"Invalid '{name}': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead.",
            param=name,
            code="empty_array",
        )

    def too_long(self, field: str, most: int, length: int) -> Refused:
        """The refusal of an array of more than `most`."""
        name = self.name(field)
        return Refused(
            f"Invalid '{name}': array too long. Expected an array with maximum length {most}, but "
            f"got an array with length {length} instead.",
            param=name,
            code="array_above_max_length",
        )

    def wrong_type(self, field: str, wanted: str, place: str | None = None) -> Refused:
        """The refusal of a value that is not `wanted`; `place` names it if not the field."""
        name = place or self.name(field)
        got = _type_name(self._values.get(field))
        return Refused(
            f"Invalid type for '{name}': expected {wanted}, but got {got} instead.",
            param=name,
            code="invalid_type",
        )

    def _bounds(self, field: str, kind: str, value: float, low: float, high: float | None) -> None:
        name = self.name(field)
        if value < low:
            raise Refused(
                f"Invalid '{name}': {kind} below minimum value. Expected a value >= {low}, but got "
                f"{_short(value)} instead.",
                param=name,
                code=f"{kind}_below_min_value",
            )
        if high is not None and value > high:
            raise Refused(
                f"Invalid '{name}': {kind} above maximum value. Expected a value <= {high}, but got "
                f"{_short(value)} instead.",
                param=name,
                code=f"{kind}_above_max_value",
            )


def _short(value: float) -> str:
    return f"{value:g}" if abs(value) < 10**15 else "a huge number"


def _type_name(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string"}
    names |= {list: "an array", dict: "an object"}
    return names.get(type(value), "something else")
