"""Reading chat requests."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.neutral_answers import JSON
from kit.openai_calls import call
from wattline.base.errors import ClientFault
from wattline.dialects.openai.chat_codec import ChatCodec
from wattline.wire.parts import (
    Audio,
    File,
    Image,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
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

CODEC = ChatCodec()
HELLO = {"role": "user", "content": "hello"}


def read(*messages: Any, **fields: Any) -> Prompt:
    body = {"model": "m", "messages": list(messages) or [HELLO], **fields}
    return CODEC.read_prompt(body, call())


def only(message: Any) -> Message:
    (found,) = read(message).messages
    return found


def refused(*messages: Any, **fields: Any) -> str | None:
    with pytest.raises(ClientFault) as raised:
        read(*messages, **fields)
    assert raised.value.status == 400
    return raised.value.param


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant"])
def test_a_text_is_read_for_each_role(role: str) -> None:
    message = {"role": role, "content": "hi", "name": "ann"}
    assert only(message) == Message(Role(role), (Text("hi"),), "ann")


def test_parts_of_a_user() -> None:
    content = [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "high"}},
        {"type": "image_url", "image_url": {"url": "data:image/PNG;base64,AAAA"}},
        {"type": "image_url", "image_url": "https://x/z.png"},
        {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,CCCC", "filename": "a.pdf"},
        },
        {"type": "file", "file": {"file_data": "https://x/a.pdf", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": "DDDD"}},
    ]
    assert only({"role": "user", "content": content}).parts == (
        Text("a", {"type": "ephemeral"}),
        Image(url="https://x/y.png", detail="high"),
        Image("image/png", "AAAA"),
        Image(url="https://x/z.png"),
        Audio("audio/wav", "BBBB"),
        File(id="file-1"),
        File("application/pdf", "CCCC", name="a.pdf"),
        File(url="https://x/a.pdf", name="a.pdf"),
        File(data="DDDD"),
    )


def test_empty_texts_are_no_parts() -> None:
    assert only({"role": "user", "content": ""}).parts == ()
    assert only({"role": "assistant", "content": None}).parts == ()
    assert only({"role": "user", "content": [{"type": "text", "text": ""}]}).parts == ()


def test_a_tools_call_and_its_result() -> None:
    first, second = read(
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "f", "arguments": "{}"},
                    "extra_content": {"google": {"thought_signature": "s"}},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "4"}]},
    ).messages
    assert first == Message(Role.ASSISTANT, (ToolCall("c1", "f", "{}", "s"),))
    assert second == Message(Role.TOOL, (ToolResult("c1", (Text("4"),), "f"),))


def test_the_older_functions_are_read_into_the_same() -> None:
    prompt = read(
        HELLO,
        {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "f", "arguments": "{}"},
        },
        {"role": "function", "name": "f", "content": "4"},
        functions=[{"name": "f", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    (called,) = prompt.messages[1].parts
    assert isinstance(called, ToolCall)
    assert called.name == "f"
    assert prompt.messages[2].parts == (ToolResult(called.id, (Text("4"),), "f"),)
    assert prompt.tools == (Tool("f", schema={"type": "object"}),)
    assert prompt.tool_choice == ToolChoice(Choice.NAMED, "f")


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"reasoning_content": "x"}, (Reasoning("x"),)),
        ({"reasoning": "x"}, (Reasoning("x"),)),
        (
            {
                "reasoning_content": "xy",
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "x", "signature": "s", "index": 0},
                    {"type": "reasoning.encrypted", "data": "r", "index": 1},
                ],
            },
            (Reasoning("x", "s"), Reasoning(redacted="r")),
        ),
        (
            {
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "x", "index": 0},
                    {"type": "reasoning.text", "text": "y", "index": 0},
                    {"type": "reasoning.text", "signature": "s", "index": 0},
                ]
            },
            (Reasoning("xy", "s"),),
        ),
        (
            {
                "reasoning": "x",
                "reasoning_details": [{"type": "reasoning.text", "signature": "s"}],
            },
            (Reasoning("x", "s"),),
        ),
        (
            {
                "reasoning": "x",
                "reasoning_details": [{"type": "reasoning.encrypted", "data": "r"}],
            },
            (Reasoning("x"), Reasoning(redacted="r")),
        ),
        (
            {"reasoning_details": [{"type": "reasoning.summary", "summary": "x"}, 7, {}]},
            (Reasoning("x"),),
        ),
        (
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "x"}]}]},
            (Reasoning("x"),),
        ),
        ({"refusal": "no"}, (Refusal("no"),)),
        ({"content": [{"type": "refusal", "refusal": "no"}]}, (Refusal("no"),)),
        (
            {"images": [{"type": "image_url", "image_url": {"url": "https://x"}}]},
            (Image(url="https://x"),),
        ),
    ],
)
def test_what_an_assistant_thought_and_refused(
    message: dict[str, Any], parts: tuple[Any, ...]
) -> None:
    assert only({"role": "assistant", **message}).parts == parts


def test_tools_and_choices() -> None:
    function = {"name": "f", "description": "d", "parameters": {"a": 1}, "strict": True}
    tool = {"type": "function", "function": function}
    assert read(tools=[tool]).tools == (Tool("f", "d", {"a": 1}, strict=True),)
    assert read(tool_choice="required").tool_choice == ToolChoice(Choice.REQUIRED)
    assert read(tool_choice="any").tool_choice == ToolChoice(Choice.REQUIRED)
    assert read(parallel_tool_calls=False).tool_choice == ToolChoice(parallel=False)
    named = {"type": "function", "function": {"name": "f"}}
    choice = read(tool_choice=named, parallel_tool_calls=True).tool_choice
    assert choice == ToolChoice(Choice.NAMED, "f", parallel=True)


def test_formats() -> None:
    assert read(response_format={"type": "text"}).format is None
    assert read(response_format={"type": "json_object"}).format == Format()
    schema = {"name": "n", "schema": {"type": "object"}, "strict": True, "description": "d"}
    found = read(response_format={"type": "json_schema", "json_schema": schema}).format
    assert found == Format({"type": "object"}, "n", "d", strict=True)


def test_sampling() -> None:
    prompt = read(
        max_tokens=5,
        max_completion_tokens=6,
        temperature=1,
        top_p=0.5,
        top_k=-1,
        stop="x",
        random_seed=-3,
        presence_penalty=-1,
        frequency_penalty=2,
        n=2,
        user="u",
        stream=True,
    )
    assert prompt.sampling == Sampling(6, 1, 0.5, None, ("x",), -3, -1, 2, 2)
    assert prompt.user == "u"
    assert prompt.stream
    assert read(stop=["a", "b"]).sampling.stop == ("a", "b")


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({"reasoning_effort": "low"}, Thinking("low")),
        ({"reasoning": {"effort": "high", "exclude": True}}, Thinking("high", visible=False)),
        ({"reasoning": {"max_tokens": 100}}, Thinking(budget=100)),
        ({"reasoning": {"enabled": True}}, Thinking(budget=-1)),
        ({"reasoning": {"enabled": False}}, Thinking("none")),
        ({"include_reasoning": False}, Thinking(visible=False)),
        ({"thinking": {"type": "disabled"}}, Thinking("none")),
        ({"thinking": {"type": "enabled"}}, Thinking(budget=-1)),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, Thinking(budget=9)),
        ({}, None),
    ],
)
def test_thinking(fields: dict[str, Any], thinking: Thinking | None) -> None:
    assert read(**fields).thinking == thinking


def test_hints_and_extras_are_told_apart() -> None:
    hints = {"metadata": {"a": "b"}, "store": True, "service_tier": "flex", "verbosity": "low"}
    extras = {"logit_bias": {"1": 2}, "logprobs": True, "prediction": {"type": "content"}}
    prompt = read(**hints, **extras, audio=None, modalities=[], stream_options={})
    assert prompt.hints == hints
    assert prompt.extras == extras


def test_what_has_no_neutral_form_is_told_by_its_place() -> None:
    prompt = read(
        {"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]},
        {
            "role": "assistant",
            "audio": {"id": "a"},
            "annotations": [{"type": "url_citation"}],
            "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f", "input": ""}}],
        },
        {
            "role": "tool",
            "tool_call_id": "c",
            "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}],
        },
        tools=[{"type": "custom", "custom": {"name": "f"}}],
        tool_choice={"type": "allowed_tools", "allowed_tools": {}},
        response_format={"type": "grammar"},
    )
    assert sorted(prompt.extras) == [
        "messages[0].content[0] (video_url)",
        "messages[1].audio",
        "messages[1].tool_calls[0] (custom)",
        "messages[2].content (audio)",
        "response_format",
        "tool_choice",
        "tools[0] (custom)",
    ]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (7, "messages[0]"),
        ({}, "messages[0].role"),
        ({"role": "model"}, "messages[0].role"),
        ({"role": "user", "content": 7}, "messages[0].content"),
        ({"role": "user", "content": [7]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        (
            {"role": "user", "content": [{"type": "image_url"}]},
            "messages[0].content[0].image_url",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": 7}}]},
            "messages[0].content[0].image_url.url",
        ),
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
            "messages[0].content[0].input_audio.format",
        ),
        (
            {"role": "user", "content": [{"type": "file", "file": {}}]},
            "messages[0].content[0].file",
        ),
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "function", "content": "x"}, "messages[0].name"),
        ({"role": "user", "content": "x", "name": 7}, "messages[0].name"),
        ({"role": "assistant", "refusal": 7}, "messages[0].refusal"),
        ({"role": "assistant", "tool_calls": {}}, "messages[0].tool_calls"),
        ({"role": "assistant", "tool_calls": [{}]}, "messages[0].tool_calls[0].id"),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": 7}}]},
            "messages[0].tool_calls[0].function.name",
        ),
        (
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {}}}],
            },
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"role": "assistant", "function_call": {}}, "messages[0].function_call.name"),
    ],
)
def test_a_wrong_message_is_refused_by_its_place(message: Any, param: str) -> None:
    assert refused(message) == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [7]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": 7}}]},
            "tools[0].function.parameters",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "strict": 1}}]},
            "tools[0].function.strict",
        ),
        ({"functions": [{}]}, "functions[0].name"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": 7}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tool_choice": {"type": "function", "function": {}}}, "tool_choice.function.name"),
        ({"function_call": {}}, "function_call.name"),
        ({"parallel_tool_calls": "yes"}, "parallel_tool_calls"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {}}},
            "response_format.json_schema.name",
        ),
        ({"stop": 7}, "stop"),
        ({"stop": ["a", 7]}, "stop[1]"),
        ({"seed": 1.5}, "seed"),
        ({"seed": True}, "seed"),
        ({"top_p": 2}, "top_p"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"reasoning_effort": 7}, "reasoning_effort"),
        ({"reasoning": "high"}, "reasoning"),
        ({"thinking": {}}, "thinking.type"),
        ({"user": 7}, "user"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields) == param


FULL: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "name": "n",
            "content": [
                {"type": "text", "text": "t"},
                {"type": "image_url", "image_url": {"url": "https://x", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"file_data": "AAAA", "filename": "f"}},
            ],
        },
        {
            "role": "assistant",
            "content": "c",
            "refusal": "r",
            "reasoning_content": "x",
            "reasoning_details": [{"type": "reasoning.text", "text": "x", "signature": "s"}],
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
            "function_call": {"name": "f", "arguments": "{}"},
        },
        {"role": "tool", "tool_call_id": "c", "content": "4"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "reasoning": {"effort": "low", "max_tokens": 5, "exclude": False},
    "thinking": {"type": "enabled", "budget_tokens": 5},
    "stop": ["a"],
    "logit_bias": {"1": 2},
    "metadata": {"a": "b"},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of each value in a body, that of the body left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, inner in items:
        found.append((*path, key))
        if isinstance(inner, dict | list):
            found += places(inner, (*path, key))
    return found


@settings(max_examples=400)
@given(st.sampled_from(places(FULL)), JSON)
def test_anything_anywhere_is_read_or_refused_and_can_be_written(
    path: tuple[Any, ...], value: Any
) -> None:
    body = deepcopy(FULL)
    holder = body
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    try:
        prompt = CODEC.read_prompt(body, call())
    except ClientFault as fault:
        assert fault.param  # noqa: PT017  (either outcome is right)
        return
    json.dumps(CODEC.write_prompt(prompt, "m").body)
