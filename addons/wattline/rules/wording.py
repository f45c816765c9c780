"""pydantic's errors in words for an operator. A value is never repeated: it might be a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from wattline.rules.problems import nearest, unknown

_CHOICE = re.compile(r"'([^']*)'|\b(\d+)\b")
_BOOLEAN_WORDS = {
    "yes": "true",
    "on": "true",
    "y": "true",
    "no": "false",
    "off": "false",
    "n": "false",
}
_NUMBER_LIKE = re.compile(r"[-+0-9][-+0-9a-fA-FxXoO_.:]*")

_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "dict_type": "a mapping (`name: value` lines)",
    "model_type": "a mapping (`name: value` lines)",
    "model_attributes_type": "a mapping (`name: value` lines)",
    "list_type": "a list",
}


def message(error: ErrorDetails, shape: type[BaseModel] | Any) -> str:
    """What to tell about one error in a value of this shape."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown("key", str(error["loc"][-1]), keys_at(shape, error["loc"][:-1]))
    if kind == "missing":
        return f"`{error['loc'][-1]}` is missing"
    if kind == "int_type" and isinstance(error["input"], float):
        return "must be a whole number"
    if kind in _WANTED:
        return f"must be {_WANTED[kind]}, not {_found(error['input'])}{_hint(kind, error['input'])}"
    if kind == "literal_error":
        words = [text or number for text, number in _CHOICE.findall(context["expected"])]
        return _choice(error["input"], words or [context["expected"]])
    if kind == "value_error":
        return str(context["error"])
    if kind in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        return _bound(kind, context)
    if kind in {"too_short", "string_too_short"}:
        return "must not be empty"
    if kind in {"too_long", "string_too_long"}:
        return f"is too long (at most {context['max_length']})"
    return error["msg"]


def _found(value: object) -> str:
    if value is None:
        return "empty"
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a mapping",
    }
    return names.get(type(value), "this")


def _hint(kind: str, value: object) -> str:
    if kind == "bool_type" and isinstance(value, str) and value.lower() in _BOOLEAN_WORDS:
        return f": write {_BOOLEAN_WORDS[value.lower()]}"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return ": quote it"
    if kind in {"int_type", "float_type"} and isinstance(value, str):
        return ": write plain digits" if _NUMBER_LIKE.fullmatch(value) else ""
    return ""


def _choice(value: object, words: Sequence[str]) -> str:
    words = ["true" if word == "True" else word for word in words]
    text = f"must be one of {', '.join(words)}" if len(words) > 1 else f"must be {words[0]}"
    if isinstance(value, str) and (meant := nearest(value, words)):
        return f"{text}. Did you mean {meant!r}?"
    return text


def _bound(kind: str, context: dict[str, Any]) -> str:
    name, words = {
        "greater_than": ("gt", "greater than"),
        "greater_than_equal": ("ge", "at least"),
        "less_than": ("lt", "less than"),
        "less_than_equal": ("le", "at most"),
    }[kind]
    return f"must be {words} {context[name]:g}"


def keys_at(shape: Any, loc: Sequence[int | str]) -> set[str]:
    """The keys that are known at a place below a shape."""
    types = set(_flat(shape))
    for part in loc:
        below = {child for kind in types for child in _below(kind, part)}
        types = below or types  # parts that name a union's branch change nothing
    return {
        field.alias or name
        for kind in types
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for name, field in kind.model_fields.items()
    }


def _below(kind: Any, part: int | str) -> Iterator[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part == (field.alias or name):
                yield from _flat(field.annotation)
    elif get_origin(kind) is dict and isinstance(part, str):
        yield from _flat(get_args(kind)[1])
    elif get_origin(kind) is list and isinstance(part, int):
        yield from _flat(get_args(kind)[0])


def _flat(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _flat(get_args(annotation)[0])
    elif origin is Union or str(origin) == "<class 'types.UnionType'>":
        for part in get_args(annotation):
            yield from _flat(part)
    else:
        yield annotation
