"""Whole answers: read for metering, and written with their energy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from kit.openai_calls import DIALECT, PATHS, call
from wattline.dialects.base import Energy
from wattline.wire.call import Operation
from wattline.wire.usage import Usage, UsageSource

C, L, R, E = Operation.CHAT, Operation.COMPLETION, Operation.RESPONSES, Operation.EMBEDDINGS
ENERGY = Energy(15_750_000)

CHAT = b'{\n "id":"chatcmpl-123","object":"chat.completion","created":1677652288,"model":"gpt-4o",\n "choices":[{"index":0,"message":{"role":"assistant","content":"Hello!"},"logprobs":null,"finish_reason":"stop"}],\n "usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21},"n":1.0e+2,"big":1e400,"s":"\\u00e9\\ud800"\n}\n'
LEGACY = b'{"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"text":"One","index":0,"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21}}'
EMBEDDINGS = b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}'
RESPONSE = b'{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"gpt-5","output":[{"type":"message","id":"m","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello","annotations":[]}]}],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":{"input_tokens":12,"input_tokens_details":{"cached_tokens":3},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":21}}'


def without_usage(raw: bytes) -> bytes:
    value = json.loads(raw)
    del value["usage"]
    return json.dumps(value).encode()


def test_what_each_kind_of_answer_says() -> None:
    """A-050, B-020, B-021, B-022, C-071."""
    chat = DIALECT.read_answer(call(C), CHAT)
    assert (chat.usage, chat.sound, chat.output, chat.model) == (Usage(12, 9), True, 6, "gpt-4o")
    legacy = DIALECT.read_answer(call(L), LEGACY)
    assert (legacy.usage, legacy.sound, legacy.output) == (Usage(12, 9), True, 3)
    vectors = DIALECT.read_answer(call(E), EMBEDDINGS)
    assert (vectors.usage, vectors.sound, vectors.output) == (Usage(8, 0), True, 0)
    response = DIALECT.read_answer(call(R), RESPONSE)
    assert (response.usage, response.sound, response.output) == (Usage(12, 9, 3, 1), True, 5)
    tools = CHAT.replace(
        b'"content":"Hello!"',
        b'"content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]',
    )
    assert DIALECT.read_answer(call(C), tools).output == 3


def test_energy_is_the_last_member_of_usage_and_nothing_else_changes() -> None:
    """A-050: the sample, 21 tokens and 15.75."""
    usage = Usage(12, 9)
    assert DIALECT.write_answer(call(C), CHAT, usage, ENERGY) == CHAT.replace(
        b":21}", b':21,"energy":15.75}'
    )
    assert DIALECT.write_answer(call(L), LEGACY, usage, ENERGY) == LEGACY.replace(
        b":21}", b':21,"energy":15.75}'
    )
    assert DIALECT.write_answer(call(E), EMBEDDINGS, Usage(8, 0), ENERGY) == EMBEDDINGS.replace(
        b":8}}", b':8,"energy":15.75}}'
    )
    assert (
        DIALECT.write_answer(call(R), RESPONSE, Usage(12, 9, 3, 1), ENERGY)
        == RESPONSE[:-2] + b',"energy":15.75}}'
    )
    spoofed = CHAT.replace(b":21}", b':21,"energy":0}')
    assert DIALECT.write_answer(call(C), spoofed, usage, ENERGY) == CHAT.replace(
        b":21}", b':21,"energy":15.75}'
    )
    unknown = DIALECT.write_answer(call(C), CHAT, usage, Energy(None))
    assert unknown == CHAT.replace(b":21}", b':21,"energy":null}')


@pytest.mark.parametrize(
    ("operation", "raw", "model"),
    [
        (C, CHAT, ChatCompletion),
        (L, LEGACY, Completion),
        (E, EMBEDDINGS, CreateEmbeddingResponse),
        (R, RESPONSE, Response),
    ],
)
def test_a_missing_usage_is_added_as_an_estimate(
    operation: Operation, raw: bytes, model: Any
) -> None:
    usage = Usage(12, 9 if operation is not E else 0, source=UsageSource.ESTIMATED)
    for bare in (without_usage(raw), without_usage(raw)[:-1] + b',"usage":null}'):
        made = DIALECT.write_answer(call(operation), bare, usage, ENERGY)
        parsed = model.model_validate(json.loads(made.replace(b"\\ud800", b"")))
        assert parsed.usage.total_tokens == usage.total
        assert parsed.usage.model_extra == {"estimated": True, "energy": 15.75}


def test_official_types_read_the_written_answers() -> None:
    made = DIALECT.write_answer(call(C), CHAT, Usage(12, 9), ENERGY)
    chat = ChatCompletion.model_validate(json.loads(made))
    assert chat.usage is not None
    assert chat.usage.model_extra == {"energy": 15.75}
    assert chat.choices[0].message.content == "Hello!"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"choices":[{"message":{"content":"a"}}],"content":"bb"}', "a"),
        (b'{"choices":[{"text":"a"}]}', "a"),
        (b'{"choices":[{"message":{"content":null}}],"content":"bb"}', "bb"),
        (b'{"content":"bb","response":"c"}', "bb"),
        (b'{"response":"c","message":{"content":"dd"}}', "c"),
        (b'{"message":{"content":"dd"}}', "dd"),
    ],
)
def test_the_text_counts_wherever_it_is(raw: bytes, text: str) -> None:
    """C-070: for tokens that a provider does not tell."""
    answer = DIALECT.read_answer(call(C), raw)
    assert (answer.sound, answer.output) == (True, len(text))


@pytest.mark.parametrize("operation", [C, L, R, E, Operation.MODERATIONS, Operation.IMAGES])
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"null",
        b"[]",
        b"1",
        b"<html>502</html>",
        CHAT[:-40],
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[7]}',
        b'{"choices":{}}',
        b'{"data":[]}',
        b'{"data":[ ]}',
        b'{"data":null}',
        b'{"data":{}}',
        b'{"output":{}}',
        b'{"results":[]}',
        b'{"detail":"x"}',
        b'{"choices":' + b"[" * 200_000,
        b"\xff\xfe",
        b"\x1f\x8b\x08",
    ],
    ids=lambda value: repr(value[:16]) if isinstance(value, bytes) else value,
)
def test_what_is_no_answer_is_unsound(operation: Operation, raw: bytes) -> None:
    answer = DIALECT.read_answer(call(operation), raw)
    assert not answer.sound
    assert answer.usage is None


@pytest.mark.parametrize("operation", list(PATHS))
def test_an_error_inside_a_success(operation: Operation) -> None:
    answer = DIALECT.read_answer(call(operation), b'{"error":{"code":429,"message":"x"}}')
    assert answer.error == "rate_limit"
    assert DIALECT.read_answer(call(operation), b'{"error":null}').error is None


def test_a_usage_that_cannot_be_true_is_refused_and_replaced() -> None:
    """T17."""
    for count in (b"-1", b"NaN", b"1e400", b'"12"', b"true", b"1000000001"):
        raw = CHAT.replace(b'"prompt_tokens":12', b'"prompt_tokens":' + count)
        answer = DIALECT.read_answer(call(C), raw)
        assert (answer.usage, answer.bad_usage, answer.sound) == (None, True, True)
        usage = Usage(1, 2, source=UsageSource.ESTIMATED)
        made = json.loads(DIALECT.write_answer(call(C), raw, usage, ENERGY))
        assert made["usage"] == {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "estimated": True,
            "energy": 15.75,
        }


def test_audio_and_transcripts() -> None:
    speech, upload = call(Operation.SPEECH), call(Operation.TRANSCRIPTION)
    assert DIALECT.read_answer(speech, b"ID3\x04\0\0").sound
    assert not DIALECT.read_answer(speech, b"").sound
    assert not DIALECT.read_answer(speech, b" <!DOCTYPE html>").sound
    assert not DIALECT.read_answer(speech, b'{"detail":1}').sound
    assert DIALECT.read_answer(upload, b"1\n00:00:00,000 --> 00:00:01,000\nHi").sound
    assert DIALECT.read_answer(upload, b'{"text":"Hi"}').sound
    for raw in (b"ID3\x04", b"plain text", b'{"text":"Hi"}'):
        assert DIALECT.write_answer(upload, raw, Usage(1, 1), ENERGY) == raw
    raw = b'{"text":"Hi","usage":{"type":"duration","seconds":3}}'
    assert DIALECT.write_answer(upload, raw, Usage(0, 0), ENERGY) == raw.replace(
        b":3}", b':3,"energy":15.75}'
    )


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=40) | st.text(alphabet='{}[]",:usagechoid 01', max_size=40).map(str.encode),
    st.sampled_from(list(PATHS)),
)
def test_any_body_is_survived(raw: bytes, operation: Operation) -> None:
    DIALECT.read_answer(call(operation), raw)
    DIALECT.write_answer(call(operation), raw, Usage(1, 1), ENERGY)
