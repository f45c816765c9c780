"""A small value that a JSON Schema allows: what tool arguments and structured answers are made of.

Knows types, enum, const, properties, items, bounds, common formats, anyOf/oneOf/allOf and local
`$ref`. A pattern is not followed. Any input gives some JSON value: a schema that refers to itself, or
is huge, is cut off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

DEEPEST = 24
MOST_VALUES = 2_000
LONGEST = 1_000
"""No text or array gets longer, whatever its schema's minimum says."""

_FORMATS = {
    "date-time": "2024-01-01T00:00:00Z",
    "date": "2024-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "demo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example(schema: object) -> Any:
    """A value for `schema`; None when it says nothing."""
    return _Example(schema).value(schema, 0)


class _Example:
    def __init__(self, root: object) -> None:
        self._root = root
        self._left = MOST_VALUES

    def value(self, schema: object, depth: int) -> Any:
        self._left -= 1
        if not isinstance(schema, dict) or depth > DEEPEST or self._left < 0:
            return None
        if isinstance(reference := schema.get("$ref"), str):
            return self.value(self._resolve(reference), depth + 1)
        if "const" in schema:
            return schema["const"]
        if isinstance(choices := schema.get("enum"), list) and choices:
            return choices[0]
        for word in ("anyOf", "oneOf"):
            if isinstance(choices := schema.get(word), list) and choices:
                return self._choice(choices, depth)
        if isinstance(parts := schema.get("allOf"), list):
            schema = _merged(schema, parts, self._resolve)
        return self._typed(schema, depth)

    def _choice(self, choices: list[Any], depth: int) -> Any:
        """The first choice; near the depth limit null, if it is among them."""
        nullable = any(isinstance(one, dict) and one.get("type") == "null" for one in choices)
        if nullable and depth > DEEPEST // 3:
            return None
        return self.value(choices[0], depth + 1)

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = "null" if "null" in kind and depth > DEEPEST // 3 else next(iter(kind), None)
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else None
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                return _text(schema)
            case "integer" | "number":
                return _number(schema, whole=kind == "integer")
            case "boolean":
                return True
        return None

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        required = schema.get("required")
        required = required if isinstance(required, list) else []
        names = [name for name in properties if name in required or depth <= DEEPEST // 3]
        names += [name for name in required if isinstance(name, str) and name not in properties]
        made: dict[str, Any] = {}
        for name in names:
            if self._left < 0:
                break
            made[name] = self.value(properties.get(name), depth + 1)
        return made

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        least = _bound(schema, "minItems", 1)
        most = _bound(schema, "maxItems", LONGEST)
        size = int(min(max(least, 1), most, LONGEST, max(self._left, 0)))
        if depth > DEEPEST // 3 and least < 1:
            size = 0
        return [self.value(schema.get("items"), depth + 1) for _ in range(size)]

    def _resolve(self, reference: str) -> Any:
        found = self._root
        for part in reference.removeprefix("#").strip("/").split("/")[:DEEPEST]:
            key = part.replace("~1", "/").replace("~0", "~")
            if key:
                found = found.get(key) if isinstance(found, dict) else None
        return found


def _merged(schema: Mapping[str, Any], parts: list[Any], resolve: Any) -> dict[str, Any]:
    """`allOf` as one schema: later words win, properties and required names are joined."""
    merged = {word: value for word, value in schema.items() if word != "allOf"}
    for part in parts[:LONGEST]:
        if isinstance(part, dict) and isinstance(part.get("$ref"), str):
            part = resolve(part["$ref"])  # noqa: PLW2901 - the part is what it refers to
        if not isinstance(part, dict):
            continue
        for word, value in part.items():
            old = merged.get(word)
            if word == "properties" and isinstance(old, dict) and isinstance(value, dict):
                merged[word] = old | value
            elif word == "required" and isinstance(old, list) and isinstance(value, list):
                merged[word] = old + value
            else:
                merged[word] = value
    return merged


def _text(schema: Mapping[str, Any]) -> str:
    form = schema.get("format")
    if isinstance(form, str) and form in _FORMATS:
        return _FORMATS[form]
    least = int(_bound(schema, "minLength", 0))
    most = int(_bound(schema, "maxLength", LONGEST))
    return "demo".ljust(min(least, LONGEST), "o")[: max(most, 0)]


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    """1 if it is allowed, else a number as near the bounds as need be."""
    low, high = _bound(schema, "minimum", -math.inf), _bound(schema, "maximum", math.inf)
    above = _bound(schema, "exclusiveMinimum", -math.inf)
    below = _bound(schema, "exclusiveMaximum", math.inf)
    if whole:
        least = max(_up(low), _up(above) + (1 if above == _up(above) else 0))
        most = min(_down(high), _down(below) - (1 if below == _down(below) else 0))
        return int(min(max(1.0, least), most))
    if low <= 1 <= high and above < 1 < below:
        return 1
    least, most = max(low, above), min(high, below)
    if math.isfinite(least) and math.isfinite(most):
        return (least + most) / 2
    return least + 1 if math.isfinite(least) else most - 1


def _up(value: float) -> float:
    return math.ceil(value) if math.isfinite(value) else value


def _down(value: float) -> float:
    return math.floor(value) if math.isfinite(value) else value


def _bound(schema: Mapping[str, Any], word: str, default: float) -> float:
    value = schema.get(word)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return float(min(max(value, -1e15), 1e15))
