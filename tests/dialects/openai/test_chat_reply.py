"""Whole chat answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from kit.neutral_answers import JSON, REPLIES
from kit.openai_calls import call
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.openai.chat_codec import ChatCodec
from wattline.wire.parts import Image, Part, Reasoning, Refusal, Text, ToolCall
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage

CODEC = ChatCodec()


def answer(message: Any, finish: Any = "stop", **choice: Any) -> bytes:
    found = {"index": 0, "message": message, "finish_reason": finish, **choice}
    return json.dumps({"id": "i", "model": "m", "created": 7, "choices": [found]}).encode()


def read(message: Any, finish: Any = "stop", **choice: Any) -> Alternative:
    reply = CODEC.read_reply(answer(message, finish, **choice))
    assert (reply.id, reply.model, reply.created) == ("i", "m", 7)
    (found,) = reply.alternatives
    return found


def usage(value: Any) -> Reply:
    body = {"choices": [{"message": {"content": "a"}}], "usage": value}
    return CODEC.read_reply(json.dumps(body).encode())


def written(*parts: Part, stop: Stop | None = Stop.END) -> dict[str, Any]:
    reply = Reply((Alternative(parts, stop),), usage=Usage(1, 2))
    found: dict[str, Any] = json.loads(CODEC.write_reply(reply, call()))
    return found


@given(REPLIES)
def test_an_answer_means_the_same_when_it_is_written_and_read(reply: Reply) -> None:
    body = CODEC.write_reply(reply, call())
    assert CODEC.read_reply(body) == reply


@given(REPLIES)
def test_the_sdk_accepts_what_is_written(reply: Reply) -> None:
    found = ChatCompletion.model_validate_json(CODEC.write_reply(reply, call()), strict=True)
    assert found.id == reply.id
    assert len(found.choices) == len(reply.alternatives)


def test_what_a_provider_did_not_say_is_made() -> None:
    found = written(Text("a"))
    assert found["id"].startswith("chatcmpl-")
    assert found["model"] == call().model
    assert found["object"] == "chat.completion"
    assert found["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "a", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]


@pytest.mark.parametrize(
    ("stop", "word"),
    [
        (None, "stop"),
        (Stop.END, "stop"),
        (Stop.SEQUENCE, "stop"),
        (Stop.PAUSED, "stop"),
        (Stop.OTHER, "stop"),
        (Stop.LENGTH, "length"),
        (Stop.FILTERED, "content_filter"),
        (Stop.TOOL_CALLS, "tool_calls"),
    ],
)
def test_each_stop_has_a_word(stop: Stop | None, word: str) -> None:
    assert written(Text("a"), stop=stop)["choices"][0]["finish_reason"] == word


@pytest.mark.parametrize("stop", [None, Stop.END])
def test_an_answer_with_calls_stopped_for_them(stop: Stop | None) -> None:
    (choice,) = written(ToolCall("c", "f", "{}"), stop=stop)["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None


def test_unsigned_thought_has_no_details() -> None:
    message = written(Reasoning("x"), Text("a"))["choices"][0]["message"]
    assert message["reasoning_content"] == "x"
    assert "reasoning_details" not in message


def test_signed_thought_survives_a_client_that_sends_it_back() -> None:
    parts = (Reasoning("x", "s"), Reasoning(redacted="r"), Text("a"), ToolCall("c", "f", "{}", "g"))
    message = written(*parts)["choices"][0]["message"]
    prompt = CODEC.read_prompt({"messages": [message]}, call())
    assert prompt.messages[0].parts == parts


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": "a"}, (Text("a"),)),
        ({"content": ""}, ()),
        ({"content": None}, ()),
        ({}, ()),
        ({"content": 7, "tool_calls": 7, "refusal": 7, "images": 7}, ()),
        ({"reasoning_content": "x", "content": "a"}, (Reasoning("x"), Text("a"))),
        ({"reasoning": "x"}, (Reasoning("x"),)),
        ({"reasoning": "x", "reasoning_content": "x"}, (Reasoning("x"),)),
        ({"reasoning": None, "reasoning_details": [None]}, ()),
        ({"refusal": "no"}, (Refusal("no"),)),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "x"}]},
                    {"type": "text", "text": "a"},
                    7,
                ]
            },
            (Reasoning("x"), Text("a")),
        ),
        (
            {"images": [{"image_url": {"url": "data:image/webp;base64,AAAA"}}, {}]},
            (Image("image/webp", "AAAA"),),
        ),
        (
            {"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}, {"id": "x"}]},
            (ToolCall("call_0_0", "f", '{"a":1}'),),
        ),
        (
            {"tool_calls": [{"id": "c", "function": {"name": "f"}}]},
            (ToolCall("c", "f", "{}"),),
        ),
        (
            {"function_call": {"name": "f", "arguments": "{}"}},
            (ToolCall("call_0_0", "f", "{}"),),
        ),
    ],
)
def test_messages_of_many_providers(message: dict[str, Any], parts: tuple[Part, ...]) -> None:
    assert read(message).parts == parts


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("stop", Stop.END),
        ("length", Stop.LENGTH),
        ("model_length", Stop.LENGTH),
        ("tool_calls", Stop.TOOL_CALLS),
        ("function_call", Stop.TOOL_CALLS),
        ("content_filter", Stop.FILTERED),
        ("insufficient_system_resource", Stop.OTHER),
        (None, None),
        (7, None),
    ],
)
def test_finish_reasons(finish: Any, stop: Stop | None) -> None:
    assert read({"content": "a"}, finish).stop is stop


def test_a_stop_with_calls_is_for_the_calls() -> None:
    """OpenAI says `stop` for a call that was demanded by name."""
    assert read({"tool_calls": [{"id": "c", "function": {"name": "f"}}]}).stop is Stop.TOOL_CALLS


def test_a_stop_sequence_is_told_where_the_provider_tells_it() -> None:
    found = read({"content": "a"}, stop_reason="END")
    assert (found.stop, found.sequence) == (Stop.SEQUENCE, "END")
    assert read({"content": "a"}, stop_reason=128009).stop is Stop.END


def test_alternatives_are_in_the_order_of_their_index() -> None:
    choices = [{"index": place, "message": {"content": f"{place}"}} for place in (2, 0, 1)]
    reply = CODEC.read_reply(json.dumps({"choices": [*choices, 7, {}]}).encode())
    assert [found.parts for found in reply.alternatives] == [(Text(f"{n}"),) for n in range(3)]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(0, 0)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            Usage(9, 5, 4, 2, written=3),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 5, "prompt_cache_hit_tokens": 4},
            Usage(9, 5, 4),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 5, "cached_tokens": 4}, Usage(9, 5, 4)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 99},
            },
            Usage(9, 5, 4, written=5),
        ),
        ({"prompt_tokens": -1, "completion_tokens": 5}, None),
        ({"prompt_tokens": 9, "completion_tokens": 10**10}, None),
        ({"prompt_tokens": 9.5, "completion_tokens": 5}, None),
        ({"prompt_tokens": True, "completion_tokens": 5}, None),
        ({"prompt_tokens": "9", "completion_tokens": 5}, None),
        ({"prompt_tokens": 9, "completion_tokens": 5, "prompt_cache_hit_tokens": -4}, None),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cache_write_tokens": "3"},
            },
            None,
        ),
    ],
)
def test_usage(value: Any, found: Usage | None) -> None:
    reply = usage(value)
    assert reply.usage == found
    assert reply.bad_usage is (found is None and bool(value))


@pytest.mark.parametrize("key", ["content", "response"])
def test_a_text_outside_of_choices_is_found(key: str) -> None:
    """C-070"""
    reply = CODEC.read_reply(json.dumps({key: "a"}).encode())
    assert reply.alternatives == (Alternative((Text("a"),), Stop.END),)


def test_a_message_outside_of_choices_is_found() -> None:
    """C-070"""
    reply = CODEC.read_reply(b'{"message":{"content":"a"}}')
    assert reply.alternatives == (Alternative((Text("a"),), Stop.END),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b"{",
        b'{"choices":[]}',
        b'{"choices":[7]}',
        b'{"choices":[{"message":"a"}]}',
        b"\xff\xfe",
        b'{"choices":' * 5000,
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(BadReply):
        CODEC.read_reply(body)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"error": {"code": "rate_limit_exceeded"}}, "rate_limit"),
        ({"error": "overloaded"}, "overloaded"),
        ({"object": "error", "code": 503}, "overloaded"),
        ({"choices": [{"error": {"code": 429}, "message": {"content": ""}}]}, "rate_limit"),
    ],
)
def test_an_error_inside_a_success(body: dict[str, Any], word: str) -> None:
    with pytest.raises(ReplyError) as raised:
        CODEC.read_reply(json.dumps(body).encode())
    assert raised.value.word == word


def test_a_time_of_any_size_is_passed_on() -> None:
    body = b'{"created":%d,"choices":[{"message":{"content":"a"}}]}' % 10**30
    assert json.loads(CODEC.write_reply(CODEC.read_reply(body), call()))["created"] == 10**30


def test_halves_of_surrogate_pairs_are_passed_on() -> None:
    body = b'{"choices":[{"message":{"content":"a\\ud83d"},"finish_reason":"stop"}]}'
    reply = CODEC.read_reply(body)
    assert json.loads(CODEC.write_reply(reply, call()))["choices"][0]["message"]["content"] == (
        "a\ud83d"
    )


@given(JSON, st.sampled_from(["message", "index", "finish_reason", "error", "stop_reason"]))
def test_anything_in_a_choice_is_read_or_refused(value: Any, key: str) -> None:
    choice = {"index": 0, "message": {"content": "a"}, "finish_reason": "stop", key: value}
    try:
        CODEC.read_reply(json.dumps({"choices": [choice]}).encode())
    except (BadReply, ReplyError):
        return


@given(
    JSON,
    st.sampled_from(
        ["content", "refusal", "tool_calls", "reasoning", "reasoning_details", "images"]
    ),
)
def test_anything_in_a_message_is_read(value: Any, key: str) -> None:
    reply = CODEC.read_reply(answer({"content": "a", key: value}))
    CODEC.write_reply(reply, call())
