"""Ollama's prompts, read and written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.ollama_calls import call
from wattline.base.errors import ClientFault
from wattline.dialects.ollama.codec import OllamaChatCodec, OllamaGenerateCodec
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

CHAT, GENERATE = OllamaChatCodec(), OllamaGenerateCodec()
PNG = "iVBORw0KGgo="

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
names = st.sampled_from(["get_weather", "search", "f"])
objects = st.dictionaries(texts, st.none() | st.booleans() | st.integers(-9, 9) | texts, max_size=3)
schemas = objects.map(lambda value: {"type": "object", "properties": {}, "x": value})
images = st.sampled_from(
    [Image("image/png", data=PNG), Image("image/jpeg", data="/9j/"), Image(data="aGk=")]
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    found: list[Message] = []
    for turn in range(draw(st.integers(1, 4))):
        system = draw(st.none() | texts)
        if system:
            found.append(Message(Role.SYSTEM, (Text(system),)))
        pictures = draw(st.lists(images, max_size=2))
        found.append(Message(Role.USER, (*pictures, Text(draw(texts)))))
        thought = [Reasoning(text) for text in draw(st.lists(texts, max_size=1))]
        said = [Text(text) for text in draw(st.lists(texts, max_size=1))]
        calls = [
            ToolCall(
                f"id_{turn}_{index}",
                name,
                json.dumps(draw(objects), separators=(",", ":"), ensure_ascii=False),
            )
            for index, name in enumerate(draw(st.lists(names, max_size=3)))
        ]
        found.append(Message(Role.ASSISTANT, (*thought, *said, *calls)))
        found += [
            Message(Role.TOOL, (ToolResult(item.id, (Text(draw(texts)),), item.name),))
            for item in calls
        ]
    return tuple(found)


samplings = st.builds(
    Sampling,
    max_tokens=st.none() | st.integers(1, 10**6),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.integers(0, 100),
    stop=st.lists(texts, max_size=2).map(tuple),
    seed=st.none() | st.integers(0, 2**31),
    presence_penalty=st.none() | st.floats(-2, 2),
    frequency_penalty=st.none() | st.floats(-2, 2),
)
thinkings = st.none() | st.sampled_from(
    [Thinking(budget=0), Thinking(budget=-1), Thinking("low"), Thinking("medium"), Thinking("high")]
)
shared = {
    "sampling": samplings,
    "thinking": thinkings,
    "format": st.none() | st.just(Format()) | schemas.map(lambda value: Format(schema=value)),
    "stream": st.booleans(),
    "hints": st.sampled_from(
        [{}, {"keep_alive": "5m", "options.num_ctx": 8192}, {"options.num_predict": -2}]
    ).map(dict),
}
prompts = st.builds(
    Prompt,
    messages=conversations(),
    tools=st.lists(st.builds(Tool, names, st.none() | texts, schemas), max_size=2).map(tuple),
    extras=st.sampled_from([{}, {"options.min_p": 0.1, "truncate": False}]),
    **shared,
)


@given(prompts)
def test_a_prompt_means_the_same_after_the_way_there_and_back(prompt: Prompt) -> None:
    written = CHAT.write_prompt(prompt, "m")
    assert (written.dropped, written.unsupported) == ((), ())
    if prompt.sampling.max_tokens is not None and "options.num_predict" in prompt.hints:
        return  # the one would say that there is no limit, the other sets one
    again = CHAT.read_prompt(json.loads(json.dumps(written.body)), call())
    for message, other in zip(prompt.messages, again.messages, strict=True):
        assert loosely(message) == loosely(other)
    assert without_messages(again) == without_messages(prompt)


def loosely(message: Message) -> Any:
    """Arguments are the same when they mean the same."""
    return message.role, [
        (part.id, part.name, json.loads(part.arguments)) if isinstance(part, ToolCall) else part
        for part in message.parts
    ]


def without_messages(prompt: Prompt) -> tuple[Any, ...]:
    return (
        prompt.tools,
        prompt.format,
        prompt.sampling,
        prompt.thinking,
        prompt.stream,
        prompt.hints,
        prompt.extras,
    )


@given(
    st.builds(
        Prompt,
        messages=st.tuples(texts, texts, st.lists(images, max_size=2)).map(
            lambda parts: (
                Message(Role.SYSTEM, (Text(parts[0]),)),
                Message(Role.USER, (*parts[2], Text(parts[1]))),
            )
        ),
        extras=st.sampled_from(
            [{}, {"suffix": "x", "raw": True, "context": [1, 2], "template": "t"}]
        ),
        **shared,
    )
)
def test_a_generate_prompt_means_the_same_after_the_way_there_and_back(prompt: Prompt) -> None:
    written = GENERATE.write_prompt(prompt, "m")
    assert (written.dropped, written.unsupported) == ((), ())
    if prompt.sampling.max_tokens is not None and "options.num_predict" in prompt.hints:
        return
    assert GENERATE.read_prompt(json.loads(json.dumps(written.body)), call()) == prompt


def user(*parts: Any) -> Message:
    return Message(Role.USER, parts)


HI = user(Text("Hi"))


def test_what_a_whole_chat_comes_to() -> None:
    prompt = Prompt(
        (
            Message(Role.DEVELOPER, (Text("Be"), Text("brief."))),
            user(Text("What?"), Image("image/png", data=PNG)),
            Message(
                Role.ASSISTANT,
                (
                    Reasoning("hm", "sig"),
                    Text("I "),
                    Text("look."),
                    ToolCall("c1", "get", '{"a": [1]}'),
                ),
            ),
            Message(Role.TOOL, (ToolResult("c1", (Text("12"),), error=True), ToolResult("c9", ()))),
            Message(Role.ASSISTANT, (Refusal("No."),)),
        ),
        (Tool("get", None, None, strict=True),),
        user="u",
        thinking=Thinking("max"),
        hints={"service_tier": "auto"},
    )
    written = CHAT.write_prompt(prompt, "m")
    assert written.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be\nbrief."},
            {"role": "user", "content": "What?", "images": [PNG]},
            {
                "role": "assistant",
                "content": "I look.",
                "thinking": "hm",
                "tool_calls": [{"id": "c1", "function": {"name": "get", "arguments": {"a": [1]}}}],
            },
            {"role": "tool", "content": "12", "tool_call_id": "c1", "tool_name": "get"},
            {"role": "tool", "content": "", "tool_call_id": "c9"},
            {"role": "assistant", "content": "No."},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "get", "parameters": {"type": "object", "properties": {}}},
            }
        ],
        "think": "high",
        "stream": False,
    }
    assert written.dropped == (
        "signatures of reasoning",
        "errors of tool results",
        "strict tools",
        "service_tier",
        "user",
    )
    assert written.unsupported == ()


@pytest.mark.parametrize(
    ("changes", "unsupported"),
    [
        ({"messages": (user(Image(url="http://x/a.png")),)}, "images by URL"),
        ({"messages": (user(Image(id="file-1")),)}, "images by file id"),
        ({"messages": (user(Audio("audio/wav", data="aGk=")),)}, "audio in messages"),
        ({"messages": (user(File("application/pdf", data="aGk=")),)}, "files in messages"),
        (
            {"messages": (HI, Message(Role.ASSISTANT, (ToolCall("c", "f", "[1"),)))},
            "arguments of a tool call that are no JSON object",
        ),
        ({"tool_choice": ToolChoice(Choice.REQUIRED)}, "tool_choice"),
        ({"tool_choice": ToolChoice(Choice.NAMED, "f")}, "tool_choice"),
        ({"tools": (Tool("f"),), "tool_choice": ToolChoice(parallel=False)}, "parallel_tool_calls"),
        ({"sampling": Sampling(n=2)}, "n"),
        ({"extras": {"logit_bias": {"1": 2}}}, "logit_bias"),
        ({"extras": {"raw": True}}, "raw"),
    ],
)
def test_what_ollama_can_not_do_is_named(changes: dict[str, Any], unsupported: str) -> None:
    written = CHAT.write_prompt(Prompt(**({"messages": (HI,)} | changes)), "m")
    assert written.unsupported == (unsupported,)
    json.dumps(written.body)


def test_no_calls_are_had_by_giving_no_tools() -> None:
    prompt = Prompt((HI,), (Tool("f"),), ToolChoice(Choice.NONE))
    written = CHAT.write_prompt(prompt, "m")
    assert "tools" not in written.body
    assert written.unsupported == ()


@pytest.mark.parametrize(
    ("thinking", "think", "dropped"),
    [
        (Thinking("none"), False, ()),
        (Thinking("minimal"), "low", ()),
        (Thinking(budget=2000), True, ("thinking budget",)),
        (Thinking(budget=-1, visible=False), True, ("hidden thinking",)),
        (Thinking(visible=True), None, ()),
    ],
)
def test_thinking(thinking: Thinking, think: Any, dropped: tuple[str, ...]) -> None:
    written = CHAT.write_prompt(Prompt((HI,), thinking=thinking), "m")
    assert (written.body.get("think"), written.dropped) == (think, dropped)


def test_generate_takes_one_turn() -> None:
    written = GENERATE.write_prompt(
        Prompt((HI, Message(Role.ASSISTANT, (Text("a"),)), user(Text("b")))), "m"
    )
    assert written.unsupported == ("more than one turn",)
    assert GENERATE.write_prompt(Prompt((HI,), (Tool("f"),)), "m").unsupported == ("tools",)
    assert GENERATE.write_prompt(Prompt(()), "m").unsupported == ()
    assert GENERATE.path("m", stream=True) == "/api/generate"


def test_results_without_ids_find_their_calls_by_name() -> None:
    function = {"name": "f", "arguments": {}}
    prompt = CHAT.read_prompt(
        {
            "model": "m",
            "messages": [
                {"role": "user", "content": "Hi"},
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [
                        {"function": function},
                        {"function": {"name": "g", "arguments": None}},
                        {"type": "function", "function": {**function, "index": 2}},
                    ],
                },
                {"role": "tool", "content": "1", "tool_name": "g"},
                {"role": "tool", "content": "2", "tool_name": "f"},
                {"role": "TOOL", "content": "3"},
                {"role": "tool", "content": "4", "tool_name": "f"},
            ],
        },
        call(),
    )
    calls = [part.id for part in prompt.messages[1].parts if isinstance(part, ToolCall)]
    results = [message.parts[0] for message in prompt.messages[2:]]
    assert all(isinstance(part, ToolResult) for part in results)
    assert calls == ["call_0", "call_1", "call_2"]
    assert [(part.call, part.name) for part in results if isinstance(part, ToolResult)] == [
        ("call_1", "g"),
        ("call_0", "f"),
        ("call_2", "f"),
        ("call_3", "f"),
    ]
    assert prompt.stream


def test_what_has_no_neutral_form_is_an_extra() -> None:
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi", "odd": 1, "thinking": "", "refusal": None}],
        "options": {
            "min_p": 0.1,
            "num_ctx": 4096,
            "num_predict": -1,
            "seed": -1,
            "unheard_of": 1,
            "temperature": None,
        },
        "logprobs": False,
        "truncate": True,
        "top_logprobs": 3,
        "keep_alive": 0,
        "format": "",
    }
    prompt = CHAT.read_prompt(body, call())
    assert prompt.extras == {"options.min_p": 0.1, "messages[0] (odd)": 1, "top_logprobs": 3}
    assert prompt.hints == {
        "keep_alive": 0,
        "options.num_ctx": 4096,
        "options.num_predict": -1,
        "options.seed": -1,
        "options.unheard_of": 1,
    }
    assert (prompt.sampling, prompt.format) == (Sampling(), None)
    assert CHAT.write_prompt(prompt, "m").unsupported == ("messages[0] (odd)", "top_logprobs")


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "Hi", **fields}]}


def calls(**fields: Any) -> dict[str, Any]:
    return chat(tool_calls=[{"function": {"name": "f", "arguments": {}} | fields}])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": 1}, "messages"),
        ({"model": "m", "messages": [None]}, "messages[0]"),
        (chat(role="robot"), "messages[0].role"),
        (chat(role=1), "messages[0].role"),
        (chat(content=[{"type": "text"}]), "messages[0].content"),
        (chat(thinking=1), "messages[0].thinking"),
        (chat(images={}), "messages[0].images"),
        (chat(images=[1]), "messages[0].images[0]"),
        (chat(images=[PNG, "data:image/png;base64,aGk="]), "messages[0].images[1]"),
        (chat(images=["https://x/a.png"]), "messages[0].images[0]"),
        (chat(tool_calls={}), "messages[0].tool_calls"),
        (chat(tool_calls=[1]), "messages[0].tool_calls[0]"),
        (chat(tool_calls=[{}]), "messages[0].tool_calls[0].function"),
        (calls(name=""), "messages[0].tool_calls[0].function.name"),
        (calls(arguments="{}"), "messages[0].tool_calls[0].function.arguments"),
        (chat() | {"tools": {}}, "tools"),
        (chat() | {"tools": [{"type": "web"}]}, "tools[0].type"),
        (chat() | {"tools": [{"function": []}]}, "tools[0].function"),
        (chat() | {"tools": [{"function": {}}]}, "tools[0].function.name"),
        (
            chat() | {"tools": [{"function": {"name": "f", "parameters": []}}]},
            "tools[0].function.parameters",
        ),
        (chat() | {"format": "yaml"}, "format"),
        (chat() | {"format": 1}, "format"),
        (chat() | {"think": "hard"}, "think"),
        (chat() | {"think": 1}, "think"),
        (chat() | {"stream": 1}, "stream"),
        (chat() | {"options": 1}, "options"),
        (chat() | {"options": {"temperature": "1"}}, "options.temperature"),
        (chat() | {"options": {"temperature": 10**400}}, "options.temperature"),
        (chat() | {"options": {"num_predict": 1.5}}, "options.num_predict"),
        (chat() | {"options": {"stop": "x"}}, "options.stop"),
        (chat() | {"options": {"stop": [1]}}, "options.stop[0]"),
    ],
)
def test_a_mistake_names_its_field(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientFault) as caught:
        CHAT.read_prompt(body, call())
    assert caught.value.param == param


def test_an_empty_prompt_can_not_be_translated() -> None:
    with pytest.raises(ClientFault, match="'prompt' is empty"):
        GENERATE.read_prompt({"model": "m"}, call())


leaves = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False)
)
keys = st.sampled_from(
    [
        "messages",
        "role",
        "content",
        "images",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "options",
        "stop",
        "num_predict",
        "tools",
        "think",
        "format",
        "prompt",
        "system",
        "tool_name",
        "stream",
    ]
)
junk = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=25,
)


@given(st.dictionaries(keys, junk, max_size=8))
def test_garbage_raises_nothing_but_client_faults(body: dict[str, Any]) -> None:
    for codec in (CHAT, GENERATE):
        try:
            prompt = codec.read_prompt(body, call())
        except ClientFault:
            continue
        codec.write_prompt(prompt, "m")


def test_lone_surrogates_and_huge_numbers_are_no_accident() -> None:
    prompt = CHAT.read_prompt(calls(arguments={"a": "\ud800", "b": 10**30}), call())
    part = prompt.messages[0].parts[-1]
    assert isinstance(part, ToolCall)
    assert json.loads(part.arguments) == {"a": "\ud800", "b": 10**30}
