"""Schemas as Anthropic takes them for answers and strict tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_NAMED: Final = ("properties", "$defs", "definitions")
_LISTED: Final = ("anyOf", "allOf", "oneOf", "prefixItems")
_OBJECT: Final = "object"


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, with `additionalProperties: false` for each object that does not say it: Anthropic refuses
    it otherwise, and other APIs' clients leave it out.
    """
    made = dict(schema)
    for key in _NAMED:
        if isinstance(made.get(key), dict):
            made[key] = {name: _inner(value) for name, value in made[key].items()}
    for key in _LISTED:
        if isinstance(made.get(key), list):
            made[key] = [_inner(value) for value in made[key]]
    if "items" in made:
        made["items"] = _inner(made["items"])
    kind = made.get("type")
    if kind == _OBJECT or (isinstance(kind, list) and _OBJECT in kind):
        made.setdefault("additionalProperties", False)
    return made


def _inner(value: Any) -> Any:
    return closed(value) if isinstance(value, dict) else value
