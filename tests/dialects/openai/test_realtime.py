"""The messages of OpenAI's WebSockets: read with suspicion, edited in their bytes."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.base.errors import ClientFault
from wattline.dialects.base import Energy
from wattline.dialects.openai.realtime import (
    Kind,
    call_body,
    cancel_event,
    error_event,
    model_of,
    read_event,
    read_frame,
    target_query,
    unasked_body,
    with_energy,
    with_model,
)
from wattline.wire.call import Operation
from wattline.wire.usage import Usage, UsageSource

USAGE = {
    "total_tokens": 30,
    "input_tokens": 20,
    "output_tokens": 10,
    "input_token_details": {"text_tokens": 5, "audio_tokens": 15, "cached_tokens": 8},
    "output_token_details": {"text_tokens": 2, "audio_tokens": 8},
}


def event(**members):
    return json.dumps(members).encode()


def last(usage, kind="response.done", **more):
    return event(type=kind, response={"id": "r", "usage": usage, **more})


def test_events_that_matter():
    created = read_event(event(type="response.created", response={"id": "r"}))
    assert (created.kind, created.response) == (Kind.CREATED, "r")
    delta = read_event(event(type="response.output_text.delta", response_id="r", delta="abcd"))
    assert (delta.kind, delta.response, delta.output) == (Kind.OUTPUT, "r", 4)
    error = read_event(event(type="error", error={"code": "rate_limit_exceeded", "event_id": "e"}))
    assert (error.kind, error.asked_by, error.word) == (Kind.ERROR, "e", "rate_limit")
    assert read_event(event(type="rate_limits.updated")).kind is Kind.OTHER


def test_sound_is_estimated_by_its_length():
    """A second of sound is 64,000 characters of base64 and about 20 tokens, which are 80 characters."""
    for kind in ("response.audio.delta", "response.output_audio.delta"):
        assert read_event(event(type=kind, delta="A" * 64_000)).output == 80
    transcript = event(type="response.output_audio_transcript.delta", delta="abc")
    assert read_event(transcript).output == 3


@pytest.mark.parametrize(
    "kind",
    ["response.done", "response.completed", "response.incomplete", "response.cancelled"],
)
def test_the_last_event_has_the_usage(kind):
    found = read_event(last(USAGE, kind))
    assert found.kind is Kind.LAST
    assert found.count.usage == Usage(20, 10, cached=8)
    assert found.word is None


def test_failed_responses_say_why():
    failed = read_event(last(None, "response.failed", error={"code": "server_error"}))
    assert (failed.kind, failed.word, failed.count.usage) == (Kind.LAST, "server_error", None)
    details = {"error": {"type": "rate_limit_exceeded"}}
    realtime = read_event(last(None, status="failed", status_details=details))
    assert realtime.word == "rate_limit"


@pytest.mark.parametrize("count", [-1, 1.5, "7", True, 10**12, [], {}])
def test_counts_that_cant_be_true(count):
    found = read_event(last({**USAGE, "output_tokens": count}))
    assert found.kind is Kind.LAST
    assert found.count.bad


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
KINDS = ["response.created", "response.done", "error", "response.x.delta", "response.create", "x"]
FIELDS = ["delta", "response_id", "stream_id", "error", "response", "event_id", "session"]


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), JSON))
@settings(max_examples=300, deadline=None)
def test_wrong_types_anywhere_break_nothing(kind, members):
    data = json.dumps({"type": kind, **members}).encode()
    found = read_event(data)
    assert found.output >= 0
    with_energy(data, Usage(1, 2), Energy(3))
    with_model(data, json.loads(data), "m")
    call_body("m", json.loads(data))


@given(st.binary(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_bytes_break_nothing(data):
    assert read_event(data).kind in Kind
    assert with_energy(data, Usage(1, 2), Energy(3)) == data
    with contextlib.suppress(ClientFault):
        read_frame(data, 50)


def test_energy_goes_into_the_usage_and_nothing_else_changes():
    data = b'{ "type":"response.done", "response" :{"usage": {"input_tokens":20,\n"output_tokens":10}, "z":1.50 }, "e":"\\u00e9"}'
    told = with_energy(data, Usage(20, 10), Energy(15_500_000))
    assert told == data.replace(b'"output_tokens":10', b'"output_tokens":10,"energy":15.5')
    told = json.loads(with_energy(last(USAGE), Usage(20, 10, cached=8), Energy(None)))
    assert told["response"]["usage"] == {**USAGE, "energy": None}


def test_an_estimate_is_told_as_one():
    usage = Usage(3, 4, source=UsageSource.ESTIMATED)
    for missing in (None, {}):
        told = json.loads(with_energy(last(missing), usage, Energy(1)))["response"]["usage"]
        assert (told["input_tokens"], told["output_tokens"], told["estimated"]) == (3, 4, True)
    assert with_energy(event(type="response.done"), usage, Energy(1)) == event(type="response.done")


def test_models_are_replaced_where_they_name_the_conversation():
    update = b'{"type":"session.update", "session": {"voice":"ash", "model" : "m"}, "x": 1}'
    assert with_model(update, json.loads(update), "up") == update.replace(b'"m"', b'"up"')
    create = b'{"type":"response.create","response":{"model":"m"}}'
    assert with_model(create, json.loads(create), "up") == create.replace(b'"m"', b'"up"')
    for other in (
        b'{"type":"session.update","session":{"audio":{"input":{"transcription":{"model":"w"}}}}}',
        b'{"type":"conversation.item.create","session":{"model":"m"}}',
        b'{"type":"session.update","session":[]}',
        b'{"type":["session.update"],"session":{"model":"m"}}',
    ):
        assert with_model(other, json.loads(other), "up") == other


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/realtime?model=a%2Fb&x=1", "a/b"),
        ("/v1/realtime?x=1", None),
        ("/v1/realtime?model=", None),
        ("/v1/realtime?model=a&model=b", None),
        ("/v1/realtime", None),
    ],
)
def test_the_model_in_a_query(path, model):
    assert model_of(path) == model


def test_the_targets_query():
    path = "/v1/realtime?intent=a%20b&model=m&key=sk-secret&empty="
    assert target_query(path, "a/b&c") == "?model=a%2Fb%26c&intent=a%20b&empty="


def test_frames_that_could_be_read_in_two_ways_are_refused():
    for text in (b'{"type":"a","type":"b"}', b"[]", b"", b'{"a":NaN}', b"[" * 9999):
        with pytest.raises(ClientFault):
            read_frame(text, 50)


def test_bodies_for_the_rules_and_events_of_ours():
    frame = {"type": "response.create", "response": {"instructions": "hi"}}
    body = json.loads(call_body("m", frame))
    assert body == {"model": "m", "stream": True, "response": {"instructions": "hi"}}
    assert json.loads(call_body("m", {"response": 7})) == {"model": "m", "stream": True}
    assert json.loads(unasked_body("m", Operation.RESPONSES)) == {"model": "m", "input": ""}
    assert json.loads(unasked_body("m", Operation.REALTIME)) == {"model": "m"}
    assert json.loads(cancel_event(None)) == {"type": "response.cancel"}
    fault = ClientFault("No.", status=429, code="rate_limit_exceeded")
    realtime = json.loads(error_event(fault, Operation.REALTIME, "event_1", "mine"))
    assert realtime["type"] == "error"
    assert realtime["event_id"] == "event_1"
    assert (realtime["error"]["event_id"], realtime["error"]["message"]) == ("mine", "No.")
    responses = json.loads(error_event(fault, Operation.RESPONSES, "event_1", "mine", "lane"))
    assert (responses["status"], responses["stream_id"]) == (429, "lane")
    assert set(responses["error"]) == {"message", "type", "param", "code"}
