"""OpenAI requests: what is read from them, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.openai_calls import PATHS, read
from wattline.base.errors import ClientFault
from wattline.base.strict_json import read_object
from wattline.wire.call import Operation
from wattline.wire.http import Use

HELLO = [{"role": "user", "content": "Hello!"}]
CHAT = {"model": "gpt-4o", "messages": HELLO}


def test_a_chat_with_everything_in_it() -> None:
    """A-020, B-020: the facts that rules can ask about."""
    call = read(
        {
            "model": "gpt-4o",
            "messages": [
                {"role": "system", "content": "x" * 400},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "y" * 40},
                        {"type": "image_url", "image_url": {"url": "data:" + "A" * 100_000}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "1",
                            "type": "function",
                            "function": {"name": "f", "arguments": "{}"},
                        }
                    ],
                },
                {"role": "tool", "content": "ok", "tool_call_id": "1"},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.7,
            "n": 1,
            "max_tokens": 100,
            "max_completion_tokens": 50,
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "user": "u1",
            "something_new": {"nested": [1]},
        },
        headers=(
            ("authorization", "Bearer sk-1"),
            ("cookie", "a=b"),
            ("x-api-key", "k"),
            ("api-key", "k"),
            ("x-goog-api-key", "k"),
            ("proxy-authorization", "k"),
            ("x-wattline-tag", "blue, green ,,blue"),
            ("x-wattline-tag", "red"),
            ("x-team", "one"),
            ("x-team", "two"),
        ),
        use=Use.FORWARD,
    )
    assert (call.model, call.stream, call.wants_usage, call.user) == ("gpt-4o", True, True, "u1")
    assert (call.tools, call.images, call.max_output, call.forward) == (True, True, 50, True)
    assert call.tags == {"blue", "green", "red"}
    assert dict(call.headers) == {"x-wattline-tag": "blue, green ,,blue", "x-team": "one"}
    assert 100 + 10 + 765 < call.tokens < 1000
    assert (call.id, call.dialect, call.method, call.path) == (
        "req_1",
        "openai",
        "POST",
        "/v1/chat/completions",
    )


def test_a_small_chat() -> None:
    call = read(CHAT)
    assert (call.stream, call.wants_usage, call.tools, call.images) == (False, False, False, False)
    assert (call.max_output, call.user, call.tags, call.forward) == (None, None, frozenset(), False)
    assert 1 < call.tokens < 20
    assert read({**CHAT, "max_tokens": 7}).max_output == 7
    null = dict.fromkeys(
        ("stream", "stream_options", "temperature", "n", "max_tokens", "tools", "user")
    )
    assert read({**CHAT, **null}) == call


def test_tokens_are_about_a_quarter_of_the_characters() -> None:
    tokens = read({"model": "m", "messages": [{"role": "user", "content": "abcd" * 1000}]}).tokens
    assert 1000 <= tokens <= 1010
    cyrillic = read(
        {"model": "m", "messages": [{"role": "user", "content": "\u0436" * 4000}]}
    ).tokens
    assert cyrillic > tokens


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_plain_messages_count_as_any_others(texts: list[str]) -> None:
    plain = [{"role": "user", "content": text} for text in texts]
    looked_at = [{**message, "tool_calls": []} for message in plain]
    counts = {read({"model": "m", "messages": found}).tokens for found in (plain, looked_at)}
    assert len(counts) == 1


def test_other_operations() -> None:
    """B-021, B-022."""
    responses = read(
        {
            "model": "gpt-5",
            "instructions": "Be brief.",
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "hi"},
                        {"type": "input_image", "image_url": "x"},
                    ],
                },
                {"type": "function_call_output", "call_id": "1", "output": "z" * 400},
            ],
            "max_output_tokens": 9,
            "stream": True,
            "tools": [{"type": "web_search"}],
        },
        Operation.RESPONSES,
    )
    assert (responses.max_output, responses.images, responses.tools, responses.stream) == (
        9,
        True,
        True,
        True,
    )
    assert responses.tokens > 800
    assert read({"model": "m", "previous_response_id": "r"}, Operation.RESPONSES).tokens < 10
    assert read({"model": "m", "input": "x" * 400}, Operation.RESPONSES).tokens > 100
    for value in ("text", ["a", "b"], [1, 2, 3], [[1, 2], [3]]):
        assert read({"model": "m", "input": value}, Operation.EMBEDDINGS).tokens > 0
    assert read({"model": "m", "input": [7] * 50}, Operation.EMBEDDINGS).tokens == 50
    assert (
        read({"model": "m", "prompt": ["a"], "max_tokens": 5}, Operation.COMPLETION).max_output == 5
    )
    assert read({"model": "m"}, Operation.COMPLETION).tokens == 0
    assert read({"input": "x"}, Operation.MODERATIONS).model == "omni-moderation-latest"
    assert read({"prompt": "a cat"}, Operation.IMAGES).model == "dall-e-2"
    assert (
        read({"model": "tts-1", "input": "hi", "voice": "alloy"}, Operation.SPEECH).stream is False
    )
    upload = read(
        {"model": "whisper-1", "temperature": "0.2", "stream": "true"}, Operation.TRANSCRIPTION
    )
    assert (upload.model, upload.stream) == ("whisper-1", True)


def chat(**fields: Any) -> dict[str, Any]:
    return {**CHAT, **fields}


def said(content: Any) -> dict[str, Any]:
    return chat(messages=[{"role": "user", "content": content}])


C, L, R, E = Operation.CHAT, Operation.COMPLETION, Operation.RESPONSES, Operation.EMBEDDINGS
WRONG_TYPES: list[Any] = [1, 1.5, True, "x", [], {}]

BAD: list[tuple[Operation, dict[str, Any], str]] = [
    *[(op, {"messages": HELLO, "input": "x"}, "model") for op in (C, L, R, E)],
    *[(op, {"model": None, "messages": HELLO, "input": "x"}, "model") for op in (C, L, R, E)],
    *[
        (C, chat(model=value), "model")
        for value in (
            1,
            1.5,
            True,
            [],
            {},
            "",
            "x" * 257,
            "a\nb",
            "a\0b",
            "\x1b[31m",
            "a\ud800",
            "\u202e",
        )
    ],
    (C, {"model": "m"}, "messages"),
    (C, chat(messages=None), "messages"),
    *[(C, chat(messages=value), "messages") for value in WRONG_TYPES],
    *[(C, chat(messages=[HELLO[0], value]), "messages[1]") for value in (None, 1, True, "x", [])],
    *[
        (C, chat(messages=[{"role": value, "content": "x"}]), "messages[0].role")
        for value in (None, 1, True, "", [], {})
    ],
    (C, chat(messages=[{}]), "messages[0].role"),
    *[(C, said(value), "messages[0].content") for value in (1, 1.5, True, {}, {"text": "x"})],
    *[(C, said(["x", value]), "messages[0].content[1]") for value in (None, 1, True, [])],
    *[(C, chat(stream=value), "stream") for value in (0, 1, "true", "false", "", [], {}, 1.0)],
    *[
        (C, chat(temperature=value), "temperature")
        for value in (-0.1, 2.1, -1, 3, 10**400, "0.7", True, [], {})
    ],
    *[(C, chat(n=value), "n") for value in (0, -1, 1.5, "1", True, [], {}, 10**12)],
    *[
        (C, chat(max_tokens=value), "max_tokens")
        for value in (0, -1, 1.5, "1", True, [], {}, 10**12)
    ],
    *[
        (C, chat(max_completion_tokens=value), "max_completion_tokens")
        for value in (0, -1, 2.5, "1", False, [], {})
    ],
    *[
        (C, chat(stream=True, stream_options=value), "stream_options")
        for value in (1, True, "x", [], 1.5)
    ],
    *[(C, chat(stream_options=value), "stream_options") for value in ({}, {"include_usage": True})],
    (C, chat(stream=False, stream_options={}), "stream_options"),
    *[
        (
            C,
            chat(stream=True, stream_options={"include_usage": value}),
            "stream_options.include_usage",
        )
        for value in (1, "true", [], {})
    ],
    *[(C, chat(tools=value), "tools") for value in (1, True, "x", {})],
    *[(C, chat(tools=[value]), "tools[0]") for value in (None, 1, "x", [])],
    *[(C, chat(functions=value), "functions") for value in (1, "x", {})],
    *[(C, chat(user=value), "user") for value in (1, True, [], {}, "x" * 300, "a\nb")],
    *[(L, {"model": "m", "prompt": value}, "prompt") for value in (1, True, {}, [])],
    *[(L, {"model": "m", "prompt": [value]}, "prompt[0]") for value in (None, True, 1.5)],
    (L, {"model": "m", "prompt": "x", "max_tokens": 0}, "max_tokens"),
    (L, {"model": "m", "prompt": "x", "stream_options": {}}, "stream_options"),
    *[
        (E, {"model": "m", **extra}, "input")
        for extra in (
            {},
            {"input": None},
            {"input": []},
            {"input": 1},
            {"input": True},
            {"input": {}},
        )
    ],
    *[(E, {"model": "m", "input": ["a", value]}, "input[1]") for value in (None, True, 1.5)],
    *[
        (R, {"model": "m", **extra}, "input")
        for extra in ({}, {"input": None}, {"input": 1}, {"input": {}}, {"input": True})
    ],
    *[(R, {"model": "m", "input": [value]}, "input[0]") for value in (None, 1, "x", [])],
    *[
        (R, {"model": "m", "input": [{"content": value}]}, "input[0].content")
        for value in (1, True, {})
    ],
    *[
        (R, {"model": "m", "input": "x", "instructions": value}, "instructions")
        for value in (1, [], {})
    ],
    *[
        (R, {"model": "m", "input": "x", "max_output_tokens": value}, "max_output_tokens")
        for value in (0, "1", True)
    ],
    (R, {"model": "m", "input": "x", "stream": "yes"}, "stream"),
    (R, {"model": "m", "input": "x", "tools": {}}, "tools"),
    *[(Operation.MODERATIONS, {"model": "m", **extra}, "input") for extra in ({}, {"input": 1})],
    *[
        (Operation.SPEECH, {"model": "m", **extra}, "input")
        for extra in ({}, {"input": ""}, {"input": 1})
    ],
    (Operation.SPEECH, {"input": "x"}, "model"),
    *[
        (Operation.IMAGES, {"model": "m", **extra}, "prompt")
        for extra in ({}, {"prompt": ""}, {"prompt": []})
    ],
    (Operation.IMAGES, {"prompt": "x", "n": 0}, "n"),
    (Operation.TRANSCRIPTION, {}, "model"),
    (Operation.TRANSCRIPTION, {"model": ""}, "model"),
]


def test_there_are_enough_bad_inputs() -> None:
    assert len(BAD) >= 150


@pytest.mark.parametrize(("operation", "body", "param"), BAD, ids=range(len(BAD)))
def test_bad_fields_are_refused_by_name(
    operation: Operation, body: dict[str, Any], param: str
) -> None:
    """A-151, E-084."""
    with pytest.raises(ClientFault) as caught:
        read(body, operation)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert param in caught.value.message
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    "tag", ["x" * 65, "a\x01b", ",".join(map(str, range(33)))], ids=["long", "control", "many"]
)
def test_bad_tags_are_refused(tag: str) -> None:
    with pytest.raises(ClientFault) as caught:
        read(CHAT, headers=(("x-wattline-tag", tag),))
    assert caught.value.param == "x-wattline-tag"


@pytest.mark.parametrize(
    ("output", "images"),
    [
        ([{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": "u"}], True),
        ([{"type": "input_text", "text": "input_image"}], False),
        (["input_image", None, 3, {"type": []}, {}], False),
        ("input_image", False),
        (None, False),
        ({"type": "input_image"}, False),
    ],
)
def test_pictures_in_the_output_of_a_tool(output: object, images: bool) -> None:  # noqa: FBT001
    """B-170: they are found as those of a message are."""
    item = {"type": "function_call_output", "call_id": "c", "output": output}
    assert read({"model": "m", "input": [item]}, Operation.RESPONSES).images is images


fields = st.sampled_from(
    [
        "model",
        "messages",
        "stream",
        "stream_options",
        "include_usage",
        "temperature",
        "n",
        "max_tokens",
        "tools",
        "functions",
        "user",
        "input",
        "prompt",
        "role",
        "content",
        "type",
        "text",
        "instructions",
        "tool_calls",
    ]
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.just("user"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(fields, anything, max_size=8), st.sampled_from(list(PATHS)), st.booleans())
def test_any_body_is_read_or_refused(
    body: dict[str, Any],
    operation: Operation,
    sound: bool,  # noqa: FBT001  (drawn)
) -> None:
    if sound:
        body = {**body, "model": "m"}
    parsed = read_object(json.dumps(body).encode(), max_depth=64)
    try:
        call = read(parsed, operation)
    except ClientFault as fault:
        assert fault.status == 400  # noqa: PT017  (either outcome is right)
        assert fault.param  # noqa: PT017  (either outcome is right)
    else:
        assert call.tokens >= 0
        assert call.model
