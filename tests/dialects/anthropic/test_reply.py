"""Whole messages, read and written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.anthropic_calls import call, spoiled
from wattline.dialects.anthropic.codec import MessagesCodec
from wattline.dialects.codec import BadReply, ReplyError
from wattline.wire.parts import Image, Part, Reasoning, Refusal, Text, ToolCall
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage

CODEC = MessagesCodec()
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "zz"},
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "t", "name": "get", "input": {"a": "\u00e9"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 20,
        "output_tokens": 12,
        "output_tokens_details": {"thinking_tokens": 3},
    },
}
REPLY = Reply(
    (
        Alternative(
            (
                Reasoning("hm", "sig"),
                Reasoning(redacted="zz"),
                Text("Hi"),
                ToolCall("t", "get", '{"a":"\u00e9"}'),
            ),
            Stop.TOOL_CALLS,
        ),
    ),
    "msg_1",
    "claude-x",
    None,
    Usage(35, 12, cached=20, reasoning=3, written=5),
)


def read(value: Any) -> Reply:
    return CODEC.read_reply(json.dumps(value).encode())


def write(*parts: Part, stop: Stop | None = Stop.END, **fields: Any) -> Any:
    return json.loads(CODEC.write_reply(Reply((Alternative(parts, stop),), **fields), call()))


def test_a_message_both_ways() -> None:
    assert read(MESSAGE) == REPLY
    assert json.loads(CODEC.write_reply(REPLY, call())) == MESSAGE


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", Stop.END),
        ("max_tokens", Stop.LENGTH),
        ("stop_sequence", Stop.SEQUENCE),
        ("tool_use", Stop.TOOL_CALLS),
        ("pause_turn", Stop.PAUSED),
        ("refusal", Stop.FILTERED),
    ],
)
def test_reasons(reason: str, stop: Stop) -> None:
    assert read(MESSAGE | {"stop_reason": reason}).alternatives[0].stop is stop
    assert write(Text("x"), stop=stop)["stop_reason"] == reason


def test_odd_reasons() -> None:
    said = read(MESSAGE | {"stop_reason": "model_context_window_exceeded"})
    assert said.alternatives[0].stop is Stop.LENGTH
    assert read(MESSAGE | {"stop_reason": "new"}).alternatives[0].stop is Stop.OTHER
    assert read(MESSAGE | {"stop_reason": None}).alternatives[0].stop is None
    assert write(Text("x"), stop=None)["stop_reason"] == "end_turn"
    assert write(Text("x"), stop=Stop.OTHER)["stop_reason"] == "end_turn"
    assert write(ToolCall("c", "get", ""), stop=Stop.END)["stop_reason"] == "tool_use"
    assert write(Refusal("No."), stop=Stop.END)["stop_reason"] == "refusal"


def test_a_stop_sequence_is_told() -> None:
    met = read(MESSAGE | {"stop_reason": "stop_sequence", "stop_sequence": "X"}).alternatives[0]
    assert (met.stop, met.sequence) == (Stop.SEQUENCE, "X")
    raw = CODEC.write_reply(Reply((Alternative((), Stop.SEQUENCE, "X"),)), call())
    assert json.loads(raw)["stop_sequence"] == "X"


def test_a_refusal_in_words() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Not that."}
    said = read(MESSAGE | {"content": [], "stop_reason": "refusal", "stop_details": details})
    assert said.alternatives[0] == Alternative((Refusal("Not that."),), Stop.FILTERED)


def test_what_a_reply_does_not_say() -> None:
    found = write()
    assert found == {
        "id": "msg_req_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": "end_turn",
        "stop_sequence": None,
    }
    assert json.loads(CODEC.write_reply(Reply(()), call())) == found


def test_parts_without_a_place_leave_a_notice() -> None:
    (block,) = write(Image("image/png", data="iV"))["content"]
    assert block["type"] == "text"
    assert "image left out" in block["text"]
    unsigned = write(Reasoning("hm"), Text(""))["content"]
    assert unsigned == [{"type": "thinking", "thinking": "hm", "signature": ""}]


def test_half_surrogates_are_written() -> None:
    found = write(Text("a\ud800"), ToolCall("c", "get", '{"a":"\\ud800"}'))["content"]
    assert found[1]["input"] == {"_unparsed_arguments": '{"a":"\\ud800"}'}
    lone = b'{"content":[{"type":"text","text":"a\\ud800"}]}'
    assert CODEC.read_reply(lone).alternatives[0].parts == (Text("a?"),)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"<html>",
        b"{}",
        b'{"content":{}}',
        b'{"content":[5]}',
        b'{"content":[{"type":"text"}]}',
        b'{"content":[{"type":"tool_use","id":"x","name":"y","input":"{}"}]}',
    ],
)
def test_what_is_no_message(raw: bytes) -> None:
    with pytest.raises(BadReply):
        CODEC.read_reply(raw)


def test_errors() -> None:
    with pytest.raises(ReplyError) as error:
        read({"type": "error", "error": {"type": "overloaded_error"}})
    assert error.value.word == "overloaded"


def test_counts_that_cannot_be_true_are_none() -> None:
    for count in (-1, 1.5, True, "1", 10**12):
        said = read(MESSAGE | {"usage": {"input_tokens": count, "output_tokens": 1}})
        assert (said.usage, said.bad_usage) == (None, True)
    assert read(MESSAGE | {"usage": {"input_tokens": 0, "output_tokens": 0}}).usage == Usage(0, 0)


def test_garbage_at_any_place_is_read_or_refused() -> None:
    for value in spoiled(MESSAGE):
        try:
            CODEC.write_reply(read(value), call())
        except (BadReply, ReplyError):
            continue


def test_too_deep() -> None:
    for depth in (500, 5_000, 100_000):
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        raw = b'{"content":[{"type":"tool_use","id":"x","name":"y","input":%b}]}' % deep
        try:
            CODEC.write_reply(CODEC.read_reply(raw), call())
        except BadReply:
            continue


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
PARTS = st.lists(
    st.one_of(
        st.builds(Text, TEXTS),
        st.builds(Reasoning, TEXTS, TEXTS),
        st.builds(lambda data: Reasoning(redacted=data), TEXTS),
        st.builds(
            lambda name, value: ToolCall(
                "c", name, json.dumps({"a": value}, ensure_ascii=False, separators=(",", ":"))
            ),
            TEXTS,
            TEXTS,
        ),
        st.just(ToolCall("c", "get", "no JSON")),
    ),
    max_size=4,
).map(tuple)
STOPS = st.sampled_from([stop for stop in Stop if stop not in (Stop.OTHER, Stop.END)])
COUNTS = st.integers(0, 9)
USAGES = st.none() | st.builds(
    lambda a, b, c, d, e: Usage(a + b + c, d + e, cached=b, reasoning=d, written=c),
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
)


@settings(max_examples=150, deadline=None)
@given(PARTS, STOPS, USAGES)
def test_a_reply_comes_back_as_it_was(
    parts: tuple[Part, ...], stop: Stop, usage: Usage | None
) -> None:
    reply = Reply((Alternative(parts, stop),), "msg_1", "claude-x", None, usage)
    assert CODEC.read_reply(CODEC.write_reply(reply, call())) == reply
