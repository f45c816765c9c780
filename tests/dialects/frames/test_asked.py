"""What clients of both protocols may say, and what they may not."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.dialects.frames.asked import (
    MAX_NAME,
    MAX_REASON,
    Ask,
    Auth,
    BadFrame,
    Beat,
    Leave,
    Manage,
    Ping,
    Speech,
    Watch,
    read_frame,
)

DEPTH = 8


def read(**frame):
    return read_frame(json.dumps(frame), DEPTH)


def bad(text: str) -> BadFrame:
    with pytest.raises(BadFrame) as caught:
        read_frame(text, DEPTH)
    return caught.value


def test_a_chat():
    """B-181: what is not of the envelope is the call's, fields of OpenAI's included."""
    frame = {"model": "m", "messages": [], "stream": True, "seed": 7, "stream_options": {}}
    assert read(type="chat.completions", requestId="r", apiKey="k", **frame) == Ask(
        Speech.CHAT, "r", frame
    )


def test_an_inference():
    """D-060."""
    data = {"model": "m", "messages": [], "type": "kept", "id": 1}
    assert read(type="inference_request", id=3, data=data) == Ask(Speech.INFERENCE, 3, data)


def test_the_small_ones():
    """B-180, B-183, D-062, D-064."""
    assert read(type="auth", apiKey="k") == Auth("k")
    assert "sk-x" not in repr(Auth("sk-x"))
    assert read(type="ping") == Ping()
    assert read(type="heartbeat", timestamp=1) == Beat()
    assert read(type="heartbeat", timestamp="nonsense") == Beat()
    assert read(type="close", reason="done", code=1000) == Leave("done")
    assert read(type="close", reason=7, code="x") == Leave("")


def test_operators_and_figures():
    """B-186."""
    assert read(type="providers.list", requestId="r") == Manage("list", "r")
    found = read(type="providers.disable", provider="p0", reason="x", model="m", requestId=1)
    assert found == Manage("disable", 1, "p0", {"reason": "x", "model": "m"})
    assert read(type="providers.enable", provider="p.0_-") == Manage("enable", None, "p.0_-")
    assert read(type="stats.subscribe", requestId="s") == Watch("s", 5.0)
    assert read(type="stats.subscribe", intervalMs=500) == Watch(None, 0.5)
    assert read(type="stats.unsubscribe", requestId="s") == Watch("s", None)


@pytest.mark.parametrize(
    "provider", [None, "", 5, [], "a/b", "../users", "p%2f", "p" * 65, "ü", "a\n"]
)
def test_names_of_providers(provider):
    found = bad(json.dumps({"type": "providers.enable", "requestId": "r", "provider": provider}))
    assert (found.fault.param, found.speech, found.name) == ("provider", Speech.CHAT, "r")


@pytest.mark.parametrize("pace", [None, 0, -1, 499, 3_600_001, 1e3, "1000", True, [], 10**30])
def test_paces(pace):
    found = bad(json.dumps({"type": "stats.subscribe", "requestId": "r", "intervalMs": pace}))
    assert (found.fault.param, found.name) == ("intervalMs", "r")


@pytest.mark.parametrize("reason", ["ü" * 100, "\ud800" * 100, "x" * 1000])
def test_a_reason_fits_a_close_frame(reason):
    found = read(type="close", reason=reason)
    assert isinstance(found, Leave)
    assert 0 < len(found.reason.encode()) <= MAX_REASON


@pytest.mark.parametrize("name", [None, "x", "x" * MAX_NAME, 0, -5, 2**62])
def test_names(name):
    found = read(type="chat.completions", requestId=name)
    assert isinstance(found, Ask)
    assert found.name == name


@pytest.mark.parametrize("name", ["", "x" * (MAX_NAME + 1), True, 1.5, [], {}, 2**70])
@pytest.mark.parametrize(
    ("kind", "member"), [("chat.completions", "requestId"), ("inference_request", "id")]
)
def test_names_that_are_none(kind, member, name):
    found = bad(json.dumps({"type": kind, member: name, "data": {}}))
    assert found.fault.param == member
    assert found.name is None
    assert found.speech is (Speech.CHAT if member == "requestId" else Speech.INFERENCE)


@pytest.mark.parametrize("data", [None, 7, "x", [], True])
def test_data_that_is_none(data):
    found = bad(json.dumps({"type": "inference_request", "id": "q", "data": data}))
    assert (found.fault.param, found.speech, found.name) == ("data", Speech.INFERENCE, "q")


@pytest.mark.parametrize("key", [None, 7, "", [], "x" * 5000])
def test_keys_that_are_none(key):
    found = bad(json.dumps({"type": "auth", "apiKey": key}))
    assert found.fault.code == "invalid_message"
    assert "xxx" not in found.fault.message


@pytest.mark.parametrize("kind", [None, 7, [], {}, "", "auth.ok", "Ping", "x" * 10_000])
def test_types_that_are_none(kind):
    found = bad(json.dumps({"type": kind, "requestId": "r"}))
    assert found.fault.code == "unknown_type"
    assert (found.speech, found.name) == (Speech.CHAT, "r")
    assert len(found.fault.message) < 300


def test_whose_a_message_of_no_type_is():
    assert bad('{"id": 5}').speech is Speech.INFERENCE
    assert bad('{"id": []}').speech is None
    assert bad("{}").speech is None


def test_depth():
    """That of the call: the envelope has a level of its own."""

    def nested(levels):
        return "[" * levels + "]" * levels

    data = f'{{"type": "inference_request", "data": {{"x": {nested(DEPTH - 1)}}}}}'
    assert isinstance(read_frame(data, DEPTH), Ask)
    assert bad(data.replace("[]", "[[]]")).fault.code == "too_deep"
    assert bad(f'{{"type": "ping", "x": {nested(100_000)}}}').fault.code == "too_deep"


def test_a_lone_surrogate():
    assert bad('{"type": "ping\ud800"}').fault.code == "invalid_encoding"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_KINDS = st.sampled_from(
    ["auth", "chat.completions", "ping", "inference_request", "heartbeat", "close"]
)
_MEMBERS = st.sampled_from(["requestId", "id", "apiKey", "data", "reason", "code", "timestamp"])


@given(_KINDS | _VALUES, st.dictionaries(_MEMBERS, _VALUES))
def test_any_values_are_read_or_refused(kind, members):
    with contextlib.suppress(BadFrame):
        read_frame(json.dumps({"type": kind, **members}), DEPTH)


@given(st.text())
def test_any_text_is_refused(text):
    assert bad(text).fault.status == 400
