"""What prompts are written as for a provider of the Responses API."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses.response_create_params import ResponseCreateParamsBase
from pydantic import TypeAdapter

from kit.openai_calls import call
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
    Written,
)

CODEC = ResponsesCodec()
CALL = call(Operation.RESPONSES)
SDK: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsBase)


def write(*messages: Message, **fields: Any) -> Written:
    return CODEC.write_prompt(Prompt(messages, **fields), "gpt-5")


def user(*parts: Any) -> Message:
    return Message(Role.USER, parts)


def assistant(*parts: Any) -> Message:
    return Message(Role.ASSISTANT, parts)


def test_a_conversation():
    written = write(
        Message(Role.SYSTEM, (Text("Be kind."),)),
        user(Text("Hi"), Image("image/png", data="AA==")),
        assistant(
            Reasoning("Hm", signature="S"),
            Reasoning(redacted="R"),
            Text("a"),
            Text("b"),
            ToolCall("c1", "f", "{}"),
        ),
        Message(
            Role.TOOL,
            (ToolResult("c1", (Text("no"),), error=True), ToolResult("c2", (Text("x"), Text("y")))),
        ),
        Message(Role.DEVELOPER, (Text("Be short."),)),
        tools=(Tool("f", "d", {"type": "object"}),),
        stream=True,
    )
    assert written == Written(
        {
            "model": "gpt-5",
            "input": [
                {
                    "type": "message",
                    "role": "system",
                    "content": [{"type": "input_text", "text": "Be kind."}],
                },
                {
                    "type": "message",
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "Hi"},
                        {
                            "type": "input_image",
                            "detail": "auto",
                            "image_url": "data:image/png;base64,AA==",
                        },
                    ],
                },
                {
                    "type": "reasoning",
                    "summary": [{"type": "summary_text", "text": "Hm"}],
                    "encrypted_content": "S",
                },
                {"type": "reasoning", "summary": [], "encrypted_content": "R"},
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [
                        {"type": "output_text", "text": "a", "annotations": []},
                        {"type": "output_text", "text": "b", "annotations": []},
                    ],
                },
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                {
                    "type": "function_call_output",
                    "call_id": "c1",
                    "output": "no",
                    "status": "incomplete",
                },
                {
                    "type": "function_call_output",
                    "call_id": "c2",
                    "output": [
                        {"type": "input_text", "text": "x"},
                        {"type": "input_text", "text": "y"},
                    ],
                },
                {
                    "type": "message",
                    "role": "developer",
                    "content": [{"type": "input_text", "text": "Be short."}],
                },
            ],
            "tools": [
                {
                    "type": "function",
                    "name": "f",
                    "description": "d",
                    "parameters": {"type": "object"},
                    "strict": False,
                }
            ],
            "include": ["reasoning.encrypted_content"],
            "store": False,
            "stream": True,
        }
    )


def test_what_the_api_has_no_field_for_is_unsupported():
    sampling = Sampling(
        top_k=3, stop=("x",), seed=0, presence_penalty=0.5, frequency_penalty=-1.0, n=2
    )
    written = write(user(Audio("audio/wav", data="AA==")), sampling=sampling)
    assert written.unsupported == (
        "audio in user messages",
        "stop",
        "top_k",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "n",
    )
    nothing = Sampling(presence_penalty=0, frequency_penalty=0.0, n=1)
    assert write(user(Text("x")), sampling=nothing).unsupported == ()


def test_parts_in_the_wrong_mouth_are_unsupported():
    written = write(
        user(ToolCall("a", "f", "{}"), Reasoning("x"), Refusal("no")),
        assistant(Image(url="https://x.test/"), File(id="f"), Audio(data="A")),
    )
    assert written.unsupported == (
        "tool call in user messages",
        "reasoning in user messages",
        "refusal in user messages",
        "image in assistant messages",
        "file in assistant messages",
        "audio in assistant messages",
    )


def test_hints_without_a_place_are_dropped_by_name():
    cache = {"type": "ephemeral"}
    written = write(
        Message(Role.USER, (Text("x", cache),), name="Ann"),
        assistant(Reasoning("unsigned"), ToolCall("a", "f", "{}", signature="g")),
        Message(Role.TOOL, (ToolResult("a", (Text("r", cache),)),)),
        tools=(Tool("f", cache=cache),),
        hints={
            "anthropic_thing": 1,
            "metadata": {"user_id": 1},
            "stream_options": {"include_usage": True},
            "store": "yes",
            "include": 1,
            "verbosity": "extreme",
            "reasoning.summary": "concise",
            "input[0].phase": "commentary",
            "input[9].phase": "commentary",
        },
    )
    assert set(written.dropped) == {
        "names in messages",
        "cache_control",
        "reasoning without a signature in messages",
        "signatures of tool calls",
        "anthropic_thing",
        "metadata",
        "stream_options",
        "store",
        "include",
        "verbosity",
        "reasoning.summary",
        "input[0].phase",
        "input[9].phase",
    }
    assert len(written.dropped) == len(set(written.dropped))
    assert written.unsupported == ()
    assert "Ann" not in json.dumps(written.body)


def test_hints_that_the_api_knows():
    hints = {
        "store": True,
        "metadata": {"a": "b"},
        "service_tier": "flex",
        "prompt_cache_key": "k",
        "verbosity": "low",
        "include": ["file_search_call.results"],
    }
    assert write(user(Text("x")), thinking=Thinking(budget=0)).dropped == ("reasoning budget",)
    written = write(user(Text("x")), hints=hints, format=Format())
    assert written.dropped == ()
    assert written.body["store"] is True
    assert written.body["metadata"] == {"a": "b"}
    assert written.body["text"] == {"format": {"type": "json_object"}, "verbosity": "low"}
    assert written.body["include"] == ["file_search_call.results"]


@pytest.mark.parametrize(
    ("extras", "unsupported"),
    [
        ({"top_logprobs": 3}, ()),
        ({"logprobs": True, "top_logprobs": 3}, ("logprobs",)),
        ({"logit_bias": {"1": 2}}, ("logit_bias",)),
        ({"verbosity": "high"}, ()),
        ({"messages[3].content[0] (server_tool_use)": {}}, None),
        ({"tools[0] (web_search_20250305)": {"type": "web_search_20250305"}}, None),
        ({"tools[0] (custom)": {"type": "custom", "custom": {"name": "x"}}}, None),
        ({"tools[0] (google_search)": {"google_search": {}}}, None),
        ({"tools[0].allowed_callers": ["code_execution_20250825"]}, None),
        ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, None),
        ({"tool_choice (custom)": {"type": "custom", "custom": {"name": "x"}}}, None),
        ({"tool_choice": "weird"}, None),
        ({"include": 3}, None),
        ({"input[0].content[0]": "x"}, None),
        ({"input[0].sub[0] (x)": "x"}, None),
        ({"input[7].content[0] (x)": "x"}, None),
        ({"input[0] (x) more": "x"}, None),
    ],
)
def test_extras_of_other_dialects(extras: dict[str, Any], unsupported: tuple[str, ...] | None):
    """Only what means the same here is written through; the rest is told by name."""
    written = write(user(Text("x")), extras=extras, tools=(Tool("f"),))
    assert written.unsupported == (tuple(extras) if unsupported is None else unsupported)


@pytest.mark.parametrize(
    ("thinking", "reasoning"),
    [
        (Thinking(effort="minimal"), {"effort": "minimal"}),
        (Thinking(effort="low", visible=True), {"effort": "low", "summary": "auto"}),
        (Thinking(visible=True), {"summary": "auto"}),
        (Thinking(budget=1024), {"effort": "low"}),
        (Thinking(budget=8192, visible=False), {"effort": "medium"}),
        (Thinking(budget=32_000), {"effort": "high"}),
        (Thinking(effort="none"), {"effort": "none"}),
        (Thinking(budget=0), None),
        (Thinking(budget=-1), None),
        (Thinking(), None),
        (None, None),
    ],
)
def test_thinking(thinking: Thinking | None, reasoning: dict[str, Any] | None):
    body = write(user(Text("x")), thinking=thinking).body
    assert body.get("reasoning") == reasoning
    wanted = reasoning is not None and reasoning.get("effort") != "none"
    assert body.get("include") == (["reasoning.encrypted_content"] if wanted else None)


def test_a_file_without_a_name_gets_one():
    body = write(user(File("application/pdf", data="JV"), File(data="JV"))).body
    assert body["input"][0]["content"] == [
        {
            "type": "input_file",
            "filename": "document.pdf",
            "file_data": "data:application/pdf;base64,JV",
        },
        {"type": "input_file", "filename": "document", "file_data": "JV"},
    ]


@pytest.mark.parametrize("instructions", [{}, {"instructions": "Be kind."}])
def test_what_only_this_api_knows_comes_back(instructions: dict[str, str]):
    """Items, parts and tools without a neutral form return to their places."""
    body: dict[str, Any] = {
        "model": "gpt-5",
        **instructions,
        "input": [
            {"type": "web_search_call", "id": "ws_0", "status": "completed"},
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_new", "x": 1}, {"type": "input_text", "text": "Hi"}],
            },
            {"type": "custom_tool_call", "call_id": "c", "name": "p", "input": "x"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "y"},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Done", "annotations": []}],
                "phase": "final_answer",
            },
            {"type": "function_call", "call_id": "d", "name": "f", "arguments": "{}"},
            {
                "type": "function_call_output",
                "call_id": "d",
                "output": [{"type": "input_text", "text": "a"}, {"type": "input_new"}],
            },
            {"type": "item_reference", "id": "msg_1"},
        ],
        "tools": [
            {"type": "web_search"},
            {
                "type": "function",
                "name": "f",
                "parameters": None,
                "strict": True,
                "async": True,
            },
            {"type": "custom", "name": "p"},
        ],
        "tool_choice": {"type": "custom", "name": "p"},
        "include": ["message.output_text.logprobs", "web_search_call.action.sources"],
        "top_logprobs": 2,
        "truncation": "auto",
        "previous_response_id": "resp_1",
        "background": True,
        "store": True,
        "reasoning": {"effort": "high", "mode": "pro", "summary": "detailed"},
        "text": {"verbosity": "low"},
    }
    written = CODEC.write_prompt(CODEC.read_prompt(body, CALL), "gpt-5")
    assert written.unsupported == ()
    assert written.dropped == ()
    again = written.body
    if instructions:
        first = again["input"].pop(0)
        again["instructions"] = first["content"][0]["text"]
    assert set(again.pop("include")) == {"reasoning.encrypted_content", *body.pop("include")}
    assert again == body


TEXTS = st.text(max_size=20)
WORDS = st.text("abc_", min_size=1, max_size=8)
SCHEMAS = st.dictionaries(WORDS, st.sampled_from([1, "x", {"type": "string"}]), max_size=2)
BASE64 = st.text("AB+/", min_size=4, max_size=8)
IMAGES = st.one_of(
    st.builds(Image, st.just("image/png"), data=BASE64, detail=st.sampled_from([None, "low"])),
    st.builds(Image, url=st.just("https://x.test/a.png"), detail=st.none()),
    st.builds(Image, id=WORDS),
)
FILES = st.one_of(
    st.builds(File, st.just("application/pdf"), data=BASE64, name=WORDS),
    st.builds(File, url=st.just("https://x.test/a.pdf"), name=st.none() | WORDS),
    st.builds(File, id=WORDS),
)
CONTENT = st.lists(st.builds(Text, TEXTS) | IMAGES | FILES, max_size=3).map(tuple)
THOUGHTS = st.one_of(
    st.builds(Reasoning, TEXTS, signature=WORDS), st.builds(Reasoning, redacted=WORDS)
)
SPEECH = st.lists(st.builds(Text, TEXTS) | st.builds(Refusal, TEXTS), min_size=1, max_size=2)


@st.composite
def turns(draw: st.DrawFn) -> list[Message]:
    """A turn of an assistant with the outputs of its calls, or one of anybody else."""
    role = draw(st.sampled_from([Role.SYSTEM, Role.DEVELOPER, Role.USER, Role.ASSISTANT]))
    if role is not Role.ASSISTANT:
        return [Message(role, draw(CONTENT))]
    ids = draw(st.lists(WORDS, max_size=3, unique=True))
    calls = [ToolCall(one, draw(WORDS), draw(TEXTS)) for one in ids]
    parts = [*draw(st.lists(THOUGHTS, max_size=2)), *draw(SPEECH), *calls]
    results = tuple(
        ToolResult(
            one.id, draw(CONTENT.filter(lambda c: c != (Text(""),))), one.name, draw(st.booleans())
        )
        for one in calls
    )
    spoken = Message(Role.ASSISTANT, tuple(parts))
    return [spoken, Message(Role.TOOL, results)] if results else [spoken]


PROMPTS = st.builds(
    Prompt,
    st.lists(turns(), max_size=4).map(lambda found: tuple(one for turn in found for one in turn)),
    tools=st.lists(
        st.builds(Tool, WORDS, st.none() | TEXTS, st.none() | SCHEMAS, st.booleans()), max_size=2
    ).map(tuple),
    tool_choice=st.one_of(
        st.none(),
        st.builds(
            ToolChoice,
            st.sampled_from([Choice.AUTO, Choice.NONE, Choice.REQUIRED]),
            parallel=st.none() | st.booleans(),
        ),
        st.builds(ToolChoice, st.just(Choice.NAMED), WORDS),
    ),
    format=st.one_of(
        st.none(),
        st.just(Format()),
        st.builds(Format, SCHEMAS, WORDS, st.none() | TEXTS, st.none() | st.booleans()),
    ),
    sampling=st.builds(
        Sampling,
        max_tokens=st.none() | st.integers(1, 10**6),
        temperature=st.none() | st.floats(0, 2),
        top_p=st.none() | st.floats(0, 1),
    ),
    thinking=st.none()
    | st.builds(
        Thinking, st.sampled_from(["none", "low", "xhigh"]), visible=st.sampled_from([None, True])
    ),
    stream=st.booleans(),
    user=st.none() | WORDS,
    hints=st.fixed_dictionaries(
        {},
        optional={
            "store": st.sampled_from([True]),
            "verbosity": st.just("low"),
            "service_tier": st.just("flex"),
        },
    ),
    extras=st.fixed_dictionaries(
        {}, optional={"top_logprobs": st.integers(1, 5), "previous_response_id": WORDS}
    ),
)


@given(PROMPTS)
def test_a_prompt_comes_back_the_same(prompt: Prompt):
    written = CODEC.write_prompt(prompt, "m")
    assert written.unsupported == written.dropped == ()
    again = CODEC.read_prompt(json.loads(json.dumps(written.body)), CALL)
    sealed = again.hints.get("include")
    if sealed:  # a signed thought asks for more of its kind
        hints = {key: value for key, value in again.hints.items() if key != "include"}
        again = replace(again, hints=hints)
    assert again == prompt


@given(PROMPTS)
def test_what_is_written_is_what_the_sdk_takes(prompt: Prompt):
    """Its own types accept it, but for a reasoning item's id, which only stored items have, and the two
    members of an answer's message that a message in a request may lack.
    """
    body = CODEC.write_prompt(prompt, "m").body
    for index, item in enumerate(body["input"]):
        if item["type"] == "reasoning":
            item["id"] = f"rs_{index}"
        if item.get("role") == "assistant":
            item |= {"id": f"msg_{index}", "status": "completed"}
    SDK.validate_python({key: value for key, value in body.items() if key != "stream"})
