"""Requests between Gemini's shape and the neutral one."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.gemini_calls import call
from wattline.base.errors import ClientFault
from wattline.dialects.gemini.codec import GenerateCodec
from wattline.dialects.gemini.signature import SKIP
from wattline.dialects.gemini.text import json_text
from wattline.dialects.gemini.turns import whole_turns
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

CODEC = GenerateCodec()
NEW = "gemini-3-pro"
OLD = "gemini-2.5-flash"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
PNG = "iVBORw0KGgo="


def read(body: dict[str, Any], method: str = "generateContent") -> Prompt:
    return CODEC.read_prompt(body, call(method))


def write(*messages: Message, model: str = NEW, **fields: Any) -> Written:
    return CODEC.write_prompt(Prompt(messages, **fields), model)


def user(*parts: Part) -> Message:
    return Message(Role.USER, parts)


def model_said(*parts: Part) -> Message:
    return Message(Role.ASSISTANT, parts)


def result(ident: str, *parts: Text | Image | File, **more: Any) -> Message:
    return Message(Role.TOOL, (ToolResult(ident, parts, **more),))


HI = user(Text("hi"))


def test_a_conversation_is_read() -> None:
    body = {
        "systemInstruction": {"parts": [{"text": "Be nice"}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "What is it?"},
                    {"inlineData": {"mimeType": "image/png", "data": "-_8="}},
                    {"inline_data": {"mime_type": "audio/wav", "data": "AAA"}},
                    {"fileData": {"fileUri": "gs://b/x.pdf", "mimeType": "application/pdf"}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "Hm", "thought": True, "thoughtSignature": "c2ln"},
                    {"text": "I look.", "thoughtSignature": "dGV4dA=="},
                    {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "Y2FsbA"},
                    {"functionCall": {"name": "f"}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "f", "response": {"output": "one"}}},
                    {"functionResponse": {"name": "f", "response": {"error": "bad"}}},
                    {"text": "And?"},
                ],
            },
        ],
    }
    assert read(body).messages == (
        Message(Role.SYSTEM, (Text("Be nice"),)),
        user(
            Text("What is it?"),
            Image("image/png", data="+/8="),
            Audio("audio/wav", data="AAA="),
            File("application/pdf", url="gs://b/x.pdf"),
        ),
        model_said(
            Reasoning("Hm", "c2ln"),
            Text("I look."),
            Reasoning("", "dGV4dA=="),
            ToolCall("call_0", "f", '{"a":1}', "Y2FsbA"),
            ToolCall("call_1", "f", "{}"),
        ),
        result("call_0", Text("one"), name="f"),
        result("call_1", Text("bad"), name="f", error=True),
        user(Text("And?")),
    )


def test_results_find_their_calls() -> None:
    """By id where there is one, else by name in order; made ids are no given ones."""
    calls = [
        {"functionCall": {"name": "f", "id": "call_0"}},
        {"functionCall": {"name": "g"}},
        {"functionCall": {"name": "f"}},
    ]
    answers = [
        {"functionResponse": {"name": "f", "id": "call_0"}},
        {"functionResponse": {"name": "f", "response": {"x": 1, "y": [2]}}},
        {"functionResponse": {"name": "g", "response": {"result": "r"}}},
        {"functionResponse": {"name": "h"}},
    ]
    body = {"contents": [{"role": "model", "parts": calls}, {"role": "function", "parts": answers}]}
    first, *results = read(body).messages
    assert [part.id for part in first.parts if isinstance(part, ToolCall)] == [
        "call_0",
        "call_1",
        "call_2",
    ]
    assert [message.parts[0] for message in results] == [
        ToolResult("call_0", (), "f"),
        ToolResult("call_2", (Text('{"x":1,"y":[2]}'),), "f"),
        ToolResult("call_1", (Text("r"),), "g"),
        ToolResult("call_3", (), "h"),
    ]


def test_the_rest_of_a_request_is_read() -> None:
    body = {
        "contents": {"parts": {"text": "hi"}},
        "tools": [
            {
                "function_declarations": [
                    {"name": "f", "description": "d", "parametersJsonSchema": SCHEMA},
                    {"name": "g", "parameters": {"type": "OBJECT", "nullable": True}},
                ]
            },
            {"googleSearch": {}},
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "any", "allowedFunctionNames": ["f"]}},
        "generationConfig": {
            "temperature": 0.5,
            "topP": 1,
            "topK": 40.0,
            "maxOutputTokens": 9,
            "stopSequences": ["x"],
            "seed": -4,
            "presencePenalty": -1,
            "frequencyPenalty": 1.5,
            "candidateCount": 2,
            "responseMimeType": "application/json",
            "responseSchema": {"type": "STRING", "enum": ["a"]},
            "thinkingConfig": {"include_thoughts": True, "thinking_level": "HIGH"},
            "responseModalities": ["TEXT"],
        },
        "safetySettings": [{"category": "X"}],
        "labels": {"a": "b"},
        "novelty": 1,
    }
    found = read(body, "streamGenerateContent")
    assert found.tools == (
        Tool("f", "d", SCHEMA),
        Tool("g", None, {"type": ["object", "null"]}),
    )
    assert found.tool_choice == ToolChoice(Choice.NAMED, "f")
    assert found.sampling == Sampling(9, 0.5, 1, 40, ("x",), -4, -1, 1.5, 2)
    assert found.format == Format({"type": "string", "enum": ["a"]})
    assert found.thinking == Thinking("high", visible=True)
    assert found.stream
    assert found.hints == {"labels": {"a": "b"}}
    assert found.extras == {
        "tools.googleSearch": {},
        "generationConfig.responseModalities": ["TEXT"],
        "safetySettings": [{"category": "X"}],
        "novelty": 1,
    }
    out = CODEC.write_prompt(found, NEW)
    assert out.unsupported == ("novelty",)
    assert out.body["tools"][1] == {"googleSearch": {}}
    assert out.body["generationConfig"]["responseModalities"] == ["TEXT"]
    assert out.body["safetySettings"] == [{"category": "X"}]


def test_parts_without_a_neutral_form_are_told_by_their_place() -> None:
    parts = [
        {"executableCode": {"code": "1"}},
        {"fileData": {"fileUri": "https://x/v.mp4"}, "videoMetadata": {"fps": 1}},
        {"functionResponse": {"name": "f", "scheduling": "SILENT"}},
    ]
    found = read({"contents": [{"parts": parts}]})
    assert set(found.extras) == {
        "contents[0].parts[0] (executableCode)",
        "contents[0].parts[1] (videoMetadata)",
        "contents[0].parts[2].functionResponse.scheduling",
    }
    assert set(CODEC.write_prompt(found, NEW).unsupported) == set(found.extras)


@pytest.mark.parametrize(
    "calling",
    [
        {"mode": "ANY", "allowedFunctionNames": ["f", "g"]},
        {"mode": "VALIDATED"},
        {"mode": "AUTO", "streamFunctionCallArguments": True},
    ],
)
def test_a_choice_without_a_neutral_form_goes_back_as_it_was(calling: dict[str, Any]) -> None:
    config = {"functionCallingConfig": calling, "retrievalConfig": {"a": 1}}
    found = read({"contents": [{"parts": [{"text": "x"}]}], "toolConfig": config})
    assert found.tool_choice is None
    assert CODEC.write_prompt(found, NEW).body["toolConfig"] == config


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"contents": 1}, "contents"),
        ({"contents": ["x"]}, "contents[0]"),
        ({"contents": [{"role": "system"}]}, "contents[0].role"),
        ({"contents": [{"role": 1}]}, "contents[0].role"),
        ({"contents": [{"parts": ["x"]}]}, "contents[0].parts[0]"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"thought": 1}]}]}, "contents[0].parts[0].thought"),
        (
            {"contents": [{"parts": [{"inlineData": {"data": ""}}]}]},
            "contents[0].parts[0].inlineData.mimeType",
        ),
        (
            {"contents": [{"parts": [{"inlineData": {"mimeType": "a/b", "data": "ä"}}]}]},
            "contents[0].parts[0].inlineData.data",
        ),
        (
            {"contents": [{"role": "model", "parts": [{"functionCall": {"args": {}}}]}]},
            "contents[0].parts[0].functionCall.name",
        ),
        (
            {
                "contents": [
                    {"role": "model", "parts": [{"functionCall": {"name": "f", "args": 1}}]}
                ]
            },
            "contents[0].parts[0].functionCall.args",
        ),
        ({"contents": [{"parts": [{"functionCall": {"name": "f"}}]}]}, "contents[0]"),
        (
            {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": "x"}}]}]},
            "contents[0].parts[0].functionResponse.response",
        ),
        ({"systemInstruction": {"parts": [{"functionCall": {"name": "f"}}]}}, "systemInstruction"),
        ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
        (
            {"tools": [{"functionDeclarations": [{"name": "f", "parameters": 1}]}]},
            "tools[0].functionDeclarations[0].parameters",
        ),
        (
            {"toolConfig": {"functionCallingConfig": {"mode": "SOME"}}},
            "toolConfig.functionCallingConfig.mode",
        ),
        ({"generationConfig": {"temperature": 3}}, "generationConfig.temperature"),
        ({"generationConfig": {"topK": 1.5}}, "generationConfig.topK"),
        ({"generationConfig": {"stopSequences": [1]}}, "generationConfig.stopSequences[0]"),
        ({"generationConfig": {"responseSchema": 1}}, "generationConfig.responseSchema"),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingLevel": "vast"}}},
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientFault) as fault:
        read(body)
    assert fault.value.param == param


def test_a_prompt_is_written() -> None:
    out = write(
        Message(Role.SYSTEM, (Text("Be nice"),)),
        HI,
        Message(Role.DEVELOPER, (Text("Be brief"),)),
        model_said(Refusal("No."), ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", "oops")),
        result("c1", Text("o"), Text("ne"), Image("image/png", data=PNG)),
        result("c2", error=True),
        user(Text(""), Text("and?")),
        tools=(Tool("f", "d", SCHEMA), Tool("g")),
        tool_choice=ToolChoice(Choice.REQUIRED),
        format=Format(SCHEMA, "name", "what"),
        sampling=Sampling(max_tokens=5, stop=("x",)),
        thinking=Thinking("none"),
    )
    assert out.unsupported == out.dropped == ()
    assert out.body == {
        "systemInstruction": {"parts": [{"text": "Be nice"}, {"text": "Be brief"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "hi"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "No."},
                    {
                        "functionCall": {"id": "c1", "name": "f", "args": {"a": 1}},
                        "thoughtSignature": SKIP,
                    },
                    {"functionCall": {"id": "c2", "name": "g", "args": {"arguments": "oops"}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": "c1",
                            "name": "f",
                            "response": {"output": "one"},
                            "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}],
                        }
                    },
                    {"functionResponse": {"id": "c2", "name": "g", "response": {"error": ""}}},
                ],
            },
            {"role": "user", "parts": [{"text": "and?"}]},
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "f", "description": "d", "parametersJsonSchema": SCHEMA},
                    {"name": "g"},
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "maxOutputTokens": 5,
            "stopSequences": ["x"],
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA | {"description": "what"},
            "thinkingConfig": {"thinkingLevel": "minimal"},
        },
    }


def test_models_before_gemini_3() -> None:
    out = write(
        HI,
        model_said(ToolCall("c1", "f", "{}")),
        result("c1", Text("x"), Image("image/png", data=PNG)),
        model=OLD,
        thinking=Thinking("high", visible=True),
    ).body
    assert "thoughtSignature" not in out["contents"][1]["parts"][0]
    response, picture = out["contents"][2]["parts"]
    assert "parts" not in response["functionResponse"]
    assert picture == {"inlineData": {"mimeType": "image/png", "data": PNG}}
    thinking = {"thinkingBudget": 24576, "includeThoughts": True}
    assert out["generationConfig"]["thinkingConfig"] == thinking
    early = write(HI, model="gemini-2.0-flash", thinking=Thinking("low"))
    assert "generationConfig" not in early.body
    assert early.dropped == ("thinking",)


def test_what_the_provider_cannot_do_is_named() -> None:
    out = write(
        user(
            Text("x", cache={"type": "ephemeral"}),
            Image(url="http://x/y.png"),
            Image(id="file-1"),
            Audio(data="AAAA"),
            File(url="https://x/y.pdf"),
            File(data="JVBERi0="),
            File(id="files/abc"),
            Image("image/png", data=PNG, detail="low"),
        ),
        model_said(Reasoning(redacted="zzz"), Text("a")),
        tool_choice=ToolChoice(parallel=False),
        sampling=Sampling(stop=tuple("abcdef")),
        user="u",
        tools=(Tool("f", strict=True),),
        hints={"metadata": {}, "labels": {"a": "b"}},
        extras={"logit_bias": {}, "tools[0] (web_search)": {}},
    )
    assert out.unsupported == (
        "image by URL in messages",
        "image by id in messages",
        "audio without a media type in messages",
        "at most one tool call in a turn",
        "more than 5 stop sequences",
        "logit_bias",
        "tools[0] (web_search)",
    )
    assert out.dropped == (
        "cache_control",
        "detail of images",
        "redacted reasoning",
        "strict in tools",
        "metadata",
        "user",
    )
    assert out.body["labels"] == {"a": "b"}
    assert out.body["contents"][0]["parts"][1:] == [
        {"fileData": {"fileUri": "https://x/y.pdf"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
    ]


def test_a_signature_alone_belongs_to_what_is_before_it() -> None:
    """But not to a thought, a call, or something that is signed already."""
    written = write(
        model_said(
            Reasoning("", "AAAA"),
            Text("a"),
            Reasoning("", "BBBB"),
            Reasoning("", "CCCC"),
            Reasoning("hm"),
            Reasoning("", "DDDD"),
        )
    ).body["contents"][0]["parts"]
    assert written == [
        {"text": "", "thoughtSignature": "AAAA"},
        {"text": "a", "thoughtSignature": "BBBB"},
        {"text": "", "thoughtSignature": "CCCC"},
        {"text": "hm", "thought": True},
        {"text": "", "thoughtSignature": "DDDD"},
    ]


def test_an_id_may_come_again_in_a_later_turn() -> None:
    turn = [
        [model_said(ToolCall("call_0", name, "")), result("call_0", Text("x"))] for name in "fg"
    ]
    contents = write(HI, *turn[0], *turn[1]).body["contents"]
    results = [contents[index]["parts"][0]["functionResponse"]["name"] for index in (2, 4)]
    assert results == ["f", "g"]


def test_there_is_always_a_content() -> None:
    alone = write(Message(Role.SYSTEM, (Text("Be nice"),))).body
    assert alone == {"contents": [{"role": "user", "parts": [{"text": "Be nice"}]}]}
    assert write(user(Text(""))).body["contents"]


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
NAMES = st.from_regex(r"[a-z_]{1,6}", fullmatch=True)
BASE64 = st.from_regex(r"(?:[A-Za-z0-9+/]{4}){1,4}", fullmatch=True)
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | WORDS
OBJECTS = st.dictionaries(WORDS, LEAVES | st.lists(LEAVES, max_size=2), max_size=3)


def maybe[T](strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | strategy


def blobs(kind: Any, mimes: list[str]) -> st.SearchStrategy[Any]:
    mime = st.sampled_from(mimes)
    there = "https://generativelanguage.googleapis.com/v1beta/files/"
    return (
        st.builds(kind, mime, data=BASE64)
        | st.builds(kind, mime, url=NAMES.map("https://example.com/".__add__))
        | st.builds(kind, mime, id=NAMES.map(there.__add__))
    )


IMAGES = blobs(Image, ["image/png", "image/jpeg"])
FILES = blobs(File, ["application/pdf", "text/plain"])
SPOKEN = st.builds(Text, WORDS) | IMAGES | FILES | blobs(Audio, ["audio/wav", "audio/mp3"])
THOUGHTS = st.builds(Reasoning, WORDS, maybe(BASE64))
SIGNED_TEXT = st.tuples(st.builds(Text, WORDS), st.builds(Reasoning, st.just(""), BASE64))


@st.composite
def turns(draw: st.DrawFn, number: int) -> list[Message]:
    """A question; or an answer with calls and their results."""
    if draw(st.booleans()):
        return [user(*draw(st.lists(SPOKEN, min_size=1, max_size=3)))]
    parts: list[Part] = draw(st.lists(THOUGHTS, max_size=1))
    parts += draw(st.just(()) | SIGNED_TEXT | st.tuples(st.builds(Text, WORDS)))
    calls = [
        ToolCall(f"id_{number}_{index}", name, json_text(args), signature)
        for index, (name, args, signature) in enumerate(
            draw(st.lists(st.tuples(NAMES, OBJECTS, maybe(BASE64)), max_size=3))
        )
    ]
    found = [model_said(*parts, *calls)] if parts or calls else []
    for calling in calls:
        texts: list[Any] = draw(st.lists(st.builds(Text, WORDS), max_size=1))
        media = draw(st.lists(IMAGES | FILES, max_size=1))
        error = draw(st.booleans())
        found.append(result(calling.id, *texts, *media, name=calling.name, error=error))
    return found


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """Prompts that Gemini can say."""
    system = draw(st.lists(st.builds(Text, WORDS), max_size=2))
    messages = [Message(Role.SYSTEM, tuple(system))] if system else []
    for number in range(draw(st.integers(0, 3))):
        messages += draw(turns(number))
    choices = st.sampled_from([Choice.AUTO, Choice.NONE, Choice.REQUIRED]).map(ToolChoice)
    named = NAMES.map(lambda name: ToolChoice(Choice.NAMED, name))
    visible = maybe(st.booleans())
    efforts = st.sampled_from(["minimal", "low", "medium", "high"])
    thinking = st.builds(Thinking, efforts, visible=visible) | st.builds(
        Thinking, budget=st.integers(-1, 99), visible=visible
    )
    extras = st.fixed_dictionaries(
        {},
        optional={
            "safetySettings": st.lists(OBJECTS, min_size=1, max_size=2),
            "cachedContent": WORDS,
            "generationConfig.responseModalities": st.just(["TEXT"]),
            "tools.googleSearch": OBJECTS,
            "toolConfig.retrievalConfig": OBJECTS,
        },
    )
    sampling = st.builds(
        Sampling,
        max_tokens=maybe(st.integers(1, 99)),
        temperature=maybe(st.floats(0, 2)),
        top_p=maybe(st.floats(0, 1)),
        top_k=maybe(st.integers(0, 99)),
        stop=st.lists(WORDS, max_size=5).map(tuple),
        seed=maybe(st.integers(-9, 9)),
        presence_penalty=maybe(st.floats(-2, 2)),
        frequency_penalty=maybe(st.floats(-2, 2)),
        n=maybe(st.integers(1, 8)),
    )
    return Prompt(
        messages=(*messages, user(*draw(st.lists(SPOKEN, min_size=1, max_size=2)))),
        tools=tuple(
            draw(st.lists(st.builds(Tool, NAMES, maybe(WORDS), maybe(OBJECTS)), max_size=2))
        ),
        tool_choice=draw(maybe(choices | named)),
        format=draw(maybe(st.builds(Format, maybe(OBJECTS)))),
        sampling=draw(sampling),
        thinking=draw(maybe(thinking)),
        hints=draw(st.sampled_from([{}, {"labels": {"a": "b"}}, {"serviceTier": "flex"}])),
        extras=draw(extras),
    )


@given(prompts())
def test_a_prompt_comes_back_as_it_was(prompt: Prompt) -> None:
    written = CODEC.write_prompt(prompt, NEW)
    assert written.unsupported == written.dropped == ()
    body = json.loads(json.dumps(written.body))
    assert read(body) == replace(prompt, messages=tuple(whole_turns(prompt.messages)))


KEYS = st.sampled_from(
    [
        "contents",
        "role",
        "parts",
        "text",
        "thought",
        "thoughtSignature",
        "inlineData",
        "mimeType",
        "data",
        "fileData",
        "functionCall",
        "functionResponse",
        "response",
        "name",
        "args",
        "tools",
        "functionDeclarations",
        "parameters",
        "toolConfig",
        "functionCallingConfig",
        "allowedFunctionNames",
        "mode",
        "generationConfig",
        "thinkingConfig",
        "responseSchema",
        "stopSequences",
        "top_k",
        "systemInstruction",
    ]
)
JSON = st.recursive(
    LEAVES
    | st.floats(allow_nan=False)
    | st.sampled_from(["user", "model", "ANY", "a/b", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=14,
)


@given(st.dictionaries(KEYS, JSON, max_size=5))
def test_garbage_is_refused_or_translated(body: dict[str, Any]) -> None:
    with suppress(ClientFault):
        prompt = read(body)
        CODEC.write_prompt(prompt, NEW)
        CODEC.write_prompt(prompt, OLD)
