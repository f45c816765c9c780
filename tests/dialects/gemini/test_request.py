"""Requests of Gemini's clients, good and bad."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.gemini_calls import read, target
from wattline.base.errors import ClientFault
from wattline.wire.call import Operation
from wattline.wire.http import Use

HI = {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]}


def test_a_request() -> None:
    body = HI | {
        "systemInstruction": {"parts": [{"text": "Be nice"}]},
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
        "generationConfig": {"maxOutputTokens": 99},
    }
    found = read(body, headers=(("x-goog-api-key", "secret"), ("x-wattline-tag", "a, b")))
    assert found.dialect == "gemini"
    assert found.operation is Operation.CHAT
    assert found.model == "gemini-2.5-flash"
    assert not found.stream
    assert found.tools
    assert not found.images
    assert found.max_output == 99
    assert found.tokens > 5
    assert found.tags == {"a", "b"}
    assert "x-goog-api-key" not in found.headers
    assert found.wants_usage
    assert not found.forward


def test_snake_case_is_read_too() -> None:
    media = {"inline_data": {"mime_type": "image/png", "data": "AAAA"}}
    body = {
        "contents": [{"parts": [media]}],
        "system_instruction": {"parts": {"text": "x"}},
        "generation_config": {"max_output_tokens": 7},
    }
    found = read(body, use=Use.FORWARD)
    assert found.images
    assert found.max_output == 7
    assert found.forward


def test_one_object_stands_for_a_list_of_one() -> None:
    assert read({"contents": {"parts": {"text": "Hello"}}}).tokens > 1


def test_the_method_says_what_is_asked() -> None:
    stream = target("streamGenerateContent")
    assert read(HI, stream + "?alt=sse").stream
    assert read(HI, stream + "?$alt=sse&key=k").stream
    assert not read(HI, stream).stream
    assert not read(HI, stream + "?alt=json").stream
    content = {"content": {"parts": [{"text": "x"}]}}
    one = read(content, target("embedContent"))
    batch = read({"requests": [content, content]}, target("batchEmbedContents"))
    assert one.operation is batch.operation is Operation.EMBEDDINGS
    assert batch.tokens > one.tokens
    count = read({"generateContentRequest": HI}, target("countTokens"))
    assert count.operation is Operation.COUNT_TOKENS
    assert read(HI, target("countTokens")).operation is Operation.COUNT_TOKENS


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": None}, "contents"),
        ({"contents": "hi"}, "contents"),
        ({"contents": ["hi"]}, "contents[0]"),
        ({"contents": [{"parts": "hi"}]}, "contents[0].parts"),
        ({"contents": [{"parts": [{}, "hi"]}]}, "contents[0].parts[1]"),
        (HI | {"systemInstruction": "Be nice"}, "systemInstruction"),
        (HI | {"tools": 1}, "tools"),
        (HI | {"tools": [1]}, "tools[0]"),
        (HI | {"generationConfig": []}, "generationConfig"),
        (HI | {"generationConfig": {"maxOutputTokens": "9"}}, "generationConfig.maxOutputTokens"),
        (HI | {"generationConfig": {"maxOutputTokens": 0}}, "generationConfig.maxOutputTokens"),
        (HI | {"generationConfig": {"maxOutputTokens": True}}, "generationConfig.maxOutputTokens"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientFault) as fault:
        read(body)
    assert fault.value.param == param


@pytest.mark.parametrize(
    ("to", "body", "param"),
    [
        (target("embedContent"), {}, "content"),
        (target("batchEmbedContents"), {}, "requests"),
        (target("batchEmbedContents"), {"requests": [{}]}, "requests[0].content"),
        (target("batchEmbedContents"), {"requests": [3]}, "requests[0]"),
        (target("countTokens"), {"generateContentRequest": 1}, "generateContentRequest"),
        (target("countTokens"), {}, "contents"),
        (target("streamGenerateContent") + "?alt=proto", HI, "alt"),
        (target() + "?alt=sse", HI, "alt"),
        (target(model="a%FF"), HI, "model"),
        (target(model="m" * 300), HI, "model"),
    ],
)
def test_what_is_wrong_elsewhere_is_named(to: str, body: dict[str, Any], param: str) -> None:
    with pytest.raises(ClientFault) as fault:
        read(body, to)
    assert fault.value.param == param


def test_a_path_below_v2() -> None:
    """B-034"""
    assert read(HI, "/v2/models/m:generateContent").model == "m"


def test_another_path_is_not_found() -> None:
    with pytest.raises(ClientFault) as fault:
        read(HI, "/v1beta/models/m")
    assert fault.value.status == 404


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["contents", "parts", "text", "inlineData", "mimeType", "role", "tools"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)
METHODS = ["generateContent", "streamGenerateContent", "countTokens", "embedContent"]


@given(
    st.dictionaries(st.sampled_from(["contents", "content", "tools"]), JSON),
    st.sampled_from(METHODS),
)
def test_garbage_is_refused_or_read(body: dict[str, Any], method: str) -> None:
    with suppress(ClientFault):
        read(body, target(method))
