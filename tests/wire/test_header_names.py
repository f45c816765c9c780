"""Names of headers are what they were before they were remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.wire.header_names import NAMES, SHORT, _lower, _wire, lower_name, wire_name


@given(st.binary(max_size=2 * SHORT))
def test_lower_names(raw: bytes) -> None:
    assert lower_name(raw) == lower_name(raw) == raw.decode("latin-1").lower()


@given(st.text(st.characters(max_codepoint=255), max_size=2 * SHORT))
def test_names_for_the_wire(name: str) -> None:
    assert wire_name(name) == wire_name(name) == name.encode("latin-1")


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        wire_name("\u0436")


def test_what_is_remembered_is_bounded() -> None:
    for number in range(2 * NAMES):
        lower_name(b"x-%d" % number)
        wire_name(f"x-{number}")
    before = _lower.cache_info().misses
    lower_name(b"x" * (SHORT + 1))
    assert _lower.cache_info().misses == before
    assert _lower.cache_info().currsize <= NAMES
    assert _wire.cache_info().currsize <= NAMES
