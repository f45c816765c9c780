"""A gateway's own stream, read again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.neutral_answers import JSON
from wattline.dialects.gateway.decode import DeltaDecoder
from wattline.wire.events import Ended, Event, Failed, Malformed, Stopped, TextDelta
from wattline.wire.reply import Stop
from wattline.wire.sse import DONE, MAX_EVENT, EventTooLarge, event

MEMBERS = st.sampled_from(["delta", "index", "finish_reason", "usage", "error", "choices"])


def decoded(raw: bytes) -> list[Event]:
    decoder = DeltaDecoder()
    return [*decoder.feed(raw), *decoder.end()]


def test_an_error_is_one() -> None:
    raw = event(b'{"error":{"type":"rate_limit_error"}}')
    assert decoded(raw + event(b'{"delta":{"content":"late"}}')) == [Failed("rate_limit")]


def test_alternatives() -> None:
    raw = event(b'{"delta":{"content":"a"},"index":1}')
    raw += event(b'{"delta":{"content":""},"index":1,"finish_reason":"length"}')
    events = decoded(raw + DONE)
    assert TextDelta("a", alternative=1) in events
    assert Stopped(Stop.LENGTH, alternative=1) in events
    assert isinstance(events[-1], Ended)


@given(st.lists(st.dictionaries(MEMBERS, JSON, max_size=4), max_size=4))
def test_any_objects_are_read(values: list[dict[str, Any]]) -> None:
    events = decoded(b"".join(event(json.dumps(value).encode()) for value in values) + DONE)
    assert sum(isinstance(found, Ended | Failed) for found in events) == 1


@given(st.binary(max_size=80))
def test_any_bytes_are_read(raw: bytes) -> None:
    decoded(raw)
    assert isinstance(decoded(b"data: " + raw.replace(b"\n", b"").replace(b"\r", b"")), list)


def test_what_is_no_json_is_malformed() -> None:
    assert decoded(event(b"{")) == [Malformed()]


def test_an_event_is_bounded() -> None:
    with pytest.raises(EventTooLarge):
        DeltaDecoder().feed(b"data: " + b"x" * MAX_EVENT)
