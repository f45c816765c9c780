"""Neutral events as the stream of a response: its events, its numbers, and what clients make of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from kit.openai_calls import DIALECT, call
from wattline.dialects.base import Energy
from wattline.dialects.openai.responses_codec import ResponsesCodec
from wattline.dialects.openai.responses_decode import ResponsesDecoder
from wattline.dialects.openai.responses_encode import PER_ITEM, PING, ResponsesEncoder
from wattline.wire.call import Operation
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Idle,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Stop
from wattline.wire.sse import data, event_name
from wattline.wire.usage import Usage

CODEC = ResponsesCodec()
CALL = call(Operation.RESPONSES)
SDK: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
USAGE = Usage(36, 87, cached=6, reasoning=64, written=4)
START = Started("resp_1", "gpt-5", 1741476777)
END = (Stopped(Stop.END), Counted(USAGE), Ended())


def pieces(*events: Event, encoder: ResponsesEncoder | None = None) -> list[Piece]:
    encoder = encoder or CODEC.encoder(CALL)
    return [piece for event in events for piece in encoder.encode(event)]


def parsed(found: Iterable[Piece]) -> list[dict[str, Any]]:
    """The events, each checked against the SDK's types and its own name."""
    values = []
    for piece in found:
        payload = data(piece.raw)
        assert payload is not None
        values.append(json.loads(payload))
        assert event_name(piece.raw) == values[-1]["type"]
        SDK.validate_json(payload, strict=True)
    assert [value["sequence_number"] for value in values] == list(range(len(values)))
    return values


def kinds(found: Sequence[dict[str, Any]]) -> list[str]:
    return [value["type"].removeprefix("response.") for value in found]


def test_a_text():
    """B-021: the whole sequence, with the marks that failover and metering go by."""
    found = pieces(START, TextDelta("Hi"), TextDelta(" you"), *END)
    place = {"item_id": f"msg_{CALL.id}_0", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": "Hi you"}
    item = {
        "id": f"msg_{CALL.id}_0",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }
    values = parsed(found)
    assert [
        {k: v for k, v in value.items() if k != "sequence_number"} for value in values[2:-1]
    ] == [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": item | {"status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **place, "part": part | {"text": ""}},
        {"type": "response.output_text.delta", **place, "delta": "Hi", "logprobs": []},
        {"type": "response.output_text.delta", **place, "delta": " you", "logprobs": []},
        {"type": "response.output_text.done", **place, "text": "Hi you", "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
    ]
    assert kinds(values)[:2] == ["created", "in_progress"]
    assert values[-1]["type"] == "response.completed"
    assert values[-1]["response"]["output"] == [item]
    assert values[-1]["response"]["usage"]["total_tokens"] == 123
    assert [piece.mark for piece in found] == [
        *[Mark.STARTUP] * 4,
        *[Mark.OUTPUT] * 5,
        Mark.END,
    ]
    assert [piece.output for piece in found] == [0, 0, 0, 0, 2, 4, 0, 0, 0, 0]
    assert [piece.finish for piece in found] == [False] * 9 + [True]
    assert found[-1].usage == USAGE
    assert found[0].model == found[-1].model == "gpt-5"


def test_the_usual_reader_sees_the_same():
    """What a native stream is read with gives the marks, sizes and usage that the encoder gave."""
    events = (
        START,
        ReasoningDelta("Hm"),
        ReasoningSealed(signature="S"),
        TextDelta("Hi"),
        CallStarted(0, "c1", "f"),
        CallDelta(0, "{}"),
        Stopped(Stop.TOOL_CALLS),
        Counted(Usage(3, 4)),
        Ended(),
    )
    reader = DIALECT.reader(CALL)
    for piece in pieces(*events):
        [read] = reader.feed(piece.raw)
        assert (read.mark, read.output, read.finish, read.usage, read.model) == (
            piece.mark,
            piece.output,
            piece.finish,
            piece.usage,
            piece.model,
        )


def test_thoughts_text_refusal_and_calls_in_turns():
    values = parsed(
        pieces(
            START,
            ReasoningDelta("Hm"),
            ReasoningDelta("m"),
            ReasoningSealed(signature="S"),
            ReasoningSealed(redacted="R"),
            TextDelta("Hi"),
            RefusalDelta("No"),
            CallStarted(0, "c1", "f"),
            CallStarted(1, "c2", "g"),
            CallDelta(1, "{"),
            CallDelta(0, "{}"),
            CallDelta(1, "}"),
            Stopped(Stop.TOOL_CALLS),
            Ended(),
        )
    )
    assert kinds(values) == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    output = values[-1]["response"]["output"]
    assert output[0]["summary"] == [{"type": "summary_text", "text": "Hmm"}]
    assert output[0]["encrypted_content"] == "S"
    assert (output[1]["summary"], output[1]["encrypted_content"]) == ([], "R")
    assert [part["type"] for part in output[2]["content"]] == ["output_text", "refusal"]
    assert [(one["call_id"], one["arguments"]) for one in output[3:]] == [
        ("c1", "{}"),
        ("c2", "{}"),
    ]
    assert values[-1]["response"]["usage"] is None
    deltas = [value for value in values if value["type"].endswith("arguments.delta")]
    assert [(value["output_index"], value["delta"]) for value in deltas] == [
        (4, "{"),
        (3, "{}"),
        (4, "}"),
    ]
    refusal = next(value for value in values if value["type"] == "response.refusal.delta")
    assert (refusal["output_index"], refusal["content_index"]) == (2, 1)


def test_a_picture():
    values = parsed(pieces(START, TextDelta("See"), Picture("image/webp", "AA=="), *END))
    assert kinds(values)[-6:] == [
        "output_item.added",
        "image_generation_call.in_progress",
        "image_generation_call.generating",
        "image_generation_call.completed",
        "output_item.done",
        "completed",
    ]
    assert values[-1]["response"]["output"][1] == {
        "id": f"ig_{CALL.id}_1",
        "type": "image_generation_call",
        "status": "completed",
        "output_format": "webp",
        "result": "AA==",
    }


@pytest.mark.parametrize(
    ("stop", "kind", "reason"),
    [
        (Stop.LENGTH, "incomplete", "max_output_tokens"),
        (Stop.FILTERED, "incomplete", "content_filter"),
        (Stop.SEQUENCE, "completed", None),
        (Stop.OTHER, "completed", None),
        (Stop.PAUSED, "completed", None),
    ],
)
def test_stops(stop: Stop, kind: str, reason: str | None):
    values = parsed(pieces(START, TextDelta("Hi"), Stopped(stop), Ended()))
    last = values[-1]
    assert last["type"] == f"response.{kind}"
    assert last["response"]["status"] == last["response"]["output"][0]["status"] == kind
    assert last["response"]["incomplete_details"] == (reason and {"reason": reason})


def test_only_the_last_item_of_a_cut_answer_is_incomplete():
    values = parsed(
        pieces(
            TextDelta("Hi"),
            CallStarted(0, "a", "f"),
            CallStarted(1, "b", "f"),
            Stopped(Stop.LENGTH),
            Ended(),
        )
    )
    statuses = [item["status"] for item in values[-1]["response"]["output"]]
    assert statuses == ["completed", "completed", "incomplete"]


def test_an_answer_without_start_stop_or_counts():
    values = parsed(pieces(TextDelta("Hi"), Ended()))
    assert kinds(values)[0] == "created"
    assert kinds(values)[-1] == "completed"
    assert values[0]["response"]["id"] == f"resp_{CALL.id}"
    assert values[0]["response"]["model"] == CALL.model
    assert kinds(parsed(pieces(Ended()))) == ["created", "in_progress", "completed"]


def test_nothing_comes_twice_or_after_the_end():
    encoder = CODEC.encoder(CALL)
    before = pieces(START, START, TextDelta(""), ReasoningDelta(""), *END, encoder=encoder)
    assert kinds(parsed(before)) == ["created", "in_progress", "completed"]
    assert pieces(TextDelta("x"), Stopped(Stop.END), Idle(), Ended(), encoder=encoder) == []
    late = pieces(
        TextDelta("x"),
        Stopped(Stop.END),
        TextDelta("y"),
        CallStarted(0, "a", "f"),
        Stopped(Stop.LENGTH),
        Counted(USAGE),
        Ended(),
    )
    assert kinds(parsed(late))[-2:] == ["output_item.done", "completed"]
    assert late[-1].usage == USAGE


def test_odd_orders_do_no_harm():
    """Arguments without a call, a call that begins twice, other alternatives, a seal of nothing."""
    values = parsed(
        pieces(
            CallDelta(0, "{"),
            CallStarted(0, "a", "f"),
            CallStarted(0, "b", "g"),
            CallDelta(0, ""),
            ReasoningSealed(),
            TextDelta("x", alternative=1),
            Stopped(Stop.LENGTH, alternative=1),
            TextDelta("Hi"),
            CallDelta(0, "{}"),
            Ended(),
        )
    )
    output = values[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["function_call", "message"]
    assert (output[0]["name"], output[0]["arguments"]) == ("f", "{}")
    assert values[-1]["type"] == "response.completed"


def test_a_sign_of_life_is_a_comment():
    assert pieces(Idle()) == [Piece(Mark.STARTUP, PING)]
    assert data(PING) is None


def test_half_a_surrogate_pair_passes():
    values = [json.loads(data(piece.raw) or b"") for piece in pieces(TextDelta("\ud83d"), Ended())]
    assert values[-1]["response"]["output"][0]["content"][0]["text"] == "\ud83d"


def test_past_its_bound_an_answer_is_cut():
    """Deltas and the last event agree, and the client is told."""
    encoder = ResponsesEncoder(CALL, max_kept=PER_ITEM + 11)
    found = pieces(
        START,
        TextDelta("12345"),
        TextDelta("123456"),
        TextDelta("1"),
        ReasoningDelta("x"),
        CallStarted(0, "a", "f"),
        ReasoningSealed(signature="x" * 600),
        Picture("image/png", "x" * 600),
        *END,
        encoder=encoder,
    )
    values = parsed(found)
    output = values[-1]["response"]["output"]
    assert values[-1]["type"] == "response.incomplete"
    told = "".join(value["delta"] for value in values if value["type"].endswith("text.delta"))
    assert [item["content"][0]["text"] for item in output] == [told] == ["12345123456"]
    assert found[-1].usage == USAGE


def test_many_events_take_linear_time():
    encoder = CODEC.encoder(CALL)
    start = time.thread_time()
    for _ in range(200_000):
        encoder.encode(TextDelta("ab"))
    last = encoder.encode(Ended())[-1]
    assert time.thread_time() - start < 8
    assert b"ab" * 200_000 in last.raw


def test_many_items_take_linear_time():
    encoder = CODEC.encoder(CALL)
    start = time.thread_time()
    for number in range(5_000):
        encoder.encode(CallStarted(number, f"c{number}", "f"))
        encoder.encode(TextDelta("ab"))
    assert (
        len(json.loads(data(encoder.encode(Ended())[-1].raw) or b"")["response"]["output"])
        == 10_000
    )
    assert time.thread_time() - start < 8


def test_the_energy_goes_into_the_last_event():
    """A-051: the relay splices it into `response.usage`."""
    last = pieces(START, TextDelta("Hi"), *END)[-1]
    raw = DIALECT.write_usage(CALL, last, USAGE, Energy(15_750_000))
    usage = json.loads(data(raw) or b"")["response"]["usage"]
    assert usage["energy"] == 15.75
    assert usage["total_tokens"] == 123


TEXTS = st.text(min_size=1, max_size=6)
WORDS = st.text("abc", min_size=1, max_size=4)


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """An answer's events, in an order in which the decoder gives them."""
    events: list[Event] = [START]
    for index in range(draw(st.integers(0, 2))):
        if draw(st.booleans()):
            events += map(ReasoningDelta, draw(st.lists(TEXTS, min_size=1, max_size=2)))
            events.append(ReasoningSealed(signature=f"S{index}"))
        else:
            events.append(
                draw(st.sampled_from([ReasoningSealed(redacted="R"), ReasoningSealed("S")]))
            )
    events += map(TextDelta, draw(st.lists(TEXTS, max_size=3)))
    events += map(RefusalDelta, draw(st.lists(TEXTS, max_size=2)))
    calls = draw(st.integers(0, 3))
    events += [CallStarted(number, f"c{number}", draw(WORDS)) for number in range(calls)]
    if calls:
        some = st.builds(CallDelta, st.integers(0, calls - 1), TEXTS)
        events += draw(st.lists(some, max_size=4))
    ends = [Stop.LENGTH, Stop.FILTERED, Stop.TOOL_CALLS if calls else Stop.END]
    events.append(Stopped(draw(st.sampled_from(ends))))
    if draw(st.booleans()):
        events.append(Counted(USAGE))
    return [*events, Ended()]


def decoded(decoder: ResponsesDecoder, chunks: Iterable[bytes]) -> list[Event]:
    found = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [event for event in found if event != Idle()]


@given(streams(), st.data())
def test_a_stream_comes_back_the_same(events: list[Event], choose: st.DataObject):
    """Whatever its chunks; and all of it is what the SDK's types say."""
    found = pieces(*events)
    parsed(found)
    raw = b"".join(piece.raw for piece in found)
    cuts = sorted(choose.draw(st.sets(st.integers(0, len(raw)), max_size=20)))
    chunks = [raw[start:end] for start, end in pairwise([0, *cuts, len(raw)])]
    assert decoded(CODEC.decoder(), chunks) == events


def test_every_chunk_boundary():
    events = [START, TextDelta("ä"), CallStarted(0, "c", "f"), CallDelta(0, "{}")]
    events += [Stopped(Stop.TOOL_CALLS), Counted(USAGE), Ended()]
    raw = b"".join(piece.raw for piece in pieces(*events))
    for cut in range(len(raw)):
        assert decoded(CODEC.decoder(), [raw[:cut], raw[cut:]]) == events
    assert decoded(CODEC.decoder(), [bytes([byte]) for byte in raw]) == events


def streaming(*events: Event) -> tuple[httpx.Client, OpenAI]:
    """OpenAI's SDK, whose server answers with these events."""
    raw = [piece.raw for piece in pieces(*events)]

    def answer(request: httpx.Request) -> httpx.Response:
        assert json.loads(request.content)["stream"] is True
        headers = {"content-type": "text/event-stream"}
        return httpx.Response(200, content=iter(raw), headers=headers)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    return http, OpenAI(api_key="k", base_url="http://x.test/v1", http_client=http)


def test_the_sdk_reads_a_stream():
    """B-021: `responses.stream` of OpenAI's own SDK gathers the same answer as the last event says."""
    http, client = streaming(
        START,
        Idle(),
        ReasoningDelta("Hm"),
        ReasoningSealed(signature="S"),
        TextDelta("Hi"),
        TextDelta(" you"),
        RefusalDelta("No"),
        CallStarted(0, "c1", "f"),
        CallStarted(1, "c2", "f"),
        CallDelta(1, '{"b":'),
        CallDelta(0, '{"a":1}'),
        CallDelta(1, "2}"),
        Picture("image/png", "AA=="),
        Stopped(Stop.TOOL_CALLS),
        Counted(USAGE),
        Ended(),
    )
    with http, client.responses.stream(model="gpt-5", input="Hi") as stream:
        texts = [event.delta for event in stream if event.type == "response.output_text.delta"]
        response = stream.get_final_response()
    assert texts == ["Hi", " you"]
    assert response.id == "resp_1"
    assert response.output_text == "Hi you"
    assert [item.type for item in response.output] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
        "image_generation_call",
    ]
    calls = [item for item in response.output if item.type == "function_call"]
    assert [(one.call_id, one.arguments) for one in calls] == [
        ("c1", '{"a":1}'),
        ("c2", '{"b":2}'),
    ]
    assert response.usage is not None
    assert response.usage.input_tokens_details.cached_tokens == 6


def test_the_sdk_reads_a_cut_stream():
    http, client = streaming(START, TextDelta("Hi"), Stopped(Stop.LENGTH), Counted(USAGE), Ended())
    with http:
        *_, last = client.responses.create(model="gpt-5", input="Hi", stream=True)
    assert last.type == "response.incomplete"
    assert last.response.output_text == "Hi"
    assert last.response.incomplete_details is not None
    assert last.response.incomplete_details.reason == "max_output_tokens"
