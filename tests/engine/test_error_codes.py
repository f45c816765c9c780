"""Codes in errors, as APIs write them, and in whatever else a body may be."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.engine.error_codes import codes_in

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "code", "type", "details", "errors", "reason", "x"]), inner
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ({"error": {"code": "Invalid_API_Key", "type": "t", "message": "m"}}, {"invalid_api_key", "t"}),
        ({"type": "error", "error": {"type": "permission_error"}}, {"error", "permission_error"}),
        ([{"error": {"status": "PERMISSION_DENIED", "details": [{"reason": "A"}, 3]}}],
         {"permission_denied", "a"}),
        ({"code": "Forbidden", "error": "api_key"}, {"forbidden"}),
        ({"error": {"code": 403, "type": "two words", "reason": "x" * 65, "status": ["a"]}}, set()),
        ({"error": {"metadata": {"code": "api_key"}, "message": "api_key", "param": "api_key"}}, set()),
        ([], set()),
        ("api_key", set()),
    ],
)  # fmt: skip
def test_only_what_can_be_a_code(value, codes):
    assert codes_in(json.dumps(value).encode()) == codes


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"error":' * 50_000, b"<p>"]
)
def test_garbage_has_none(body):
    assert codes_in(body) == frozenset()


@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_will_do(body):
    for code in codes_in(body):
        assert code == code.lower()
        assert 0 < len(code) <= 64
