"""Requests for a message, read into neutral prompts; and back again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.anthropic_calls import call, spoiled
from wattline.base.errors import ClientFault
from wattline.dialects.anthropic.codec import MessagesCodec
from wattline.wire.parts import File, Image, Part, Reasoning, Text, ToolCall, ToolResult
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

CODEC = MessagesCodec()
CACHE = {"type": "ephemeral", "ttl": "1h"}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
SERVER_USE = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
CLOSED = {"type": "object", "additionalProperties": False}
BODY: dict[str, Any] = {
    "model": "claude-x",
    "max_tokens": 100,
    "stream": True,
    "system": [{"type": "text", "text": "sys", "cache_control": CACHE}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "hi"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "iV"},
                },
                {"type": "image", "source": {"type": "url", "url": "https://e/x.png"}},
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "a"},
                    "title": "t",
                    "citations": {"enabled": True},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "redacted_thinking", "data": "zz"},
                SERVER_USE,
                {"type": "tool_use", "id": "t1", "name": "get", "input": {"a": [1, "\u00e9"]}},
                {"type": "tool_use", "id": "t2", "name": "put", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "x", "is_error": True},
                {"type": "text", "text": "and"},
                {
                    "type": "tool_result",
                    "tool_use_id": "t2",
                    "content": [
                        {"type": "text", "text": "y"},
                        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                        {"type": "tool_reference", "tool_name": "z"},
                    ],
                    "cache_control": CACHE,
                },
            ],
        },
        {"role": "system", "content": "later"},
        {"role": "assistant", "content": "ok"},
    ],
    "tools": [
        {"name": "get", "description": "d", "input_schema": CLOSED, "strict": True},
        SEARCH,
        {"type": "custom", "name": "put", "defer_loading": True, "cache_control": CACHE},
    ],
    "tool_choice": {"type": "tool", "name": "get", "disable_parallel_tool_use": True},
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 4,
    "stop_sequences": ["X"],
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {
        "effort": "high",
        "format": {"type": "json_schema", "schema": CLOSED},
    },
    "metadata": {"user_id": "u"},
    "service_tier": "auto",
    "container": "c",
}


def read(body: dict[str, Any]) -> Prompt:
    return CODEC.read_prompt(body, call())


def test_all_that_a_request_can_say() -> None:
    assert read(BODY) == Prompt(
        messages=(
            Message(Role.SYSTEM, (Text("sys", CACHE),)),
            Message(
                Role.USER,
                (
                    Text("hi"),
                    Image("image/png", data="iV"),
                    Image(url="https://e/x.png"),
                    File("text/plain", data="YQ==", name="t"),
                ),
            ),
            Message(
                Role.ASSISTANT,
                (
                    Reasoning("hm", "sig"),
                    Reasoning(redacted="zz"),
                    ToolCall("t1", "get", '{"a":[1,"\u00e9"]}'),
                    ToolCall("t2", "put", "{}"),
                ),
            ),
            Message(Role.TOOL, (ToolResult("t1", (Text("x"),), "get", error=True),)),
            Message(Role.USER, (Text("and"),)),
            Message(
                Role.TOOL,
                (ToolResult("t2", (Text("y"), Image(id="file_1")), "put", cache=CACHE),),
            ),
            Message(Role.SYSTEM, (Text("later"),)),
            Message(Role.ASSISTANT, (Text("ok"),)),
        ),
        tools=(
            Tool("get", "d", CLOSED, strict=True),
            Tool("put", cache=CACHE),
        ),
        tool_choice=ToolChoice(Choice.NAMED, "get", parallel=False),
        format=Format(CLOSED),
        sampling=Sampling(100, 0.5, 0.9, 4, ("X",)),
        thinking=Thinking("high", visible=True),
        stream=True,
        user="u",
        hints={"tools[2].defer_loading": True, "service_tier": "auto"},
        extras={
            "messages[0].content[3].citations": {"enabled": True},
            "messages[1].content[2] (server_tool_use)": SERVER_USE,
            "messages[2].content[2].content[2] (tool_reference)": {
                "type": "tool_reference",
                "tool_name": "z",
            },
            "tools[1] (web_search_20250305)": SEARCH,
            "container": "c",
        },
    )


@pytest.mark.parametrize(
    ("config", "effort", "thinking"),
    [
        ({"type": "enabled", "budget_tokens": 2000}, None, Thinking(budget=2000)),
        ({"type": "enabled", "budget_tokens": 2000}, "low", Thinking("low", 2000)),
        ({"type": "disabled"}, "low", Thinking(budget=0)),
        ({"type": "adaptive"}, None, Thinking(budget=-1)),
        (
            {"type": "adaptive", "display": "omitted"},
            "max",
            Thinking("max", visible=False),
        ),
        (None, "low", Thinking("low")),
        (None, None, None),
        ({"type": "between_tools"}, None, None),
    ],
)
def test_thinking(config: Any, effort: str | None, thinking: Thinking | None) -> None:
    prompt = read(BODY | {"thinking": config, "output_config": {"effort": effort}})
    assert prompt.thinking == thinking
    assert ("thinking" in prompt.extras) == (config == {"type": "between_tools"})
    assert ("output_config.effort" in prompt.hints) == (config == {"type": "disabled"})


def block(*, role: str = "user", **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": [fields]}]}


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"messages": [5]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        (block(text="x"), "messages[0].content[0].type"),
        (block(type="text", text=5), "messages[0].content[0].text"),
        (block(type="image"), "messages[0].content[0].source"),
        (block(type="image", source={"type": "url"}), "messages[0].content[0].source.url"),
        (block(type="text", text="x", cache_control=5), "messages[0].content[0].cache_control"),
        (block(type="tool_use", id="x", name="y", input="{}"), "messages[0].content[0].input"),
        (block(type="tool_result"), "messages[0].content[0].tool_use_id"),
        ({"system": [5]}, "system[0]"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_k": 1.5}, "top_k"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tools": [{"name": 5}]}, "tools[0].name"),
        ({"tools": [{"name": "x", "input_schema": []}]}, "tools[0].input_schema"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {}}, "thinking.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"metadata": {"user_id": 5}}, "metadata.user_id"),
    ],
)
def test_faults_name_the_field(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientFault) as fault:
        read(BODY | changes)
    assert fault.value.param == param


def test_garbage_at_any_place_is_read_or_refused() -> None:
    for body in spoiled(BODY):
        try:
            prompt = read(body)
        except ClientFault:
            continue
        json.dumps(CODEC.write_prompt(prompt, "claude-x").body)


def test_an_anthropic_request_comes_back_as_it_was() -> None:
    kept = BODY | {
        "thinking": {"type": "adaptive"},
        "tool_choice": {"type": "auto"},
        "messages": [BODY["messages"][0] | {"content": [{"type": "text", "text": "hi"}]}],
        "tools": [BODY["tools"][0], SEARCH],
    }
    for key in ("temperature", "top_p", "top_k"):
        del kept[key]
    written = CODEC.write_prompt(read(kept), "claude-x")
    assert (written.body, written.dropped, written.unsupported) == (kept, (), ())


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).map(lambda text: f"a{text}b")
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
CACHES = st.sampled_from([None, {"type": "ephemeral"}])
TEXT = st.builds(Text, TEXTS, CACHES)
IMAGE = st.one_of(
    st.builds(lambda data, cache: Image("image/png", data=data, cache=cache), NAMES, CACHES),
    st.builds(lambda url: Image(url=f"https://{url}"), NAMES),
    st.builds(lambda name: Image(id=f"file_{name}"), NAMES),
)
FILE = st.one_of(
    st.builds(lambda name: File("application/pdf", data="JVBERi0=", name=name), NAMES),
    st.builds(lambda url: File(url=f"https://{url}"), NAMES),
)
ARGUMENTS = st.one_of(
    st.dictionaries(NAMES, st.one_of(st.integers(-9, 9), TEXTS, st.none()), max_size=3).map(
        lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    ),
    st.just('{"a":'),
)
ANSWER = st.lists(
    st.one_of(
        TEXT,
        st.builds(Reasoning, TEXTS, TEXTS),
        st.builds(lambda data: Reasoning(redacted=data), NAMES),
    ),
    min_size=1,
    max_size=3,
).map(tuple)


@st.composite
def turns(draw: st.DrawFn) -> list[Message]:
    """A user's turn, an answer with calls, their results."""
    parts: tuple[Part, ...] = tuple(
        draw(st.lists(st.one_of(TEXT, IMAGE, FILE), min_size=1, max_size=3))
    )
    answer = draw(ANSWER)
    found = [Message(Role.USER, parts)]
    names = draw(st.lists(NAMES, max_size=2))
    calls = [ToolCall(f"call_{i}", name, draw(ARGUMENTS)) for i, name in enumerate(names)]
    found.append(Message(Role.ASSISTANT, (*answer, *calls)))
    for called in calls:
        inner = tuple(draw(st.lists(st.one_of(TEXT, IMAGE), max_size=2)))
        result = ToolResult(called.id, inner, called.name, draw(st.booleans()), draw(CACHES))
        found.append(Message(Role.TOOL, (result,)))
    return found


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    system = draw(st.lists(TEXT, max_size=2))
    first: list[Message] = [Message(Role.SYSTEM, tuple(system))] if system else []
    first += draw(turns())
    first.append(Message(Role.USER, (Text("so"),)))
    tools = tuple(
        Tool(
            name,
            draw(st.none() | TEXTS),
            CLOSED | {"x": 1},
            draw(st.none() | st.booleans()),
        )
        for name in draw(st.lists(NAMES, max_size=2))
    )
    choice = draw(
        st.none()
        | st.builds(ToolChoice, st.just(Choice.AUTO), st.none(), st.none() | st.booleans())
        | st.builds(ToolChoice, st.just(Choice.NAMED), NAMES, st.none() | st.booleans())
        | st.just(ToolChoice(Choice.NONE))
    )
    forced = choice is not None and choice.choice is Choice.NAMED
    efforts = st.sampled_from(["low", "medium", "high", "xhigh", "max"])
    thinking = st.builds(Thinking, efforts, st.none(), st.none() | st.booleans())
    return Prompt(
        tuple(first),
        tools,
        choice if tools else None,
        draw(st.none() | st.just(Format(CLOSED))),
        Sampling(draw(st.integers(1, 9999)), stop=tuple(draw(st.lists(TEXTS, max_size=2)))),
        None if forced else draw(st.none() | thinking | st.just(Thinking(budget=0))),
        draw(st.booleans()),
        draw(st.none() | NAMES),
        {"service_tier": "auto"},
        {"container": "c"},
    )


@settings(max_examples=150, deadline=None)
@given(prompts())
def test_a_prompt_comes_back_as_it_was(prompt: Prompt) -> None:
    written = CODEC.write_prompt(prompt, "claude-opus-4-7")
    assert (written.dropped, written.unsupported) == ((), ())
    assert read(json.loads(json.dumps(written.body))) == prompt


def test_a_continued_thread_is_never_read_as_a_whole_conversation() -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "go on"}]}
    assert read(body | {"thread": {"type": "create"}}).extras == {"thread": {"type": "create"}}
    thread = {"type": "continue", "previous_message_id": "msg_1"}
    with pytest.raises(ClientFault, match="held by another provider"):
        read(body | {"thread": thread})
