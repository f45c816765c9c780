from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.service.caching.outline import outline


def test_places_of_what_says_something():
    body = {
        "id": "x",
        "choices": [{"index": 0, "message": {"content": "a", "refusal": None, "tool_calls": []}}],
        "usage": {"energy": 1},
        "sources": ["s"],
        "empty": "",
    }
    assert outline(json.dumps(body).encode(), stream=False) == {
        ("choices", "index"),
        ("choices", "message", "content"),
        ("sources",),
    }


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"a":{"b":1}}\n\ndata: {"c":2}\n\ndata: [DONE]\n\n',
        b'event: x\r\ndata: {"a":{"b":1}}\r\n\r\n: ping\r\n\r\nid: 1\ndata:{"c":2}\n\n',
        b'{"a":{"b":1}}\n{"c":2}\n',
    ],
)
def test_a_stream_is_all_its_events(body):
    assert outline(body, stream=True) == {("a", "b"), ("c",)}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_cannot_be_read_has_none(body):
    assert outline(body, stream=False) is None


@given(st.binary(max_size=60), st.booleans())
def test_anything_has_one_or_none(body, stream):
    found = outline(body, stream=stream)
    assert found is None or isinstance(found, frozenset)
