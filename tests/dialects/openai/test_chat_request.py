"""Writing chat requests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from kit.chat_prompts import prompts
from kit.openai_calls import call
from wattline.dialects.openai.chat_codec import ChatCodec
from wattline.dialects.openai.chat_traits import COMPATIBLE, ChatTraits
from wattline.wire.parts import (
    Audio,
    File,
    Image,
    Part,
    Reasoning,
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

FULL = ChatTraits(
    top_k=True, cache=True, reasoning="reasoning_content", signatures=True, limit="max_tokens"
)


def written(prompt: Prompt, traits: ChatTraits | None = None, model: str = "m") -> Written:
    codec = ChatCodec() if traits is None else ChatCodec(traits)
    return codec.write_prompt(prompt, model)


def messages(*messages: Message, traits: ChatTraits | None = None) -> Any:
    return written(Prompt(messages), traits).body["messages"]


def said(role: Role, *parts: Part) -> Message:
    return Message(role, parts)


@given(prompts())
def test_a_prompt_means_the_same_when_it_is_written_and_read(prompt: Prompt) -> None:
    codec = ChatCodec(FULL)
    made = codec.write_prompt(prompt, "m")
    assert made.dropped == ()
    assert made.unsupported == ()
    assert codec.read_prompt(made.body, call()) == prompt


@given(prompts())
def test_no_traits_lose_anything_without_a_word(prompt: Prompt) -> None:
    """What a plain provider does not get is reported."""
    made = written(prompt, COMPATIBLE)
    told = {*made.dropped, *made.unsupported}
    assert set(prompt.hints) <= told
    assert (prompt.sampling.top_k is None) or "top_k" in told
    thought = any(isinstance(part, Reasoning) for one in prompt.messages for part in one.parts)
    assert not thought or "reasoning in assistant messages" in told


def test_the_least_request() -> None:
    assert written(Prompt((said(Role.USER, Text("a")),))).body == {
        "model": "m",
        "messages": [{"role": "user", "content": "a"}],
    }


def test_a_stream_always_asks_for_its_usage() -> None:
    body = written(Prompt((), stream=True)).body
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o", "max_tokens"),
        ("llama-3", "max_tokens"),
        ("openai/gpt-oss-120b", "max_tokens"),
        ("ollama/qwen3", "max_tokens"),
        ("o1", "max_completion_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("openai/o4-mini", "max_completion_tokens"),
        ("gpt-5", "max_completion_tokens"),
        ("gpt-5.1-codex", "max_completion_tokens"),
        ("gpt-6-astra", "max_completion_tokens"),
    ],
)
def test_the_limit_is_named_as_the_model_wants_it(model: str, name: str) -> None:
    prompt = Prompt((), sampling=Sampling(max_tokens=5))
    assert written(prompt, model=model).body == {"model": model, "messages": [], name: 5}


def test_a_provider_can_have_its_own_name_of_the_limit() -> None:
    prompt = Prompt((), sampling=Sampling(max_tokens=5))
    body = written(prompt, ChatTraits(limit="max_completion_tokens")).body
    assert body["max_completion_tokens"] == 5


def test_a_developer_becomes_the_system_where_none_is_known() -> None:
    message = said(Role.DEVELOPER, Text("d"))
    assert messages(message)[0]["role"] == "developer"
    assert messages(message, traits=COMPATIBLE)[0]["role"] == "system"


def test_results_in_one_message_become_messages_of_their_own() -> None:
    results = said(Role.TOOL, ToolResult("a", (Text("1"),)), ToolResult("b", ()))
    assert messages(results) == [
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": ""},
    ]


def test_pictures_in_results_follow_the_run_of_results() -> None:
    picture = Image("image/png", "AAAA")
    found = messages(
        said(Role.TOOL, ToolResult("a", (Text("1"), picture))),
        said(Role.TOOL, ToolResult("b", (Text("2"),))),
        said(Role.USER, Text("go on")),
    )
    assert [message["role"] for message in found] == ["tool", "tool", "user", "user"]
    assert found[0]["content"] == "1"
    label, image = found[2]["content"]
    assert "a" in label["text"]
    assert image == {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def test_pictures_in_the_last_result_are_not_lost() -> None:
    result = ToolResult("a", (Image(url="https://x"),))
    found = messages(said(Role.TOOL, result))
    assert [message["role"] for message in found] == ["tool", "user"]


def test_results_in_a_users_message_come_before_its_text() -> None:
    both = said(Role.USER, Text("go on"), ToolResult("a", (Text("1"),)))
    assert [message["role"] for message in messages(both)] == ["tool", "user"]


def test_an_error_result_has_a_text_and_its_flag_is_told() -> None:
    made = written(Prompt((said(Role.TOOL, ToolResult("a", (), error=True)),)))
    assert made.body["messages"][0]["content"] == "error"
    assert made.dropped == ("error flags of tool results",)


def test_thought_goes_back_as_a_provider_takes_it() -> None:
    message = said(
        Role.ASSISTANT, Reasoning("x", "s"), Reasoning(redacted="r"), ToolCall("c", "f", "{}", "g")
    )
    made = written(Prompt((message,)))
    assert made.dropped == ("reasoning in assistant messages",)
    assert list(made.body["messages"][0]) == ["role", "content", "tool_calls"]
    (plain,) = messages(message, traits=ChatTraits(reasoning="reasoning"))
    assert plain["reasoning"] == "x"
    (full,) = messages(message, traits=FULL)
    assert full["reasoning_details"] == [
        {"type": "reasoning.text", "text": "x", "signature": "s", "index": 0},
        {"type": "reasoning.encrypted", "data": "r", "index": 1},
    ]
    google = {"google": {"thought_signature": "g"}}
    assert full["tool_calls"][0]["extra_content"] == google


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (said(Role.SYSTEM, Image(url="https://x")), "image in system messages"),
        (said(Role.ASSISTANT, Audio(data="AAAA")), "audio in assistant messages"),
        (said(Role.USER, Image(id="f")), "image by id in messages"),
        (said(Role.USER, Audio(url="https://x")), "audio by URL in messages"),
        (said(Role.USER, File(url="https://x")), "file by URL in messages"),
    ],
)
def test_parts_that_chat_does_not_have_are_named(message: Message, name: str) -> None:
    assert written(Prompt((message,))).unsupported == (name,)


def test_files_and_sounds_in_chats_own_words() -> None:
    (message,) = messages(
        said(
            Role.USER,
            File("application/pdf", "AAAA"),
            Audio("audio/mpeg", "BBBB"),
            Audio("audio/x-wav", "CCCC"),
        )
    )
    file, mp3, wav = message["content"]
    assert file["file"] == {
        "filename": "file",
        "file_data": "data:application/pdf;base64,AAAA",
    }
    assert mp3["input_audio"]["format"] == "mp3"
    assert wav["input_audio"]["format"] == "wav"


def test_a_choice_among_no_tools_is_left_out() -> None:
    """OpenAI refuses it; a demand for a call is the client's mistake, and stays."""
    free = Prompt((), tool_choice=ToolChoice(Choice.AUTO, parallel=False))
    assert list(written(free).body) == ["model", "messages"]
    forced = Prompt((), tool_choice=ToolChoice(Choice.REQUIRED))
    assert written(forced).body["tool_choice"] == "required"


def test_a_schema_without_a_name_gets_one() -> None:
    body = written(Prompt((), tools=(Tool("f"),), format=Format({"type": "object"}))).body
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}},
    }


@pytest.mark.parametrize(
    ("thinking", "effort", "dropped"),
    [
        (Thinking("xhigh"), "xhigh", ()),
        (Thinking(budget=1024), "low", ()),
        (Thinking(budget=8000), "medium", ()),
        (Thinking(budget=31999), "high", ()),
        (Thinking(budget=0), None, ("reasoning budget",)),
        (Thinking(budget=-1), None, ("reasoning budget",)),
        (Thinking("low", visible=False), "low", ("hidden reasoning",)),
        (Thinking(visible=True), None, ()),
    ],
)
def test_thinking_becomes_an_effort(
    thinking: Thinking, effort: str | None, dropped: tuple[str, ...]
) -> None:
    made = written(Prompt((), thinking=thinking))
    assert made.body.get("reasoning_effort") == effort
    assert made.dropped == dropped


@pytest.mark.parametrize("model", ["gpt-4o-mini", "openai/gpt-4.1", "gpt-3.5-turbo"])
def test_models_that_refuse_an_effort_get_none(model: str) -> None:
    made = written(Prompt((), thinking=Thinking("low")), model=model)
    assert "reasoning_effort" not in made.body
    assert made.dropped == ("reasoning effort",)


def test_hints_that_a_provider_does_not_know_are_dropped() -> None:
    hints = {"store": True, "metadata": {"a": "b"}, "thing": 1}
    prompt = Prompt((), hints=hints, user="u")
    made = written(prompt)
    assert made.body == {
        "model": "m",
        "messages": [],
        "store": True,
        "metadata": {"a": "b"},
        "user": "u",
    }
    assert made.dropped == ("thing",)
    assert written(prompt, COMPATIBLE).dropped == ("store", "metadata", "thing", "user")


def test_metadata_needs_a_stored_answer() -> None:
    made = written(Prompt((), hints={"metadata": {"a": "b"}}))
    assert "metadata" not in made.body
    assert made.dropped == ("metadata",)


def test_extras_of_other_dialects_are_unsupported() -> None:
    extras = {"top_logprobs": 3, "logprobs": 5, "container": "c", "messages[0] (thing)": {}}
    made = written(Prompt((), extras=extras))
    assert made.body["top_logprobs"] == 3
    assert made.unsupported == ("logprobs", "container", "messages[0] (thing)")
