"""Providers' streams of responses, as neutral events: the usual ones, the terse ones, the broken ones."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.dialects.openai.responses_codec import ResponsesCodec
from wattline.dialects.openai.responses_decode import MAX_ITEMS
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Failed,
    Idle,
    Malformed,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.reply import Stop
from wattline.wire.sse import MAX_EVENT, EventTooLarge
from wattline.wire.usage import Usage

CODEC = ResponsesCodec()
COUNTS = {
    "input_tokens": 36,
    "input_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 4},
    "output_tokens": 87,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 123,
}
USAGE = Usage(36, 87, cached=6, reasoning=64, written=4)


def typed(kind: str, **fields: Any) -> bytes:
    value = {"type": kind, "sequence_number": 1, **fields}
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n".encode()


def response(**fields: Any) -> dict[str, Any]:
    base = {"id": "resp_1", "created_at": 7.9, "model": "gpt-5", "status": "completed"}
    return base | {"output": [], "usage": None, "error": None} | fields


def created() -> bytes:
    return typed("response.created", response=response(status="in_progress"))


def added(index: int, **item: Any) -> bytes:
    return typed("response.output_item.added", output_index=index, item=item)


def done(index: int, **item: Any) -> bytes:
    return typed("response.output_item.done", output_index=index, item=item)


def delta(kind: str, index: int, text: str, **more: Any) -> bytes:
    return typed(f"response.{kind}.delta", output_index=index, delta=text, **more)


def completed(**fields: Any) -> bytes:
    return typed("response.completed", response=response(usage=COUNTS, **fields))


def read(*raw: bytes) -> list[Event]:
    decoder = CODEC.decoder()
    return [event for one in raw for event in decoder.feed(one) if event != Idle()]


START = Started("resp_1", "gpt-5", 7)
END = [Stopped(Stop.END), Counted(USAGE), Ended()]


def test_what_openai_sends():
    """B-021: a thought in two parts with its seal, a hosted tool's events, a text, calls in turns."""
    summary = [{"type": "summary_text", "text": text} for text in ("One", "Two")]
    events = read(
        created(),
        typed("response.in_progress", response=response(status="in_progress")),
        added(0, type="reasoning", id="rs_1", summary=[], encrypted_content="early"),
        typed("response.reasoning_summary_part.added", output_index=0, summary_index=0, part={}),
        delta("reasoning_summary_text", 0, "One", summary_index=0, obfuscation="xy"),
        typed("response.reasoning_summary_part.added", output_index=0, summary_index=1, part={}),
        delta("reasoning_summary_text", 0, "Two", summary_index=1),
        done(0, type="reasoning", id="rs_1", summary=summary, encrypted_content="gAA"),
        added(1, type="web_search_call", id="ws_1"),
        typed("response.web_search_call.searching", output_index=1),
        done(1, type="web_search_call", id="ws_1"),
        added(2, type="message", role="assistant", content=[]),
        typed("response.content_part.added", output_index=2, content_index=0, part={}),
        delta("output_text", 2, "Hi", logprobs=[]),
        delta("refusal", 2, "No"),
        typed("response.output_text.done", output_index=2, text="Hi"),
        done(2, type="message", content=[{"type": "output_text", "text": "Hi"}]),
        added(3, type="function_call", id="fc_1", call_id="c1", name="f", arguments=""),
        added(4, type="function_call", id="fc_2", call_id="c2", name="g", arguments=""),
        delta("function_call_arguments", 4, "{"),
        delta("function_call_arguments", 3, "{}"),
        delta("function_call_arguments", 4, "}"),
        done(3, type="function_call", call_id="c1", name="f", arguments="{}"),
        done(4, type="function_call", call_id="c2", name="g", arguments="{}"),
        completed(output=[{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]),
    )
    assert events == [
        START,
        ReasoningDelta("One"),
        ReasoningDelta("\n\n"),
        ReasoningDelta("Two"),
        ReasoningSealed(signature="gAA"),
        TextDelta("Hi"),
        RefusalDelta("No"),
        CallStarted(0, "c1", "f"),
        CallStarted(1, "c2", "g"),
        CallDelta(1, "{"),
        CallDelta(0, "{}"),
        CallDelta(1, "}"),
        Stopped(Stop.TOOL_CALLS),
        Counted(USAGE),
        Ended(),
    ]


def test_a_thought_that_can_not_be_read():
    item = {"type": "reasoning", "summary": [], "encrypted_content": "gAA"}
    assert read(created(), done(0, **item), completed()) == [
        START,
        ReasoningSealed(redacted="gAA"),
        *END,
    ]


def test_a_thought_told_twice_is_read_once():
    """Some providers stream the thought itself and its summary."""
    events = read(
        created(),
        delta("reasoning_text", 0, "Hm"),
        delta("reasoning_summary_text", 0, "Hm"),
        done(0, type="reasoning", summary=[], encrypted_content="E"),
        completed(),
    )
    assert events == [START, ReasoningDelta("Hm"), ReasoningSealed(signature="E"), *END]


def test_what_comes_only_when_its_item_is_done():
    events = read(
        created(),
        done(
            0,
            type="reasoning",
            summary=[{"type": "summary_text", "text": "Hm"}],
            encrypted_content="E",
        ),
        done(1, type="message", content=[{"type": "output_text", "text": "Hi"}]),
        added(2, type="function_call", call_id="c1", name="f"),
        done(2, type="function_call", call_id="c1", name="f", arguments="{}"),
        done(3, type="function_call", name="g", arguments="{}"),
        done(3, type="function_call", name="g", arguments="{}"),
        done(4, type="image_generation_call", result="AA==", output_format="webp"),
        completed(),
    )
    assert events == [
        START,
        ReasoningDelta("Hm"),
        ReasoningSealed(signature="E"),
        TextDelta("Hi"),
        CallStarted(0, "c1", "f"),
        CallDelta(0, "{}"),
        CallStarted(1, "call_1", "g"),
        CallDelta(1, "{}"),
        Picture("image/webp", "AA=="),
        Stopped(Stop.TOOL_CALLS),
        Counted(USAGE),
        Ended(),
    ]


def test_what_comes_only_in_the_last_event():
    output = [
        {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    ]
    assert read(completed(output=output)) == [
        START,
        TextDelta("Hi"),
        CallStarted(0, "c", "f"),
        CallDelta(0, "{}"),
        Stopped(Stop.TOOL_CALLS),
        Counted(USAGE),
        Ended(),
    ]


def test_events_without_an_index_belong_to_the_latest_item():
    def bare(kind: str, **fields: Any) -> bytes:
        return typed(f"response.{kind}", **fields)

    events = read(
        created(),
        bare("output_item.added", item={"type": "message"}),
        bare("output_text.delta", delta="Hi"),
        bare("output_item.added", item={"type": "function_call", "call_id": "a", "name": "f"}),
        bare("function_call_arguments.delta", delta="{"),
        bare("output_item.added", item={"type": "function_call", "call_id": "b", "name": "g"}),
        bare("function_call_arguments.delta", delta="[", output_index="odd"),
        completed(),
    )
    assert events[1:-3] == [
        TextDelta("Hi"),
        CallStarted(0, "a", "f"),
        CallDelta(0, "{"),
        CallStarted(1, "b", "g"),
        CallDelta(1, "["),
    ]


def test_a_stream_without_its_start():
    assert read(delta("output_text", 0, "Hi"))[0] == Started()
    assert read(completed())[0] == START


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ({"reason": "max_output_tokens"}, Stop.LENGTH),
        ({"reason": "content_filter"}, Stop.FILTERED),
        ("odd", Stop.OTHER),
    ],
)
def test_incomplete_answers(reason: Any, stop: Stop):
    last = typed("response.incomplete", response=response(incomplete_details=reason))
    assert read(last) == [START, Stopped(stop), Ended()]


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (typed("error", code="rate_limit_exceeded", message="x", param=None), "rate_limit"),
        (typed("error", error={"type": "overloaded_error"}), "overloaded"),
        (b'event: error\ndata: {"message":"x"}\n\n', "server_error"),
        (b'data: {"error":{"code":"insufficient_quota"}}\n\n', "insufficient_quota"),
        (
            typed("response.failed", response=response(error={"code": "rate_limit_exceeded"})),
            "rate_limit",
        ),
        (typed("response.failed", response=7), "server_error"),
        (typed("response.cancelled"), "server_error"),
        (completed(error={"code": "invalid_prompt"}), "invalid_request"),
        (
            typed("response.output_text.delta", delta="x", error={"code": "timeout"}),
            "timeout",
        ),
    ],
)
def test_errors_inside_a_stream_end_it(raw: bytes, word: str):
    assert read(created(), raw, created(), completed()) == [START, Failed(word)]


def test_nothing_comes_after_the_end():
    assert read(created(), completed(), delta("output_text", 0, "x"), b"data: [DONE]\n\n") == [
        START,
        *END,
    ]
    assert read(created(), completed() + delta("output_text", 0, "x")) == [START, *END]
    assert read(created(), b"data: [DONE]\n\n", completed()) == [START, Ended()]


@pytest.mark.parametrize(
    "raw",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        b"data: \xff\n\n",
        b"data: {}\n\n",
        b"data: " + b"[" * 100_000 + b"\n\n",
        b'data: {"type":7}\n\n',
        typed("response.output_text.delta"),
        typed("response.output_text.delta", delta=None),
        typed("response.output_item.added", output_index=0, item=None),
        typed("response.output_item.done", output_index=0),
    ],
)
def test_malformed_events_are_told_and_skipped(raw: bytes):
    events = read(created(), raw, delta("output_text", 0, "Hi"), completed())
    assert events == [START, Malformed(), TextDelta("Hi"), *END]


@pytest.mark.parametrize(
    "raw",
    [
        b": ping\n\n",
        b"\n",
        typed("keepalive"),
        typed("response.audio.delta", delta="AA=="),
        typed("response.output_text.annotation.added", annotation={}),
        delta("output_text", 0, ""),
        delta("function_call_arguments", 0, "{}"),
        added(0, type="function_call", call_id="c"),
    ],
)
def test_what_says_nothing_is_idle(raw: bytes):
    assert CODEC.decoder().feed(raw) == [Idle()]


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": -1, "output_tokens": 1},
        {"input_tokens": 1.5, "output_tokens": 1},
        {"input_tokens": True, "output_tokens": 1},
        {"input_tokens": "1", "output_tokens": 1},
        {"input_tokens": 10**12, "output_tokens": 1},
        COUNTS | {"input_tokens_details": {"cache_write_tokens": 1.5}},
        [],
    ],
)
def test_counts_that_can_not_be_true_are_bad(usage: Any):
    last = typed("response.completed", response=response(usage=usage))
    assert read(last)[-2] == Counted(None, bad=True)


def test_zero_is_zero():
    usage = {"input_tokens": 0, "output_tokens": 0}
    last = typed("response.completed", response=response(usage=usage))
    assert read(last)[-2] == Counted(Usage(0, 0))


def test_one_event_is_bounded():
    decoder = CODEC.decoder()
    decoder.feed(created())
    with pytest.raises(EventTooLarge):
        decoder.feed(b"data: " + b"x" * MAX_EVENT)


def test_items_are_bounded():
    decoder = CODEC.decoder()
    for index in range(MAX_ITEMS):
        decoder.feed(delta("output_text", index, "x"))
    assert decoder.feed(delta("output_text", MAX_ITEMS, "x")) == [Malformed()]
    assert decoder.feed(delta("output_text", 0, "x")) == [TextDelta("x")]


def test_many_events_take_linear_time():
    decoder = CODEC.decoder()
    raw = delta("output_text", 0, "ab") * 1000
    start = time.thread_time()
    count = sum(len(decoder.feed(raw)) for _ in range(200))
    assert count == 200_001
    assert time.thread_time() - start < 8


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "content", "summary", "text", "name", "output", "usage", "status", "error"]
            ),
            inner | st.sampled_from(["message", "reasoning", "function_call", "output_text"]),
            max_size=4,
        )
    ),
    max_leaves=10,
)
KINDS = st.sampled_from(
    [
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.delta",
        "response.function_call_arguments.delta",
        "response.reasoning_summary_part.added",
        "response.reasoning_text.delta",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "error",
    ]
)
EVENTS = st.dictionaries(
    st.sampled_from(["response", "item", "output_index", "delta", "error", "part"]), JSON
)


@given(st.lists(st.tuples(KINDS, EVENTS), max_size=8))
def test_garbage_never_raises_and_ends_once(events: list[tuple[str, dict[str, Any]]]):
    found = read(*(typed(kind, **fields) for kind, fields in events))
    ends = [index for index, event in enumerate(found) if isinstance(event, Ended | Failed)]
    assert ends in ([], [len(found) - 1])
    says = [event for event in found if not isinstance(event, Malformed | Failed)]
    assert not says or isinstance(says[0], Started | Ended)


@given(st.binary(max_size=60))
def test_bytes_never_raise(raw: bytes):
    CODEC.decoder().feed(b"data: " + raw + b"\n\n")
