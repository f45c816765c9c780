"""Each fault of events and usage, as its bytes arrive at a raw socket."""

from __future__ import annotations

import json
import math

import pytest

from wattline.demo.journal import Ended

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


def _usages(wire):
    found = []
    for event in wire.events():
        if isinstance(event, dict):
            usage = event.get("response", event).get("usage")
            if usage:
                found.append(usage)
    return found


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
async def test_malformed_is_one_broken_event_among_good_ones(stream, path):
    whole, wire = await stream(path=path), await stream("malformed:2", path=path)
    events = wire.events()
    assert isinstance(events[2], str)
    assert len(events) == len(whole.events()) + 1


async def test_malformed_body(chat, provider):
    wire = await chat("malformed")
    with pytest.raises(json.JSONDecodeError):
        wire.json()
    assert provider.journal.requests[0].ended is Ended.FAULT


async def test_error_in_200(chat, stream):
    wire = await chat("error_in_200:overloaded")
    assert (wire.status, wire.json()["error"]["code"]) == (200, "overloaded")
    wire = await stream("error_in_200")
    assert [list(event) for event in wire.events()] == [["error"]]
    wire = await stream("error_in_200", path=RESPONSES)
    assert wire.body.startswith(b"event: error\n")
    assert wire.events()[0]["code"] == "server_error"


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
async def test_error_after_k_events(stream, provider, path):
    events = (await stream("error_mid:4", path=path)).events()
    assert len(events) == 5
    assert "error" in events[4] or events[4]["type"] == "error"
    assert provider.journal.requests[0].ended is Ended.FAULT


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
async def test_startup_then_error(stream, provider, path):
    events = (await stream("startup_then_error", path=path)).events()
    assert len(events) == (2 if path == CHAT else 5)
    assert "error" in events[-1] or events[-1]["type"] == "error"
    assert provider.journal.requests[0].completion_tokens == 0


async def test_no_done(stream):
    wire = await stream("no_done")
    assert b"[DONE]" not in wire.body
    assert wire.end == "clean"
    assert _usages(wire)
    last = (await stream("no_done", path=RESPONSES)).events()[-1]
    assert last["type"] == "response.output_item.done"


async def test_events_after_done(stream):
    events = (await stream("events_after_done")).events()
    assert events[-2] == "[DONE]"
    assert events[-1]["choices"][0]["delta"] == {"content": "too late"}


async def test_many_pings_come_first(stream):
    wire = await stream("many_pings:50")
    assert wire.body.startswith(b": PING\n\n" * 50 + b"data: ")


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        ("usage_zero", 0),
        ("usage_negative", -4),
        ("usage_huge", 10**15),
        ("usage_string", "3"),
    ],
)
async def test_usages_that_can_not_be_true(chat, stream, provider, fault, value):
    """The same in a stream, in one body, and in the Responses dialect; the journal has it as sent."""
    (usage,) = _usages(await stream(fault))
    assert usage["prompt_tokens"] == value
    assert provider.journal.requests[0].usage == usage
    assert (await chat(fault)).json()["usage"]["prompt_tokens"] == value
    (usage,) = _usages(await stream(fault, path=RESPONSES, input="x" * 12))
    assert usage["input_tokens"] == value


async def test_usage_of_embeddings(chat):
    wire = await chat("usage_negative", path="/v1/embeddings", input="x" * 12)
    assert wire.json()["usage"] == {"prompt_tokens": -4, "total_tokens": -4}


async def test_usage_nan_is_the_bare_word(chat, stream):
    (usage,) = _usages(await stream("usage_nan"))
    assert math.isnan(usage["prompt_tokens"])
    assert b'"prompt_tokens":NaN' in (await chat("usage_nan")).body


async def test_usage_absent_though_asked_for(chat, stream, provider):
    wire = await stream("usage_absent")
    assert _usages(wire) == []
    assert wire.events()[-1] == "[DONE]"
    assert "usage" not in (await chat("usage_absent")).json()
    assert _usages(await stream("usage_absent", path=RESPONSES)) == []
    assert [entry.usage for entry in provider.journal.requests] == [None] * 3
    assert all(entry.completion_tokens > 0 for entry in provider.journal.requests)


async def test_usage_twice_half_then_all(chat, stream):
    half, whole = _usages(await stream("usage_twice"))
    assert half["completion_tokens"] == whole["completion_tokens"] // 2
    half, whole = _usages(await stream("usage_twice", path=RESPONSES))
    assert half["output_tokens"] == whole["output_tokens"] // 2
    pairs = json.loads((await chat("usage_twice")).body, object_pairs_hook=list)
    assert [name for name, _ in pairs].count("usage") == 2


async def test_tokens_gives_an_honest_answer_of_that_length(chat, stream, provider):
    (usage,) = _usages(await stream("tokens:500"))
    assert usage["completion_tokens"] == 500
    assert (await chat("tokens:500")).json()["usage"]["completion_tokens"] == 500
    assert [entry.completion_tokens for entry in provider.journal.requests] == [500, 500]


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
async def test_big_streams_at_least_that_many_bytes(stream, provider, path):
    wire = await stream("big:1000000", path=path)
    assert 1_000_000 <= len(wire.body) < 1_100_000
    (usage,) = _usages(wire)
    entry = provider.journal.requests[0]
    assert entry.completion_tokens in (usage.get("completion_tokens"), usage.get("output_tokens"))
    assert entry.body_bytes == len(wire.body)


async def test_big_body(chat):
    body = (await chat("big:1000000")).json()
    assert len(body["choices"][0]["message"]["content"]) == 1_000_000
    assert body["usage"]["completion_tokens"] == 250_000


async def test_faults_of_a_stream_leave_a_plain_answer_alone(chat):
    for fault in ("no_done", "events_after_done", "many_pings", "crlf", "error_mid"):
        assert (await chat(fault)).json()["object"] == "chat.completion"
