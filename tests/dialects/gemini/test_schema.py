"""Gemini's own schemas as JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest

from wattline.dialects.gemini.schema import json_schema


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (None, None),
        (3, 3),
        ({"type": "STRING", "format": "enum", "enum": ["A"]}, None),
        ({"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "2"}, None),
        (
            {
                "type": "OBJECT",
                "properties": {"max_items": {"type": "NUMBER", "nullable": True}},
                "required": ["max_items"],
                "propertyOrdering": ["max_items"],
            },
            {
                "type": "object",
                "properties": {"max_items": {"type": ["number", "null"]}},
                "required": ["max_items"],
            },
        ),
        (
            {"any_of": [{"type": "STRING"}], "nullable": True, "example": 1},
            {"anyOf": [{"type": "string"}, {"type": "null"}], "examples": [1]},
        ),
        (
            {"type": "STRING", "nullable": True, "enum": ["a"]},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        ({"type": "string", "nullable": False}, {"type": "string"}),
    ],
)
def test_schemas(own: Any, expected: Any) -> None:
    if expected is None and isinstance(own, dict):
        expected = own | {"type": own["type"].lower()}
        if "items" in own:
            expected |= {"items": {"type": "integer"}, "minItems": 2}
    assert json_schema(own) == expected


def test_odd_members_stay() -> None:
    odd = {"type": 3, "properties": [1], "items": 4, "anyOf": {}, "minItems": "x", "enum": 5}
    assert json_schema(odd) == odd
