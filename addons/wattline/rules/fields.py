"""The kinds of values that rules.yaml knows: strict, bounded, and none that is read and then ignored."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    WithJsonSchema,
)

from wattline.base.amounts import MICRO
from wattline.base.numeral import Numeral
from wattline.rules.addresses import read_host
from wattline.rules.references import Reference, Template, is_name, read_secret, read_template

MIB = 1024 * 1024
_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(s|m|h|d)")
_DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")
_NAME = r"[A-Za-z0-9@][A-Za-z0-9@._:+/-]{0,127}"
_SHORT_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_PATTERN_LIMIT = 256
_JSON_DEPTH = 16


class Shape(BaseModel):
    """A mapping in rules.yaml: strict, frozen, no unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, populate_by_name=True, allow_inf_nan=False
    )


def no_reference(text: str) -> str:
    """Where a reference would not be replaced it is refused."""
    if "${" in text:
        raise ValueError(
            "${…} is not replaced here: only url, key, headers and auth.keys draw on it"
        )
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("control characters are not allowed here")
    return text


def _named(pattern: str, what: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(what)
        return text

    return AfterValidator(check)


Text = Annotated[
    str,
    Field(min_length=1, max_length=512),
    AfterValidator(no_reference),
    AfterValidator(_printable),
]
"""Plain text."""

Name = Annotated[
    str,
    AfterValidator(no_reference),
    _named(_NAME, "a name has letters, digits and @._:+/- only, and at most 128 of them"),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"}),
]
"""The name of a model, entry or alias."""

ShortName = Annotated[
    str,
    AfterValidator(no_reference),
    _named(_SHORT_NAME, "a name here has letters, digits and ._- only, and at most 64 of them"),
    WithJsonSchema({"type": "string", "pattern": f"^{_SHORT_NAME}$"}),
]
"""The name of a provider, window, principal, tier or rule."""


def _variable(text: str) -> str:
    if not is_name(text):
        raise ValueError("not the name of an environment variable")
    return text


Variable = Annotated[str, AfterValidator(_variable)]
"""The name of an environment variable."""


def _template(value: object) -> Template:
    if not isinstance(value, str):
        raise ValueError("must be text, which may hold ${NAME} references")  # noqa: TRY004  (pydantic reports ValueError)
    return read_template(_printable(value))


def _secret(value: object) -> Reference:
    if not isinstance(value, str):
        raise ValueError("must be a reference such as ${NAME}")  # noqa: TRY004  (pydantic reports ValueError)
    return read_secret(value)


TemplateText = Annotated[Template, PlainValidator(_template, json_schema_input_type=str)]
"""Text with `${NAME}` references."""

Secret = Annotated[
    Reference,
    PlainValidator(_secret),
    WithJsonSchema({"type": "string", "pattern": r"^\$\{[A-Za-z0-9_|]+\}$"}),
]
"""A `${NAME}` reference, never a value."""


def exact(value: object) -> Fraction:
    """A number without rounding. A `Numeral` is taken as it is written, another float up to its 15 digits."""
    if isinstance(value, Numeral):
        text = value.text
    else:
        text = value if isinstance(value, str) else repr(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number")  # noqa: TRY004  (pydantic reports ValueError)
    if not _DECIMAL.fullmatch(text):
        raise ValueError("must be a positive number such as 1.2, without sign or exponent")
    return Fraction(text)


def _positive(value: Fraction) -> Fraction:
    if value <= 0:
        raise ValueError("must be greater than 0")
    return value


def _at_most_one(value: Fraction) -> Fraction:
    if value > 1:
        raise ValueError("must be from 0 to 1")
    return value


def _micro(value: Fraction) -> int:
    micro = value * MICRO
    if micro.denominator != 1:
        raise ValueError("energy has at most 6 digits after the point")
    return int(micro)


_NUMBER = WithJsonSchema(
    {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^[0-9.]+$"}]}
)
Share = Annotated[Fraction, PlainValidator(exact), _NUMBER]
"""A number of 0 or more, exact."""
Portion = Annotated[
    Fraction,
    PlainValidator(exact),
    AfterValidator(_at_most_one),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": r"^[0-9.]+$"},
            ]
        }
    ),
]
"""A number from 0 to 1, exact."""
Rate = Annotated[Fraction, PlainValidator(exact), AfterValidator(_positive), _NUMBER]
"""A number greater than 0, exact."""
Energy = Annotated[int, PlainValidator(lambda value: _micro(exact(value))), _NUMBER]
"""An amount of energy, held in micro-units."""


def read_duration(value: object) -> float:
    """Seconds, from a number or from one with its unit. Raises ValueError."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        seconds = float(match[1]) * _UNITS[match[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise ValueError("must be seconds, or a number with s, m, h or d such as 15m")
    if not (math.isfinite(seconds) and 0 < seconds <= 366 * 86_400):
        raise ValueError("must be more than 0 and at most 366 days")
    return seconds


Duration = Annotated[
    float,
    PlainValidator(read_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^[0-9.]+(s|m|h|d)$"},
            ]
        }
    ),
]
"""Seconds, or a number with its unit."""
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400), Strict()]
"""Seconds as a number."""


def listed(value: object) -> object:
    """One value stands for a list of one."""
    return value if isinstance(value, list) else [value]


def _pattern(text: str) -> str:
    if len(text) > _PATTERN_LIMIT:
        raise ValueError(f"a pattern has at most {_PATTERN_LIMIT} characters")
    return text


Pattern = Annotated[Text, AfterValidator(_pattern)]
"""Text with `*` and `?`."""
PatternList = Annotated[
    list[Pattern],
    Field(min_length=1),
    BeforeValidator(listed, json_schema_input_type=str | list[str]),
]
"""One pattern, or a list of which any may fit."""


def _host_pattern(text: str) -> str:
    if text.startswith("*."):
        return f"*.{read_host(text[2:])}"
    return read_host(text)


HostPattern = Annotated[str, AfterValidator(no_reference), AfterValidator(_host_pattern)]
"""A host name, or `*.suffix` for every host below it."""


def _body_fields(value: dict[str, Any]) -> dict[str, Any]:
    managed = {"model", "messages", "stream", "stream_options"}
    for name in value:
        if name in managed:
            raise ValueError(f"{name!r} is managed by wattline and can't be set here")
    _json(value, 0)
    return value


def _json(value: Any, depth: int) -> None:
    if depth > _JSON_DEPTH:
        raise ValueError(f"nested deeper than {_JSON_DEPTH} levels")
    if isinstance(value, str):
        no_reference(value)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            no_reference(name)
            _json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _json(item, depth + 1)


BodyFields = Annotated[dict[str, Any], Field(min_length=1), AfterValidator(_body_fields)]
"""Fields of a request's JSON body."""
