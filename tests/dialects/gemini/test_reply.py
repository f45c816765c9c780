"""Whole answers between Gemini's shape and the neutral one."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.gemini_calls import call
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.gemini.codec import GenerateCodec
from wattline.dialects.gemini.text import json_text
from wattline.wire.parts import Audio, File, Image, Reasoning, Refusal, Text, ToolCall
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage

CODEC = GenerateCodec()


def read(**fields: Any) -> Reply:
    return CODEC.read_reply(json.dumps(fields).encode())


def candidate(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"content": {"parts": list(parts), "role": "model"}, **more}


def test_an_answer_is_read() -> None:
    parts = [
        {"text": "Hm", "thought": True},
        {"text": "Hello", "thoughtSignature": "c2ln"},
        {"executableCode": {"language": "PYTHON", "code": "1+1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "Y2FsbA=="},
        {"functionCall": {"name": "g", "id": "own"}},
        {"functionCall": {"name": "f"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"fileData": {"fileUri": "gs://x", "mimeType": "audio/wav"}},
        {"somethingNew": {}},
    ]
    found = read(
        candidates=[candidate(*parts, finishReason="STOP", index=0), {"finishReason": "SAFETY"}],
        usageMetadata={
            "promptTokenCount": 9,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 2,
            "cachedContentTokenCount": 4,
            "totalTokenCount": 16,
        },
        modelVersion="gemini-x",
        responseId="r-1/",
    )
    assert found == Reply(
        (
            Alternative(
                (
                    Reasoning("Hm"),
                    Text("Hello"),
                    Reasoning("", "c2ln"),
                    Text("\n```python\n1+1\n```\n"),
                    Text("\n```\n2\n```\n"),
                    ToolCall("call_r-1_0", "f", '{"a":1}', "Y2FsbA=="),
                    ToolCall("own", "g", "{}"),
                    ToolCall("call_r-1_2", "f", "{}"),
                    Image("image/png", data="AAAA"),
                    Audio("audio/wav", url="gs://x"),
                ),
                Stop.TOOL_CALLS,
            ),
            Alternative((), Stop.FILTERED),
        ),
        "r-1/",
        "gemini-x",
        None,
        Usage(9, 7, 4, 2),
    )


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", Stop.END),
        ("MAX_TOKENS", Stop.LENGTH),
        ("SAFETY", Stop.FILTERED),
        ("RECITATION", Stop.FILTERED),
        ("PROHIBITED_CONTENT", Stop.FILTERED),
        ("MALFORMED_FUNCTION_CALL", Stop.OTHER),
        ("LANGUAGE", Stop.OTHER),
        ("BRAND_NEW", Stop.OTHER),
        ("FINISH_REASON_UNSPECIFIED", None),
        (None, None),
    ],
)
def test_why_it_stopped(reason: str | None, stop: Stop | None) -> None:
    found = read(candidates=[{"finishReason": reason}])
    assert found.alternatives == (Alternative((), stop),)


def test_a_refused_prompt() -> None:
    found = read(promptFeedback={"blockReason": "SAFETY"}, usageMetadata={"promptTokenCount": 4})
    assert found == Reply((Alternative((), Stop.FILTERED),), usage=Usage(4, 0))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b"3",
        b'{"candidates":[]}',
        b'{"candidates":[3]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}',
        b'{"candidates":[{}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        CODEC.read_reply(body)


def test_errors_in_a_success() -> None:
    error = b'{"error":{"code":503,"status":"UNAVAILABLE"}}'
    for body in (error, b"[" + error + b"]"):
        with pytest.raises(ReplyError) as raised:
            CODEC.read_reply(body)
        assert raised.value.word == "overloaded"


def test_counts_that_cannot_be_true() -> None:
    found = read(candidates=[candidate()], usageMetadata={"promptTokenCount": -1})
    assert (found.usage, found.bad_usage) == (None, True)


def test_half_a_surrogate_pair() -> None:
    body = b'{"candidates":[{"content":{"parts":[{"text":"\\ud800"}]}}]}'
    found = CODEC.read_reply(body)
    assert json.loads(CODEC.write_reply(found, call()))


def test_an_answer_is_written() -> None:
    reply = Reply(
        (
            Alternative(
                (Reasoning("Hm", "not base64!"), Refusal("No."), Reasoning(redacted="z")), None
            ),
            Alternative((ToolCall("c", "f", "oops", "c2ln"), File(url="u")), Stop.SEQUENCE),
        ),
        usage=Usage(9, 7, 4, 2),
    )
    made = json.loads(CODEC.write_reply(reply, call()))
    assert made == {
        "candidates": [
            {
                "content": {
                    "parts": [
                        {
                            "text": "Hm",
                            "thought": True,
                            "thoughtSignature": "d2F0dGxpbmUuc2lnbmF0dXJlOm5vdCBiYXNlNjQh",
                        },
                        {"text": "No."},
                        {
                            "text": "",
                            "thought": True,
                            "thoughtSignature": "d2F0dGxpbmUucmVkYWN0ZWQ6eg==",
                        },
                    ],
                    "role": "model",
                },
                "index": 0,
            },
            {
                "content": {
                    "parts": [
                        {
                            "functionCall": {"id": "c", "name": "f", "args": {"arguments": "oops"}},
                            "thoughtSignature": "c2ln",
                        },
                        {"fileData": {"fileUri": "u"}},
                    ],
                    "role": "model",
                },
                "finishReason": "STOP",
                "index": 1,
            },
        ],
        "usageMetadata": {
            "promptTokenCount": 9,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 2,
            "cachedContentTokenCount": 4,
            "totalTokenCount": 16,
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "req_1",
    }
    back = CODEC.read_prompt({"contents": [made["candidates"][0]["content"]]}, call())
    assert back.messages[0].parts == (
        Reasoning("Hm", "not base64!"),
        Text("No."),
        Reasoning(redacted="z"),
    )


@pytest.mark.parametrize("foreign", ["AAAAA", "a b", "ä", "AA=A"])
def test_signatures_that_are_no_base64_come_back_as_they_were(foreign: str) -> None:
    """SDKs read them as base64."""
    reply = Reply((Alternative((Reasoning("x", foreign),)),))
    made = json.loads(CODEC.write_reply(reply, call()))["candidates"][0]["content"]["parts"][0]
    assert base64.b64decode(made["thoughtSignature"], validate=True)
    found = CODEC.read_prompt({"contents": [{"role": "model", "parts": [made]}]}, call())
    assert found.messages[0].parts == (Reasoning("x", foreign),)


def test_a_stream_that_is_no_stream_of_events_is_an_array() -> None:
    made = CODEC.write_reply(Reply(()), call("streamGenerateContent", stream=False))
    assert json.loads(made)[0]["responseId"] == "req_1"


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
BASE64 = st.from_regex(r"(?:[A-Za-z0-9+/]{4}){1,4}", fullmatch=True)
PARTS = (
    st.builds(Text, WORDS)
    | st.builds(Reasoning, WORDS, st.none() | BASE64 | WORDS)
    | st.builds(Reasoning, redacted=WORDS)
    | st.builds(
        ToolCall,
        WORDS,
        WORDS,
        st.dictionaries(WORDS, st.integers(0, 9) | WORDS, max_size=2).map(json_text),
        st.none() | BASE64,
    )
    | st.builds(Image, st.just("image/png"), data=BASE64)
)


@st.composite
def alternatives(draw: st.DrawFn) -> Alternative:
    parts = tuple(draw(st.lists(PARTS, max_size=4)))
    calls = any(isinstance(part, ToolCall) for part in parts)
    end = Stop.TOOL_CALLS if calls else Stop.END
    stop = draw(st.none() | st.sampled_from([end, Stop.LENGTH, Stop.FILTERED, Stop.OTHER]))
    return Alternative(parts, stop)


REPLIES = st.builds(
    Reply,
    st.lists(alternatives(), min_size=1, max_size=3).map(tuple),
    id=WORDS,
    model=WORDS,
    usage=st.none() | st.builds(Usage, st.integers(5, 9), st.integers(5, 9), st.integers(0, 5)),
)


@given(REPLIES)
def test_an_answer_comes_back_as_it_was(reply: Reply) -> None:
    assert CODEC.read_reply(CODEC.write_reply(reply, call())) == reply


KEYS = st.sampled_from(
    ["candidates", "content", "parts", "text", "thought", "functionCall", "name", "args", "error"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_garbage(value: Any) -> None:
    with suppress(BadReply, ReplyError):
        CODEC.write_reply(CODEC.read_reply(json.dumps(value).encode()), call())
