"""Gemini's own schemas (`parameters`, `responseSchema`: a subset of OpenAPI 3.0) as JSON Schema.

They differ in the spelling of types (`STRING`), in `nullable`, and in numbers that are texts.
"""

from __future__ import annotations

from typing import Any

from wattline.dialects.gemini.names import renamed

_COUNTS = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
_OWN = frozenset({"nullable", "propertyOrdering", "example"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf"})
_MAPS = frozenset({"properties", "defs", "$defs"})


def json_schema(value: Any) -> Any:
    """The same schema in JSON Schema's words; what is no schema stays as it is. `value` is not deeper
    than a body may be.
    """
    if not isinstance(value, dict):
        return value
    schema = renamed(value)
    found = {key: _member(key, inner) for key, inner in schema.items() if key not in _OWN}
    if "example" in schema:
        found["examples"] = [schema["example"]]
    return _nullable(found) if schema.get("nullable") is True else found


def _member(key: str, value: Any) -> Any:
    if key == "type":
        return _type(value)
    if key in _COUNTS and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    if key in _LISTS and isinstance(value, list):
        return [json_schema(item) for item in value]
    if key in _MAPS and isinstance(value, dict):
        return {name: json_schema(item) for name, item in value.items()}
    return json_schema(value) if key in ("items", "additionalProperties") else value


def _type(value: Any) -> Any:
    if isinstance(value, list):
        return [_type(item) for item in value]
    return value.lower() if isinstance(value, str) else value


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = schema.get("type")
    if isinstance(kinds, str):
        schema["type"] = [kinds, "null"]
    elif isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema
