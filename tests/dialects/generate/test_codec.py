"""Generate bridges."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.generate.codec import GenerateBridgeCodec
from wattline.wire.parts import Image, Reasoning, Text, ToolCall, ToolResult
from wattline.wire.prompt import (
    Choice,
    Format,
    Message,
    Prompt,
    Role,
    Sampling,
    Thinking,
    Tool,
    ToolChoice,
)
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage

CODEC = GenerateBridgeCodec()


def say(role: Role, *parts: Any) -> Message:
    return Message(role, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def test_a_prompt_is_one_text() -> None:
    """C-063."""
    prompt = Prompt(
        (
            say(Role.USER, "Hi"),
            say(Role.SYSTEM, "Be brief."),
            say(Role.ASSISTANT, Reasoning("hm"), "Hello."),
            say(Role.USER, "What", "now?"),
            say(Role.SYSTEM, "Second."),
        ),
        sampling=Sampling(max_tokens=2048, temperature=0.3),
        hints={"service_tier": "auto"},
        user="u",
    )
    written = CODEC.write_prompt(prompt, "opus")
    assert written.body == {
        "model": "opus",
        "prompt": "user: Hi\n\nassistant: Hello.\n\nuser: What\nnow?\n\nsystem: Second.",
        "system": "Be brief.",
        "temperature": 0.3,
        "max_tokens": 2048,
    }
    assert (written.dropped, written.unsupported) == (("service_tier", "user"), ())
    assert CODEC.write_prompt(Prompt((say(Role.USER, "Hi"),)), "m").body == {
        "model": "m",
        "prompt": "user: Hi",
    }


def test_it_is_a_provider_that_does_not_stream() -> None:
    assert CODEC.path("m", stream=False) == "/api/generate"
    assert CODEC.streams is False
    assert not hasattr(CODEC, "decoder")
    assert not hasattr(CODEC, "encoder")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"messages": (say(Role.USER, Image("image/png", data="aGk=")),)}, ("images in messages",)),
        (
            {
                "messages": (
                    say(Role.ASSISTANT, ToolCall("c", "f", "{}")),
                    say(Role.TOOL, ToolResult("c", ())),
                )
            },
            ("tool calls in messages", "tool results in messages"),
        ),
        (
            {"tools": (Tool("f"),), "tool_choice": ToolChoice(Choice.REQUIRED)},
            ("tools", "tool_choice"),
        ),
        ({"format": Format()}, ("response_format",)),
        ({"thinking": Thinking("low")}, ("reasoning",)),
        (
            {
                "sampling": Sampling(
                    top_p=1.0,
                    top_k=1,
                    stop=("x",),
                    seed=0,
                    presence_penalty=1.0,
                    frequency_penalty=1.0,
                    n=2,
                )
            },
            ("top_p", "top_k", "stop", "seed", "presence_penalty", "frequency_penalty", "n"),
        ),
        ({"sampling": Sampling(n=1, presence_penalty=0.0)}, ()),
        ({"extras": {"logit_bias": {}}}, ("logit_bias",)),
    ],
)
def test_what_a_bridge_can_not_do_is_named(changes: dict[str, Any], names: tuple[str, ...]) -> None:
    assert CODEC.write_prompt(Prompt(**({"messages": ()} | changes)), "m").unsupported == names


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"choices": [{"message": {"content": "a"}}], "content": "b"}, "a"),
        ({"choices": [{"message": {"content": None}}], "content": "b", "response": "c"}, "b"),
        ({"choices": [], "response": "c", "message": {"content": "d"}}, "c"),
        ({"message": {"content": "d"}}, "d"),
        ({"choices": [{"message": {"content": ""}}], "content": "b"}, ""),
        ({"choices": "x", "content": 7, "response": [], "message": "m"}, ""),
        ({}, ""),
    ],
)
def test_the_text_is_found_wherever_it_is(body: dict[str, Any], text: str) -> None:
    """C-070."""
    (first,) = CODEC.read_reply(json.dumps(body).encode()).alternatives
    assert first.parts == ((Text(text),) if text else ())


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}, Usage(3, 4)),
        ({"usage": {"input_tokens": 3, "output_tokens": 4}}, Usage(3, 4)),
        ({"prompt_eval_count": 3, "eval_count": 4}, Usage(3, 4)),
        ({"usage": {"prompt_tokens": -3, "completion_tokens": 4}, "prompt_eval_count": 3}, None),
        ({"usage": None}, None),
    ],
)
def test_usage_and_model(body: dict[str, Any], usage: Usage | None) -> None:
    """C-071."""
    said = {"response": "x", "model": "opus", "stop_reason": "max_tokens", **body}
    expected = Reply((Alternative((Text("x"),), Stop.LENGTH),), model="opus", usage=usage)
    assert CODEC.read_reply(json.dumps(said).encode()) == expected
    assert CODEC.read_reply(b'{"response":"x","model":""}').model is None


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b"{" * 100_000])
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        CODEC.read_reply(body)


def test_an_error_in_a_success() -> None:
    with pytest.raises(ReplyError, match=r"^rate_limit$"):
        CODEC.read_reply(b'{"error":{"code":429,"message":"secret"}}')


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
keys = st.sampled_from(
    [
        "choices",
        "message",
        "content",
        "response",
        "usage",
        "prompt_tokens",
        "model",
        "finish_reason",
        "error",
    ]
)


@given(
    st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)
    )
)
def test_garbage_raises_nothing_else(value: Any) -> None:
    with suppress(BadReply, ReplyError):
        CODEC.read_reply(json.dumps(value).encode())
