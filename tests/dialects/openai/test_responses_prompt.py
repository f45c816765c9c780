"""What the Responses API's requests are read into."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.openai_calls import call
from wattline.base.errors import ClientFault
from wattline.dialects.openai.responses_codec import ResponsesCodec
from wattline.wire.call import Operation
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

CODEC = ResponsesCodec()
CALL = call(Operation.RESPONSES)
PNG = "data:image/png;base64,iVBORw0KGgo="


def read(**fields: Any) -> Prompt:
    return CODEC.read_prompt({"model": "gpt-5", "input": "Hi", **fields}, CALL)


def said(*items: dict[str, Any]) -> tuple[Message, ...]:
    return read(input=list(items)).messages


def test_a_text_is_a_users_message():
    """B-021: `POST /v1/responses`."""
    assert read() == Prompt((Message(Role.USER, (Text("Hi"),)),))


def test_what_codex_sends():
    """A later turn of a coding agent: instructions, sealed thoughts, a call and its output."""
    prompt = CODEC.read_prompt(
        {
            "model": "gpt-5-codex",
            "instructions": "You are a coding agent.",
            "input": [
                {
                    "type": "message",
                    "role": "developer",
                    "content": [{"type": "input_text", "text": "Sandbox: read-only"}],
                },
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "List the files"}],
                },
                {
                    "type": "reasoning",
                    "summary": [
                        {"type": "summary_text", "text": "One"},
                        {"type": "summary_text", "text": "Two"},
                    ],
                    "content": None,
                    "encrypted_content": "gAAAA",
                },
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "I look."}],
                    "phase": "commentary",
                },
                {
                    "type": "function_call",
                    "name": "shell",
                    "arguments": '{"command":["ls"]}',
                    "call_id": "call_1",
                },
                {"type": "function_call_output", "call_id": "call_1", "output": "README.md"},
            ],
            "tools": [
                {
                    "type": "function",
                    "name": "shell",
                    "description": "Runs a command",
                    "strict": False,
                    "parameters": {"type": "object", "properties": {}},
                },
                {"type": "web_search"},
            ],
            "tool_choice": "auto",
            "parallel_tool_calls": False,
            "reasoning": {"effort": "high", "summary": "detailed"},
            "store": False,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "session",
            "text": {"verbosity": "low"},
        },
        CALL,
    )
    assert prompt == Prompt(
        messages=(
            Message(Role.SYSTEM, (Text("You are a coding agent."),)),
            Message(Role.DEVELOPER, (Text("Sandbox: read-only"),)),
            Message(Role.USER, (Text("List the files"),)),
            Message(
                Role.ASSISTANT,
                (
                    Reasoning("One\n\nTwo", signature="gAAAA"),
                    Text("I look."),
                    ToolCall("call_1", "shell", '{"command":["ls"]}'),
                ),
            ),
            Message(Role.TOOL, (ToolResult("call_1", (Text("README.md"),), "shell"),)),
        ),
        tools=(
            Tool("shell", "Runs a command", {"type": "object", "properties": {}}, strict=False),
        ),
        tool_choice=ToolChoice(Choice.AUTO, parallel=False),
        thinking=Thinking("high", visible=True),
        stream=True,
        hints={
            "input[3].phase": "commentary",
            "verbosity": "low",
            "reasoning.summary": "detailed",
            "prompt_cache_key": "session",
        },
        extras={"tools[1] (web_search)": {"type": "web_search"}},
    )


def test_parts_of_a_message():
    parts = [
        {"type": "input_text", "text": "See"},
        {"type": "input_image", "image_url": PNG, "detail": "auto"},
        {"type": "input_image", "image_url": "https://x.test/a.png", "detail": "high"},
        {"type": "input_image", "file_id": "file_1"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JV"},
        {"type": "input_file", "file_data": "JV"},
        {"type": "input_file", "file_url": "https://x.test/a.pdf"},
        {"type": "input_file", "file_id": "file_2"},
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
    ]
    assert said({"role": "user", "content": parts})[0].parts == (
        Text("See"),
        Image("image/png", data="iVBORw0KGgo="),
        Image(url="https://x.test/a.png", detail="high"),
        Image(id="file_1"),
        File("application/pdf", data="JV", name="a.pdf"),
        File(data="JV"),
        File(url="https://x.test/a.pdf"),
        File(id="file_2"),
        Audio("audio/wav", data="UklG"),
    )


@pytest.mark.parametrize(
    ("url", "image"),
    [
        ("DATA:image/WebP;base64,AA==", Image("image/webp", data="AA==")),
        ("data:image/png;charset=x;base64,AA==", Image("image/png", data="AA==")),
        ("data:;base64,AA==", Image(None, data="AA==")),
        ("data:image/svg+xml,%3Csvg", Image(url="data:image/svg+xml,%3Csvg")),
        ("data:", Image(url="data:")),
    ],
)
def test_data_urls(url: str, image: Image):
    part = {"type": "input_image", "image_url": url}
    assert said({"role": "user", "content": [part]})[0].parts == (image,)


def test_a_cache_breakpoint_is_a_hint_on_its_part():
    part = {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert said({"role": "user", "content": [part]})[0].parts == (Text("x", {"type": "ephemeral"}),)


def test_a_refusal():
    part = {"type": "refusal", "refusal": "No."}
    assert said({"role": "assistant", "content": [part]})[0].parts == (Refusal("No."),)


def test_outputs_of_tools():
    """Parallel calls are one turn, their outputs one message; an error is told by the status."""
    image = {"type": "input_image", "image_url": PNG}
    messages = said(
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "g", "arguments": "{"},
        {
            "type": "function_call_output",
            "call_id": "a",
            "output": [{"type": "input_text", "text": "x"}, image],
        },
        {"type": "function_call_output", "call_id": "b", "output": "bad", "status": "incomplete"},
        {"type": "function_call_output", "call_id": "c", "output": ""},
    )
    assert messages == (
        Message(Role.ASSISTANT, (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{"))),
        Message(
            Role.TOOL,
            (
                ToolResult("a", (Text("x"), Image("image/png", data="iVBORw0KGgo=")), "f"),
                ToolResult("b", (Text("bad"),), "g", error=True),
                ToolResult("c", ()),
            ),
        ),
    )


def test_turns_of_an_assistant():
    """Two messages stay two; what stands around a call is one turn, which its output can follow."""

    def speech(text: str) -> dict[str, Any]:
        return {"role": "assistant", "content": text}

    called = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    thought = {"type": "reasoning", "summary": [], "encrypted_content": "E"}
    assert said(speech("a"), speech("b"), called, speech("c"), thought) == (
        Message(Role.ASSISTANT, (Text("a"),)),
        Message(
            Role.ASSISTANT,
            (Text("b"), ToolCall("a", "f", "{}"), Text("c"), Reasoning(redacted="E")),
        ),
    )
    assert len(said({"role": "user", "content": "a"}, {"role": "user", "content": "b"})) == 2


@pytest.mark.parametrize(
    ("fields", "thought"),
    [
        ({"summary": [], "encrypted_content": "E"}, Reasoning(redacted="E")),
        (
            {"summary": [{"type": "summary_text", "text": ""}], "encrypted_content": "E"},
            Reasoning(signature="E"),
        ),
        (
            {"summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]},
            Reasoning("Hm"),
        ),
    ],
)
def test_thoughts(fields: dict[str, Any], thought: Reasoning):
    assert said({"type": "reasoning", "id": "rs_1", **fields})[0].parts == (thought,)


def test_sampling_and_format():
    schema = {"type": "object"}
    prompt = read(
        temperature=0.5,
        top_p=1,
        max_output_tokens=10,
        user="u1",
        text={"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}},
    )
    assert prompt.sampling == Sampling(max_tokens=10, temperature=0.5, top_p=1)
    assert prompt.format == Format(schema, "n", strict=True)
    assert prompt.user == "u1"
    assert read(text={"format": {"type": "json_object"}}).format == Format()
    assert read(text={"format": {"type": "text"}}).format is None


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        (None, True, ToolChoice(parallel=True)),
        ("none", None, ToolChoice(Choice.NONE)),
        ("required", False, ToolChoice(Choice.REQUIRED, parallel=False)),
        ({"type": "function", "name": "f"}, None, ToolChoice(Choice.NAMED, "f")),
    ],
)
def test_tool_choices(choice: Any, parallel: Any, expected: ToolChoice | None):
    assert read(tool_choice=choice, parallel_tool_calls=parallel).tool_choice == expected


def test_what_has_no_neutral_form_is_an_extra_with_its_path():
    custom = {"type": "custom_tool_call", "call_id": "c", "name": "p", "input": "x"}
    part = {"type": "input_video", "url": "x"}
    prompt = read(
        input=[{"role": "user", "content": [part, {"type": "input_text", "text": "x"}]}, custom],
        previous_response_id="resp_1",
        conversation="conv_1",
        prompt={"id": "pmpt_1"},
        background=True,
        tool_choice={"type": "web_search"},
        tools=[{"type": "function", "name": "f", "async": True, "defer_loading": False}],
        include=["message.output_text.logprobs", "file_search_call.results"],
        reasoning={"mode": "pro"},
        new_field=1,
    )
    assert prompt.extras == {
        "input[0].content[0] (input_video)": part,
        "input[1] (custom_tool_call)": custom,
        "tools[0].async": True,
        "tool_choice (web_search)": {"type": "web_search"},
        "include": ["message.output_text.logprobs"],
        "reasoning.mode": "pro",
        "previous_response_id": "resp_1",
        "conversation": "conv_1",
        "prompt": {"id": "pmpt_1"},
        "background": True,
        "new_field": 1,
    }
    assert prompt.hints == {"include": ["file_search_call.results"]}


def test_what_asks_for_nothing_is_no_extra():
    prompt = read(background=False, previous_response_id=None, top_logprobs=0, new=[])
    assert prompt.extras == {}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": 1}, "input"),
        ({"input": [1]}, "input[0]"),
        ({"input": [{}]}, "input[0].type"),
        ({"input": [{"type": 1}]}, "input[0].type"),
        ({"input": [{"role": "critic", "content": "x"}]}, "input[0].role"),
        ({"input": [{"type": "message", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": {}}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": ["x"]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{}]}]}, "input[0].content[0].type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
            "input[0].content[0].text",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0].image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": 1}]}]},
            "input[0].content[0].file_data",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "input[0].content[0].input_audio",
        ),
        ({"input": [{"type": "function_call", "call_id": "a"}]}, "input[0].name"),
        ({"input": [{"type": "function_call_output", "output": "a"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "a"}]}, "input[0].output"),
        ({"input": [{"type": "reasoning", "summary": ["x"]}]}, "input[0].summary[0]"),
        ({"input": [{"type": "reasoning", "encrypted_content": 1}]}, "input[0].encrypted_content"),
        ({"instructions": ["x"]}, "instructions"),
        ({"tools": {}}, "tools"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": ""}]}, "tools[0].name"),
        (
            {"tools": [{"type": "function", "name": "f", "parameters": "x"}]},
            "tools[0].parameters",
        ),
        ({"tools": [{"type": "function", "name": "f", "strict": 1}]}, "tools[0].strict"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": 1}, "tool_choice"),
        ({"tool_choice": {"name": "f"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"parallel_tool_calls": "yes"}, "parallel_tool_calls"),
        ({"text": []}, "text"),
        ({"text": {"verbosity": 1}}, "text.verbosity"),
        ({"text": {"format": "json"}}, "text.format"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"reasoning": "high"}, "reasoning"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"reasoning": {"effort": []}}, "reasoning.effort"),
        ({"reasoning": {"summary": True}}, "reasoning.summary"),
        ({"include": "x"}, "include"),
        ({"include": [1]}, "include"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": "1"}, "top_p"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)
def test_mistakes_name_their_field(fields: dict[str, Any], param: str):
    with pytest.raises(ClientFault) as caught:
        read(**fields)
    assert caught.value.param == param
    assert f"'{param}'" in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "role",
                    "content",
                    "text",
                    "summary",
                    "output",
                    "call_id",
                    "name",
                    "format",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "text",
        "reasoning",
        "include",
        "metadata",
        "store",
        "stream",
        "user",
        "prompt",
    ]
)
ITEMS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ["message", "reasoning", "function_call", "function_call_output", "x"]
            )
        },
        optional={
            "role": st.sampled_from(["user", "assistant"]) | JSON,
            "content": JSON,
            "summary": JSON,
            "output": JSON,
            "call_id": st.text(max_size=2) | JSON,
            "name": JSON,
            "arguments": JSON,
        },
    ),
    max_size=3,
)


@given(st.dictionaries(FIELDS, JSON, max_size=5), st.none() | ITEMS)
def test_garbage_is_refused_or_read_and_written(body: dict[str, Any], items: Any):
    if items is not None:
        body["input"] = items
    try:
        prompt = CODEC.read_prompt(body, CALL)
    except ClientFault:
        return
    json.dumps(CODEC.write_prompt(prompt, "m").body)


def test_many_items_take_linear_time():
    def seconds(count: int) -> float:
        called = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
        unknown = {"type": "x"}
        body = {"input": [unknown, called] * count}
        start = time.thread_time()
        CODEC.write_prompt(CODEC.read_prompt(body, CALL), "m")
        return time.thread_time() - start

    seconds(100)
    assert seconds(20_000) < 5
