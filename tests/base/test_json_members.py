"""Where an object's members stand in its bytes: exact, or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.base.json_members import first_members, members, sole_value, with_last

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=6), json_values, max_size=5)


@settings(max_examples=200, deadline=None)
@given(
    objects, st.sampled_from([None, 1, "\t"]), st.booleans(), st.sampled_from([b"", b" ", b"\r\n "])
)
def test_members_give_exact_spans(
    value: dict[str, Any],
    indent: Any,
    ascii_only: bool,  # noqa: FBT001  (drawn)
    space: bytes,
) -> None:
    raw = space + json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode() + space
    found = members(raw)
    assert found is not None
    assert [member.key for member in found] == list(value)
    for member in found:
        assert json.loads(raw[member.start : member.end]) == value[member.key]
        assert raw[member.start : member.end] == raw[member.start : member.end].strip()
        assert json.loads(raw[member.at : member.start].rstrip(b" \r\n\t:")) == member.key


@pytest.mark.parametrize(
    ("raw", "spans"),
    [
        (b'{"a":1,"a":2}', [("a", b"1"), ("a", b"2")]),
        (b'{"a":12,"a":1}', [("a", b"12"), ("a", b"1")]),
        (b'{"a":1,"a":1,"b":"}"}', [("a", b"1"), ("a", b"1"), ("b", b'"}"')]),
        (
            b'{"a":{"x":"}]"},"\\u0061":[1,"]"] , "b":null}',
            [("a", b'{"x":"}]"}'), ("a", b'[1,"]"]'), ("b", b"null")],
        ),
        (b'{"a":1e400,"b":1.0e+2,"c":NaN}', [("a", b"1e400"), ("b", b"1.0e+2"), ("c", b"NaN")]),
        (b'{"a":"\\ud800","b\\ud800":1}', [("a", b'"\\ud800"'), ("b\ud800", b"1")]),
        (b"{ }", []),
    ],
)
def test_members_of_odd_objects(raw: bytes, spans: list[tuple[str, bytes]]) -> None:
    found = members(raw)
    assert found is not None
    assert [(m.key, raw[m.start : m.end]) for m in found] == spans


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b'{"a":1',
        b'{"a":1}x',
        b'{"a":}',
        b"<html>",
        b'{"a":"\xff"',
        b'{"\xff":1}',
        b'{"a":' * 50_000,
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_object_has_no_members(raw: bytes) -> None:
    assert members(raw) is None


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a":1,"usage":{"x":1}}', b'{"x":1}'),
        (b'{"a":1,"usage" : {"x":1} } \n', b'{"x":1}'),
        (b'{"usage":{"x":1},"a":{}}', b'{"x":1}'),
        (b'{"usage":{},"a":{}}', None),
        (b'{"usage":{"x":1},"x":1,"usage":{"x":2}}', None),
        (b'{"usage":{"x":1},"us\\u0061ge":{"x":2}}', b'{"x":2}'),
        (b'{"a":{"usage":{"x":1}}}', None),
        (b'{"a":{"usage":{"x":2}},"us\\u0061ge":{"x":1}}', b'{"x":1}'),
        (b'{"usage":1,"\\"usage":1}', None),
        (b'{"usage":12,"a":112}', None),
        (b'{"usage":"","a":0}', b'""'),
        (b'{"xusage":{}}', None),
        (b'{"a":"}"}', None),
        (b"[]", None),
        (b"{}", None),
        (b"", None),
    ],
)
def test_a_sole_value_is_found_without_a_walk(raw, value):
    """Exact or not at all."""
    place = sole_value(raw, "usage")
    assert (None if place is None else raw[slice(*place)]) == value


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"a":1}', b'{"a":1,"energy":2}'),
        (b"{}", b'{"energy":2}'),
        (b'{"a":1 } ', b'{"a":1 ,"energy":2} '),
        (b'{"energy":1}', None),
        (b'{"ener\\u0067y":1}', None),
        (b"[1]", None),
        (b"1", None),
        (b"{", None),
    ],
)
def test_a_member_goes_to_the_end(raw, expected):
    assert with_last(raw, "energy", b"2") == expected


@given(
    st.dictionaries(
        st.sampled_from(["usage", "a", "b", 'x"usage']), st.sampled_from([{}, {"x": 1}, 1])
    )
)
def test_a_sole_value_is_where_the_walk_finds_it(value):
    raw = json.dumps(value).encode()
    place = sole_value(raw, "usage")
    found = [(one.start, one.end) for one in members(raw) or [] if one.key == "usage"]
    assert place is None or [place] == found


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3)), st.sets(st.sampled_from("abcde"))
)
def test_the_first_members_hold_all_that_is_wanted(value, wanted):
    raw = json.dumps(value).encode()
    result = first_members(raw, wanted)
    assert result is not None
    keys, found = result
    assert keys == value.keys()
    assert wanted & keys <= {member.key for member in found}
    assert all(json.loads(raw[m.start : m.end]) == value[m.key] for m in found)
