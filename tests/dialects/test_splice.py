"""Edits in the bytes of a JSON object."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.base.errors import OurFault
from wattline.dialects.splice import edit, edit_object, parts, value_of

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
keys = st.sampled_from(["model", "a", "b", "c", '\u00e9"\\', ""])
objects = st.dictionaries(keys, values, max_size=6)
changes = st.dictionaries(keys, st.none() | values.map(lambda v: ("set", v)), max_size=5)


@settings(max_examples=300, deadline=None)
@given(objects, changes, st.sampled_from([None, 2, 0]), st.booleans())
def test_an_edit_means_what_the_same_edit_of_a_dict_means(
    value: dict[str, Any],
    wanted: dict[str, Any],
    indent: int | None,
    ascii_only: bool,  # noqa: FBT001  (drawn)
) -> None:
    raw = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    new = edit(
        raw, {k: None if v is None else json.dumps(v[1]).encode() for k, v in wanted.items()}
    )
    expected = dict(value)
    for key, change in wanted.items():
        if change is None:
            expected.pop(key, None)
        else:
            expected[key] = change[1]
    assert json.loads(new) == expected
    assert list(json.loads(new)) == list(expected)


@settings(max_examples=200, deadline=None)
@given(objects, st.sampled_from([None, 2]))
def test_bytes_outside_of_an_edit_stay(value: dict[str, Any], indent: int | None) -> None:
    value = {**value, "model": "old"}
    raw = json.dumps(value, indent=indent).encode()
    member = next(m for m in parts(raw) if m.key == "model")
    assert edit(raw, {"model": b'"new"'}) == raw[: member.start] + b'"new"' + raw[member.end :]
    added = edit(raw, {"zz": b"1"})
    end = parts(raw)[-1].end
    assert added == raw[:end] + b',"zz":1' + raw[end:]
    assert edit(raw, {}) == raw


ODD = b' {"n":1.0e+2 ,"big" : 1e400,"s":"\\u0041\\/\\ud800", "model":"a" ,"x":[ 1,\n2 ]}\r\n'


def test_odd_numbers_escapes_and_white_space_stay() -> None:
    assert edit(ODD, {"model": b'"b"'}) == ODD.replace(b'"a"', b'"b"')
    assert edit(ODD, {"n": None}) == ODD.replace(b'"n":1.0e+2 ,', b"")
    assert edit(ODD, {"x": None}) == ODD.replace(b' ,"x":[ 1,\n2 ]', b"")
    assert edit(ODD, {"big": None, "n": None, "s": None, "x": None}) == b' {"model":"a"}\r\n'


def test_a_key_that_stands_twice_is_edited_once_and_removed_elsewhere() -> None:
    raw = b'{"usage":{"energy":0},"a":1,"us\\u0061ge":{"energy":1}}'
    assert edit(raw, {"usage": b"2"}) == b'{"usage":2,"a":1}'
    assert edit(raw, {"usage": None}) == b'{"a":1}'
    assert value_of(raw, parts(raw), "usage") == b'{"energy":1}'


def test_values_that_are_no_objects_are_replaced_by_the_changes() -> None:
    wanted = {"include_usage": b"true"}
    for raw in (None, b"null", b"[]", b"1", b'"x"', b"{}", b'{"include_usage":false}'):
        assert json.loads(edit_object(raw, wanted)) == {"include_usage": True}
    assert edit_object(b'{ "x":1.0 }', wanted) == b'{ "x":1.0,"include_usage":true }'


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"null", b'{"a":1}}'])
def test_what_is_no_object_is_our_fault(raw: bytes) -> None:
    with pytest.raises(OurFault):
        edit(raw, {"a": b"1"})
