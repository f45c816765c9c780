from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.demo.schema import MOST_VALUES, example


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "demo"),
        ({"type": "string", "minLength": 6}, "demooo"),
        ({"type": "string", "maxLength": 2}, "de"),
        ({"type": "string", "format": "date"}, "2024-01-01"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 2.5}, 3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5}, 0.25),
        ({"type": "number", "exclusiveMaximum": 0}, -1),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["integer", "null"]}, 1),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": {"x": 1}}, {"x": 1}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"items": {"type": "integer"}, "maxItems": 0}, []),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 1}),
        ({"type": "object", "required": ["a"]}, {"a": None}),
        (
            {"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]},
            {"a": 1, "b": 2},
        ),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"const": 7}}}, 7),
        ({"$ref": "#/$defs/missing"}, None),
        (True, None),
        ("nonsense", None),
    ],
)
def test_values(schema, value):
    assert example(schema) == value


def test_a_schema_that_refers_to_itself_ends():
    node = {
        "type": "object",
        "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}},
        "required": ["left", "right"],
    }
    assert json.dumps(example(node)).count("left") <= MOST_VALUES


def test_a_fan_of_references_is_cut_off():
    defs = {
        f"d{i}": {
            "type": "array",
            "minItems": 1000,
            "items": {"$ref": f"#/$defs/d{i + 1}"},
        }
        for i in range(20)
    }
    made = json.dumps(example({"$ref": "#/$defs/d0", "$defs": defs}))
    assert len(made) < 100 * MOST_VALUES


_WORDS = ["type", "properties", "items", "enum", "anyOf", "allOf", "$ref", "required", "format"]
_WORDS += ["minimum", "maximum", "minItems", "maxItems", "minLength", "exclusiveMinimum", "oneOf"]
_VALUES = st.recursive(
    st.sampled_from(["object", "array", "string", "integer", "number", "null", "#", "#/items"])
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*_WORDS, "a"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(_WORDS), _VALUES, max_size=5))
def test_any_schema_gives_a_value_of_bounded_size(schema):
    """Half, wrong and hostile schemas: some JSON value comes back, and soon."""
    assert len(json.dumps(example(schema))) < 3_000_000
