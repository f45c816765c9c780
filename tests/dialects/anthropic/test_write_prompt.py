"""Neutral prompts, written as requests for a message."""

from __future__ import annotations

from typing import Any

import pytest

from wattline.dialects.anthropic.codec import MessagesCodec
from wattline.dialects.history import OPENING
from wattline.wire.parts import (
    Audio,
    File,
    Image,
    Part,
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

CODEC = MessagesCodec()
HI = Message(Role.USER, (Text("hi"),))
TOOL = Tool("get", "Gets.", {"type": "object", "properties": {}})
MANUAL, BOTH, ADAPTIVE = "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-4-7"


def write(*messages: Message, model: str = MANUAL, **fields: Any) -> Written:
    return CODEC.write_prompt(Prompt(messages or (HI,), **fields), model)


def content(*parts: Part, role: Role = Role.USER) -> Any:
    first = () if role is Role.USER else (HI,)
    return write(*first, Message(role, parts)).body["messages"][len(first)]["content"]


def unsupported(*parts: Part, role: Role = Role.USER) -> tuple[str, ...]:
    return write(HI, Message(role, parts)).unsupported


def test_the_least_of_a_request() -> None:
    """E-060: the version is a header, a limit of 4096 where the client set none."""
    assert CODEC.headers == (("anthropic-version", "2023-06-01"),)
    assert CODEC.path("m", stream=True) == "/messages"
    assert write() == Written(
        {
            "model": MANUAL,
            "max_tokens": 4096,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        }
    )


def test_system_and_developer_messages_are_hoisted_in_order() -> None:
    system = Message(Role.SYSTEM, (Text("a"),))
    developer = Message(Role.DEVELOPER, (Text("b", {"type": "ephemeral"}), Text(" ")))
    body = write(system, HI, developer, HI).body
    assert body["system"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
    ]
    assert len(body["messages"]) == 1
    assert write(system, HI).body["system"] == "a"
    picture = Message(Role.SYSTEM, (Image(url="https://e/x.png"),))
    assert write(picture, HI).unsupported == ("image in system messages",)


def test_turns_alternate_and_begin_with_the_user() -> None:
    answer = Message(Role.ASSISTANT, (Text("one "),))
    body = write(answer, answer, HI, HI, answer).body
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user", "assistant"]
    assert body["messages"][0]["content"] == [{"type": "text", "text": OPENING}]
    assert [len(turn["content"]) for turn in body["messages"]] == [1, 2, 2, 1]
    assert body["messages"][-1]["content"][0]["text"] == "one"
    assert body["messages"][1]["content"][1]["text"] == "one "
    empty = Message(Role.ASSISTANT, (Text(""),))
    assert len(write(HI, empty, HI).body["messages"]) == 1
    assert write(Message(Role.SYSTEM, (Text("x"),))).body["messages"][0]["role"] == "user"


def test_results_come_first_and_ids_fit() -> None:
    call = Message(
        Role.ASSISTANT, (ToolCall("call.1|x", "get", '{"a":1}'), ToolCall("", "get", ""))
    )
    results = (
        Message(Role.USER, (Text("so?"),)),
        Message(Role.TOOL, (ToolResult("call.1|x", (Text("x"),), error=True),)),
        Message(Role.TOOL, (ToolResult("", ()),)),
    )
    body = write(HI, call, *results).body
    assert body["messages"][1]["content"] == [
        {"type": "tool_use", "id": "call_1_x", "name": "get", "input": {"a": 1}},
        {"type": "tool_use", "id": "call", "name": "get", "input": {}},
    ]
    assert body["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1_x", "content": "x", "is_error": True},
        {"type": "tool_result", "tool_use_id": "call"},
        {"type": "text", "text": "so?"},
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"a":',
        "[1]",
        "NaN",
        '{"a":NaN}',
        "5",
        '{"a":1e',
        '{"a":"\\ud800"}',
        "{" + '"a":{' * 200 + "}" * 201,
    ],
)
def test_arguments_that_are_no_object_are_kept_as_text(text: str) -> None:
    (block,) = content(ToolCall("c", "get", text), role=Role.ASSISTANT)
    assert block["input"] == {"_unparsed_arguments": text}


def test_pictures_and_documents() -> None:
    assert content(
        Image("image/JPG", data="/9j/4"),
        Image(data="iVBORw0KGgo="),
        Image(url="https://e/x.png", cache={"type": "ephemeral"}),
        Image(id="file_1"),
        File("application/pdf", data="JVBERi0=", name="a.pdf"),
        File("text/csv", data="YSxi"),
        File(url="https://e/x.pdf"),
        File("image/webp", data="UklG"),
        File(id="file_2"),
    ) == [
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4"},
        },
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        },
        {
            "type": "image",
            "source": {"type": "url", "url": "https://e/x.png"},
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            "title": "a.pdf",
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}},
        {"type": "document", "source": {"type": "url", "url": "https://e/x.pdf"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "UklG"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_2"}},
    ]


@pytest.mark.parametrize(
    ("part", "role", "word"),
    [
        (Audio("audio/wav", data="x"), Role.USER, "audio in messages"),
        (File("audio/mp3", data="x"), Role.USER, "audio in messages"),
        (File("application/zip", data="x"), Role.USER, "file of type application/zip"),
        (File("text/plain", data="/w=="), Role.USER, "file of type text/plain that is no text"),
        (File(id="file-abc"), Role.USER, "document by a file id of another provider"),
        (Image("image/bmp", data="x"), Role.USER, "image of type image/bmp"),
        (Image(data="x"), Role.USER, "image of type unknown"),
        (Image(url="x"), Role.ASSISTANT, "image in assistant messages"),
        (Reasoning("x", "s"), Role.USER, "reasoning in user messages"),
    ],
)
def test_parts_that_anthropic_does_not_take_are_named(part: Part, role: Role, word: str) -> None:
    assert unsupported(part, role=role) == (word,)


def test_thoughts_and_refusals_of_earlier_answers() -> None:
    assert content(
        Reasoning("hm", "sig"), Reasoning(redacted="zz"), Refusal("No."), role=Role.ASSISTANT
    ) == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "zz"},
        {"type": "text", "text": "No."},
    ]
    foreign = write(HI, Message(Role.ASSISTANT, (Reasoning("hm"), Text("x"))))
    assert foreign.dropped == ("reasoning in messages",)
    assert foreign.body["messages"][1]["content"] == [{"type": "text", "text": "x"}]


def test_tools_and_choices() -> None:
    body = write(
        tools=(TOOL, Tool("none", strict=True, cache={"type": "ephemeral"})),
        tool_choice=ToolChoice(Choice.NAMED, "get", parallel=False),
    ).body
    assert body["tools"] == [
        {
            "name": "get",
            "description": "Gets.",
            "input_schema": {"type": "object", "properties": {}},
        },
        {
            "name": "none",
            "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
            "strict": True,
            "cache_control": {"type": "ephemeral"},
        },
    ]
    assert body["tool_choice"] == {
        "type": "tool",
        "name": "get",
        "disable_parallel_tool_use": True,
    }
    none = write(tools=(TOOL,), tool_choice=ToolChoice(Choice.NONE, parallel=True))
    assert none.body["tool_choice"] == {"type": "none"}
    bare = write(tool_choice=ToolChoice(Choice.REQUIRED))
    assert "tool_choice" not in bare.body
    assert bare.unsupported == ("tool_choice without tools",)


def test_formats() -> None:
    schema = write(format=Format({"type": "object"}, name="x", description="y"))
    assert schema.body["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {"type": "object", "additionalProperties": False},
        }
    }
    assert schema.dropped == ("description of the JSON schema",)
    assert write(format=Format()).unsupported == ("JSON without a schema",)


def test_sampling() -> None:
    said = Sampling(100, 0.5, None, 40, ("a", " "), 7, 0.1, 0.2, 2)
    written = write(sampling=said)
    assert written.body | {"messages": 0} == {
        "model": MANUAL,
        "messages": 0,
        "max_tokens": 100,
        "temperature": 0.5,
        "top_k": 40,
        "stop_sequences": ["a"],
    }
    assert written.dropped == ("seed", "presence_penalty", "frequency_penalty")
    assert written.unsupported == ("n above 1", "stop sequences of white space")
    assert write(sampling=Sampling(temperature=1.5)).unsupported == ("temperature above 1",)


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ("claude-3-opus-20240229", {"temperature": 0.5, "top_p": 0.9}),
        ("claude-opus-4-20250514", {"temperature": 0.5, "top_p": 0.9}),
        ("claude-opus-4-1-20250805", {"temperature": 0.5}),
        (BOTH, {"temperature": 0.5}),
        (ADAPTIVE, {}),
        ("claude-sonnet-5", {}),
        ("kimi-k2", {"temperature": 0.5, "top_p": 0.9}),
    ],
)
def test_sampling_that_a_model_does_not_take_is_left_out(model: str, kept: Any) -> None:
    written = write(model=model, sampling=Sampling(temperature=0.5, top_p=0.9))
    assert {
        key: written.body[key] for key in ("temperature", "top_p") if key in written.body
    } == kept
    assert set(written.dropped) == {"temperature", "top_p"} - kept.keys()
    assert write(model=model, sampling=Sampling(temperature=1.0)).dropped == ()


def think(thinking: Thinking, model: str, **sampling: Any) -> tuple[Any, Any, int]:
    body = write(model=model, thinking=thinking, sampling=Sampling(**sampling)).body
    return body.get("thinking"), body.get("output_config", {}).get("effort"), body["max_tokens"]


def test_efforts_and_budgets() -> None:
    budget = {"type": "enabled", "budget_tokens": 8192}
    adaptive = {"type": "adaptive"}
    assert think(Thinking("medium"), MANUAL) == (budget, None, 8192 + 4096)
    assert think(Thinking("medium"), "kimi-k2") == (budget, None, 8192 + 4096)
    assert think(Thinking(budget=8192), BOTH) == (budget, None, 8192 + 4096)
    assert think(Thinking(budget=8192), ADAPTIVE) == (adaptive, "medium", 4096)
    assert think(Thinking("minimal"), ADAPTIVE) == (adaptive, "low", 4096)
    assert think(Thinking("xhigh"), BOTH) == (adaptive, "high", 4096)
    assert think(Thinking("xhigh"), ADAPTIVE) == (adaptive, "xhigh", 4096)
    assert think(Thinking(budget=-1), ADAPTIVE) == (adaptive, None, 4096)
    assert think(Thinking(budget=-1), MANUAL) == (budget, None, 8192 + 4096)
    for off in (Thinking("none"), Thinking(budget=0)):
        assert think(off, MANUAL) == ({"type": "disabled"}, None, 4096)
    shown = think(Thinking("low", visible=False), ADAPTIVE)
    assert shown[0] == {"type": "adaptive", "display": "omitted"}


def test_a_budget_stays_below_the_clients_limit() -> None:
    budget = {"type": "enabled", "budget_tokens": 6000}
    assert think(Thinking("high"), MANUAL, max_tokens=8000) == (budget, None, 8000)
    small = write(thinking=Thinking("high"), sampling=Sampling(max_tokens=1024))
    assert "thinking" not in small.body
    assert small.dropped == ("thinking",)
    old = write(model="claude-3-5-haiku-latest", thinking=Thinking("high"))
    assert "thinking" not in old.body
    assert old.dropped == ("thinking",)


def test_what_excludes_thinking() -> None:
    forced = write(
        thinking=Thinking("high"), tools=(TOOL,), tool_choice=ToolChoice(Choice.REQUIRED)
    )
    assert forced.body["tool_choice"] == {"type": "any"}
    assert forced.dropped == ("thinking",)
    turn = (
        HI,
        Message(Role.ASSISTANT, (ToolCall("c", "get", "{}"),)),
        Message(Role.TOOL, (ToolResult("c", (Text("x"),)),)),
    )
    assert write(*turn, tools=(TOOL,), thinking=Thinking("high")).dropped == ("thinking",)
    adaptive = write(*turn, model=ADAPTIVE, tools=(TOOL,), thinking=Thinking("high"))
    assert adaptive.body["thinking"] == {"type": "adaptive"}
    sampled = write(
        thinking=Thinking("low"), sampling=Sampling(temperature=0.5, top_p=0.96, top_k=3)
    )
    assert sampled.body["top_p"] == 0.96
    assert sampled.dropped == ("temperature", "top_k")


def test_hints_and_extras() -> None:
    written = write(
        user="u",
        stream=True,
        hints={"service_tier": "flex", "metadata.x": 1, "prompt_cache_key": "k", "speed": "fast"},
        extras={
            "logit_bias": {"1": 2},
            "container": "c",
            "tools[3] (web_search_20250305)": {"type": "web_search_20250305", "name": "web_search"},
            "messages[0].content[1] (search_result)": {},
        },
    )
    assert written.dropped == ("service_tier", "prompt_cache_key")
    assert written.unsupported == ("logit_bias", "messages[0].content[1] (search_result)")
    assert written.body["metadata"] == {"user_id": "u", "x": 1}
    assert (written.body["stream"], written.body["speed"]) == (True, "fast")
    assert written.body["container"] == "c"
    assert written.body["tools"] == [{"type": "web_search_20250305", "name": "web_search"}]
