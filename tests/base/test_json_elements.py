from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.json_elements import elements

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(JSON), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_elements_are_where_they_stand(values, indent, ascii_only) -> None:
    raw = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
    found = elements(raw)
    assert found is not None
    assert [json.loads(raw[start:end]) for start, end in found] == json.loads(raw)


@pytest.mark.parametrize("odd", [rb'"\ud800"', b"NaN", b"[Infinity]", b'{"a":"\\udfff"}', b"9e999"])
def test_what_the_strict_parser_refuses_is_walked(odd: bytes) -> None:
    raw = b' [ 1 ,\n"\xc3\xbc, [", %s\t,{"x":[2,3]} ] ' % odd
    found = elements(raw)
    assert found is not None
    assert [raw[start:end] for start, end in found] == [
        b"1",
        b'"\xc3\xbc, ["',
        odd,
        b'{"x":[2,3]}',
    ]


def test_no_elements() -> None:
    assert elements(b"[]") == elements(b" [\n ] ") == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"1",
        b'"["',
        b"[1",
        b"[1,]",
        b"[1 2]",
        b"[NaN",
        b"[NaN,]",
        b"\xff[",
        b"[" * 99_999,
    ],
)
def test_what_is_no_array_has_none(raw: bytes) -> None:
    assert elements(raw) is None
