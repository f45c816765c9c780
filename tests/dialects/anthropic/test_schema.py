"""Schemas for answers."""

from __future__ import annotations

from wattline.dialects.anthropic.schema import closed

NO = {"additionalProperties": False}


def test_each_object_is_closed():
    point = {"type": "object", "properties": {"x": {"type": "number"}}}
    schema = {
        "type": ["object", "null"],
        "properties": {"a": point, "b": {"type": "array", "items": point}, "c": {"anyOf": [point]}},
        "$defs": {"p": point},
    }
    shut = point | NO
    assert closed(schema) == {
        "type": ["object", "null"],
        "properties": {"a": shut, "b": {"type": "array", "items": shut}, "c": {"anyOf": [shut]}},
        "$defs": {"p": shut},
        **NO,
    }
    assert "additionalProperties" not in point, "the client's own is left as it was"


def test_what_a_client_said_stays():
    for said in (True, False, {"type": "string"}):
        schema = {"type": "object", "additionalProperties": said}
        assert closed(schema) == schema


def test_wrong_types_are_left_alone():
    odd = {"properties": 7, "anyOf": {}, "items": True, "$defs": [], "type": 3, "oneOf": [None, 1]}
    assert closed(odd) == odd
    assert closed({}) == {}
    assert closed({"properties": {"a": True}}) == {"properties": {"a": True}}
