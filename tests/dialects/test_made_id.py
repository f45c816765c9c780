"""Ids in answers, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.dialects.made_id import begun_id, made_id


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b'{"id": "resp_1", "usage": {"a": [1, {}]}}', "resp_1"),
        (b'{"request_id": "d97415a1-5796"}', "d97415a1-5796"),
        (b'{"id": null, "request_id": "x"}', "x"),
        (b'{"id": "../admin", "request_id": "x"}', "x"),
        (b'{"id": "../admin"}', None),
        (b'{"id": ""}', None),
        (b'{"id": "a/b"}', None),
        (b'{"id": "a\\r\\nb"}', None),
        (b'{"id": "' + b"a" * 257 + b'"}', None),
        (b'{"id": 7}', None),
        (b'{"id": ["a"]}', None),
        (b'{"response": {"id": "x"}}', None),
        (b"[]", None),
        (b"", None),
        (b"\xff", None),
        (b'{"id": "a"', None),
    ],
)
def test_of_a_whole_answer(answer: bytes, found: str | None) -> None:
    """B-026."""
    assert made_id(answer) == found


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (
            b'event: response.created\ndata: {"response": {"id": "resp_1", "model": "m"}}\n\n',
            "resp_1",
        ),
        (b'data: {"event_type":"interaction.created","interaction":{"id":"v1_x"}}\n\n', "v1_x"),
        (b'data: {"id": "resp_1"}\n\n', None),
        (b'data: {"response": {"id": "a/b"}}\n\n', None),
        (b'data: {"response": null}\n\n', None),
        (b'data: {"response": 1}\n\n', None),
        (b": ping\n\n", None),
        (b"", None),
    ],
)
def test_of_a_stream(event: bytes, found: str | None) -> None:
    """B-033."""
    assert begun_id(event) == found


@given(st.binary(max_size=60))
def test_anything_at_all(data: bytes) -> None:
    made_id(data)
    begun_id(data)
