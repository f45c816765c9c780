"""Neutral events into streams of chat completions."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from kit.neutral_answers import REPLIES
from kit.openai_calls import call
from wattline.dialects.assembly import Assembly
from wattline.dialects.openai import chat_encoder
from wattline.dialects.openai.chat_codec import ChatCodec
from wattline.dialects.openai.chunks import ChunkReader
from wattline.dialects.unfold import events_of
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
from wattline.wire.parts import Reasoning
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Reply, Stop
from wattline.wire.sse import DONE, data
from wattline.wire.usage import Usage

CODEC = ChatCodec()
CALL = replace(call(), wants_usage=True)
STARTED = Started("i", "m", 7)


def encoded(*events: Event, wants_usage: bool = True) -> list[Piece]:
    encoder = CODEC.encoder(replace(CALL, wants_usage=wants_usage))
    return [piece for event in events for piece in encoder.encode(event)]


def raw(pieces: list[Piece]) -> bytes:
    return b"".join(piece.raw for piece in pieces)


def body(piece: Piece) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data(piece.raw) or b"")
    return found


def delta(event: Event) -> dict[str, Any]:
    """What an event becomes."""
    *_, piece = encoded(STARTED, event)
    assert piece.mark is Mark.OUTPUT
    found: dict[str, Any] = body(piece)["choices"][0]["delta"]
    return found


@settings(max_examples=60)
@given(REPLIES, st.integers(1, 40))
def test_a_stream_means_the_same_when_it_is_decoded(reply: Reply, step: int) -> None:
    """A-052: a whole answer, sent as a stream, is still that answer."""
    events = list(events_of(reply, piece=3))
    stream = raw(encoded(*events))
    decoder = CODEC.decoder()
    found = [
        event
        for start in range(0, len(stream), step)
        for event in decoder.feed(stream[start : start + step])
    ]
    assert found == events


@settings(max_examples=60)
@given(REPLIES)
def test_the_sdk_and_the_meter_accept_what_is_written(reply: Reply) -> None:
    """A-052"""
    pieces = encoded(*events_of(reply))
    for piece in pieces[:-1]:
        ChatCompletionChunk.model_validate_json(data(piece.raw) or b"", strict=True)
    read = ChunkReader().feed(raw(pieces))
    assert [piece.finish for piece in read] == [piece.finish for piece in pieces]
    assert [piece.mark for piece in read if piece.mark is not Mark.STARTUP] == [
        piece.mark
        for piece, seen in zip(pieces, read, strict=True)
        if seen.mark is not Mark.STARTUP
    ]
    assert all(
        seen.mark is Mark.OUTPUT for seen, piece in zip(read, pieces, strict=True) if piece.output
    )


@given(REPLIES)
def test_a_client_can_send_signed_thought_back(reply: Reply) -> None:
    """Joined as clients join deltas: texts one after the other, arrays one after the other."""
    message: dict[str, Any] = {"role": "assistant"}
    for piece in encoded(*events_of(reply, piece=2))[:-1]:
        for choice in body(piece)["choices"]:
            if choice["index"] == 0:
                text = choice["delta"].get("reasoning_content", "")
                message["reasoning_content"] = message.get("reasoning_content", "") + text
                details = choice["delta"].get("reasoning_details", [])
                message["reasoning_details"] = [*message.get("reasoning_details", []), *details]
    prompt = CODEC.read_prompt({"messages": [message]}, CALL)
    parts = reply.alternatives[0].parts
    assert prompt.messages[0].parts == tuple(p for p in parts if isinstance(p, Reasoning))


@settings(max_examples=60)
@given(REPLIES)
def test_the_sdk_joins_the_stream_to_the_whole_answer(reply: Reply) -> None:
    """A-052: with each array's items told apart by their index."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for piece in encoded(*events_of(reply, piece=4))[:-1]:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(data(piece.raw) or b""))
    whole = json.loads(CODEC.write_reply(reply, CALL))["choices"]
    for choice, expected in zip(state.current_completion_snapshot.choices, whole, strict=True):
        assert choice.finish_reason == expected["finish_reason"]
        message, wanted = choice.message.model_dump(), expected["message"]
        assert (message["content"] or None) == (wanted["content"] or None)
        assert message.get("refusal") == wanted["refusal"]
        assert message.get("reasoning_content") == wanted.get("reasoning_content")
        assert without_index(message.get("images")) == without_index(wanted.get("images"))
        details = message.get("reasoning_details")
        assert details == wanted.get("reasoning_details")
        joined = [(item["id"], item["function"]) for item in message.get("tool_calls") or []]
        assert [id_ for id_, _ in joined] == [item["id"] for item in wanted.get("tool_calls", [])]
        for (_, function), item in zip(joined, wanted.get("tool_calls", []), strict=True):
            assert {key: function[key] for key in item["function"]} == item["function"]


def without_index(items: Any) -> Any:
    return [{key: item[key] for key in item if key != "index"} for item in items or []]


def test_a_plain_stream() -> None:
    pieces = encoded(STARTED, TextDelta("hé"), Stopped(Stop.LENGTH), Counted(Usage(3, 4)), Ended())
    head = {"id": "i", "object": "chat.completion.chunk", "created": 7, "model": "m"}
    deltas = [({"role": "assistant", "content": ""}, None), ({"content": "hé"}, None)]
    assert [body(piece) for piece in pieces[:3]] == [
        head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        for delta, finish in [*deltas, ({}, "length")]
    ]
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert body(pieces[3]) == head | {"choices": [], "usage": usage}
    assert pieces[4].raw == DONE
    assert [(piece.mark, piece.output, piece.finish) for piece in pieces] == [
        (Mark.STARTUP, 0, False),
        (Mark.OUTPUT, 2, False),
        (Mark.OUTPUT, 0, True),
        (Mark.USAGE, 0, False),
        (Mark.END, 0, False),
    ]
    assert pieces[3].usage == Usage(3, 4)
    assert {piece.model for piece in pieces[:4]} == {"m"}


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (ReasoningDelta("x"), {"reasoning_content": "x"}),
        (RefusalDelta("no"), {"refusal": "no"}),
        (
            CallStarted(1, "c", "f"),
            {
                "tool_calls": [
                    {
                        "index": 1,
                        "id": "c",
                        "type": "function",
                        "function": {"name": "f", "arguments": ""},
                    }
                ]
            },
        ),
        (CallDelta(1, "{}"), {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]}),
        (
            ReasoningSealed(redacted="r"),
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "r", "index": 0}]},
        ),
        (
            Picture("image/png", "AAAA"),
            {
                "images": [
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,AAAA"},
                        "index": 0,
                    }
                ]
            },
        ),
        (TextDelta("\ud83d"), {"content": "\ud83d"}),
    ],
)
def test_what_an_event_becomes(event: Event, found: dict[str, Any]) -> None:
    assert delta(event) == found


def test_a_signature_comes_with_all_of_its_thought() -> None:
    pieces = encoded(
        STARTED, ReasoningDelta("x"), ReasoningDelta("y"), ReasoningSealed("s"), ReasoningDelta("z")
    )
    assert body(pieces[3])["choices"][0]["delta"] == {
        "reasoning_details": [
            {"type": "reasoning.text", "text": "xy", "signature": "s", "index": 0}
        ]
    }


def test_blocks_of_thought_are_numbered() -> None:
    pieces = encoded(
        STARTED,
        ReasoningDelta("x"),
        ReasoningSealed(redacted="r"),
        ReasoningDelta("y"),
        ReasoningSealed("s"),
        ReasoningSealed(redacted="q", alternative=1),
    )
    details = [
        (item["index"], item["type"])
        for piece in pieces
        for item in body(piece)["choices"][0]["delta"].get("reasoning_details", [])
    ]
    text, encrypted = "reasoning.text", "reasoning.encrypted"
    assert details == [(0, text), (1, encrypted), (2, text), (0, encrypted)]


def test_thought_too_long_to_keep_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_encoder, "MAX_THOUGHT", 5)
    pieces = encoded(
        STARTED,
        ReasoningDelta("abc"),
        ReasoningDelta("def"),
        ReasoningDelta("g"),
        ReasoningSealed("s"),
    )
    (detail,) = body(pieces[-1])["choices"][0]["delta"]["reasoning_details"]
    assert (detail["text"], detail["signature"]) == ("", "s")


def test_without_a_start_there_is_one() -> None:
    pieces = encoded(TextDelta("a"), Ended())
    assert [piece.mark for piece in pieces[:2]] == [Mark.STARTUP, Mark.OUTPUT]
    assert body(pieces[0])["model"] == CALL.model
    assert body(pieces[0])["id"] == f"chatcmpl-{CALL.id}"


def test_each_alternative_begins_with_its_role() -> None:
    pieces = encoded(STARTED, TextDelta("a"), TextDelta("b", 1), TextDelta("c", 1))
    found = [body(piece)["choices"][0] for piece in pieces]
    assert [choice["index"] for choice in found] == [0, 0, 1, 1, 1]
    assert [choice["delta"].get("role") for choice in found] == [
        "assistant",
        None,
        "assistant",
        None,
        None,
    ]


def test_the_answer_is_finished_when_each_alternative_is() -> None:
    pieces = encoded(
        STARTED, TextDelta("a"), TextDelta("b", 1), Stopped(Stop.END), Stopped(Stop.END, 1)
    )
    assert [piece.finish for piece in pieces] == [False] * 5 + [True]


def test_an_end_without_a_stop_is_a_stop() -> None:
    pieces = encoded(STARTED, CallStarted(0, "c", "f"), Ended())
    assert body(pieces[-2])["choices"][0]["finish_reason"] == "tool_calls"
    assert pieces[-2].finish
    assert pieces[-1].mark is Mark.END


def test_an_answer_of_nothing_is_still_an_answer() -> None:
    pieces = encoded(Ended())
    assert [piece.mark for piece in pieces] == [Mark.STARTUP, Mark.OUTPUT, Mark.END]


def test_the_last_usage_counts_and_a_bad_one_is_told() -> None:
    pieces = encoded(
        STARTED,
        Counted(Usage(1, 1)),
        Counted(Usage(1, 2, written=1)),
        Counted(None, bad=True),
        Ended(),
    )
    assert pieces[-2].usage == Usage(1, 2, written=1)
    details = body(pieces[-2])["usage"]["prompt_tokens_details"]
    assert details == {"cached_tokens": 0, "cache_write_tokens": 1}
    assert pieces[-1].bad_usage


def test_a_client_that_did_not_ask_for_usage_can_read_a_choice() -> None:
    pieces = encoded(STARTED, Counted(Usage(1, 1)), Ended(), wants_usage=False)
    (choice,) = body(pieces[-2])["choices"]
    assert choice == {"index": 0, "delta": {}, "finish_reason": None}


def test_a_sign_of_life_is_a_comment() -> None:
    (piece,) = encoded(Idle())
    assert (piece.mark, piece.raw) == (Mark.STARTUP, b": \n\n")


def test_nothing_is_written_twice_or_after_the_end() -> None:
    pieces = encoded(
        STARTED, STARTED, Stopped(Stop.END), Stopped(Stop.END), Ended(), TextDelta("a"), Ended()
    )
    assert [piece.mark for piece in pieces] == [Mark.STARTUP, Mark.OUTPUT, Mark.END]


def test_a_flood_of_tiny_events_takes_linear_time() -> None:
    encoder = CODEC.encoder(CALL)
    start = time.process_time()
    for _ in range(200_000):
        encoder.encode(ReasoningDelta("x"))
    assert time.process_time() - start < 20


def test_an_assembly_of_a_decoded_stream_is_the_whole_answer() -> None:
    """A-052, the other way: a stream as a whole answer."""
    assembly = Assembly()
    stream = raw(encoded(STARTED, TextDelta("a"), TextDelta("b"), Stopped(Stop.END), Ended()))
    for event in CODEC.decoder().feed(stream):
        assembly.add(event)
    message = json.loads(CODEC.write_reply(assembly.reply(), CALL))["choices"][0]["message"]
    assert message["content"] == "ab"
