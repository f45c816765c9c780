"""Whole answers of the Responses API, both ways."""

from __future__ import annotations

import json
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI
from openai.types.responses import Response

from kit.openai_calls import call
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.openai.responses_codec import ResponsesCodec
from wattline.wire.call import Operation
from wattline.wire.parts import Audio, Image, Part, Reasoning, Refusal, Text, ToolCall
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage

CODEC = ResponsesCodec()
CALL = call(Operation.RESPONSES)
USAGE = Usage(36, 87, cached=6, reasoning=64, written=4)
COUNTS = {
    "input_tokens": 36,
    "input_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 4},
    "output_tokens": 87,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 123,
}


def body(*output: Any, **fields: Any) -> bytes:
    whole = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1741476777.5,
        "status": "completed",
        "model": "gpt-5-2025",
        "output": list(output),
        "usage": COUNTS,
        "error": None,
        "incomplete_details": None,
    }
    return json.dumps(whole | fields).encode()


def one(*parts: Part, stop: Stop | None = Stop.END, usage: Usage | None = USAGE) -> Reply:
    return Reply((Alternative(parts, stop),), "resp_1", "gpt-5-2025", 1741476777, usage)


def test_all_items_of_an_answer():
    raw = body(
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [
                {"type": "summary_text", "text": "One"},
                {"type": "summary_text", "text": "Two"},
            ],
            "encrypted_content": "gAA",
        },
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gBB"},
        {"type": "reasoning", "id": "rs_3", "summary": []},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {
            "type": "message",
            "content": [
                {"type": "output_text", "text": "Hi", "annotations": []},
                {"type": "refusal", "refusal": "No"},
                {"type": "new"},
            ],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "image_generation_call", "result": "AA==", "output_format": "webp"},
        {"type": "image_generation_call", "result": None},
        None,
    )
    assert CODEC.read_reply(raw) == one(
        Reasoning("One\n\nTwo", signature="gAA"),
        Reasoning(redacted="gBB"),
        Text("Hi"),
        Refusal("No"),
        ToolCall("c1", "f", "{}"),
        Image("image/webp", data="AA=="),
        stop=Stop.TOOL_CALLS,
    )


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ({"reason": "max_output_tokens"}, Stop.LENGTH),
        ({"reason": "content_filter"}, Stop.FILTERED),
        ({"reason": ["odd"]}, Stop.OTHER),
        (None, Stop.OTHER),
    ],
)
def test_incomplete_answers(reason: Any, stop: Stop):
    raw = body(status="incomplete", incomplete_details=reason)
    assert CODEC.read_reply(raw).alternatives == (Alternative((), stop),)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"output": {}}',
        b'{"output": null}',
        b"[" * 100_000,
        b'\xff\xfe{"a":1}',
        body(status="queued"),
        body(status=["odd"]),
    ],
)
def test_what_is_no_answer(raw: bytes):
    with pytest.raises(BadReply):
        CODEC.read_reply(raw)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"status": "failed", "error": {"code": "rate_limit_exceeded"}}, "rate_limit"),
        ({"status": "failed"}, "server_error"),
        ({"status": "cancelled"}, "server_error"),
        ({"error": "overloaded"}, "overloaded"),
    ],
)
def test_errors_inside_a_success(fields: dict[str, Any], word: str):
    with pytest.raises(ReplyError) as caught:
        CODEC.read_reply(body(**fields))
    assert caught.value.word == word


@pytest.mark.parametrize(
    "usage",
    [
        "7",
        {"input_tokens": -1, "output_tokens": 1},
        {"input_tokens": 1, "output_tokens": True},
        {**COUNTS, "input_tokens_details": {"cache_write_tokens": -1}},
        {**COUNTS, "input_tokens_details": {"cache_write_tokens": "4"}},
    ],
)
def test_counts_that_can_not_be_true_are_bad(usage: Any):
    reply = CODEC.read_reply(body(usage=usage))
    assert (reply.usage, reply.bad_usage) == (None, True)


@pytest.mark.parametrize("usage", [None, {}])
def test_no_counts(usage: Any):
    reply = CODEC.read_reply(body(usage=usage))
    assert (reply.usage, reply.bad_usage) == (None, False)


def test_zero_is_zero():
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    assert CODEC.read_reply(body(usage=usage)).usage == Usage(0, 0)


TEXTS = st.text(max_size=8)
WORDS = st.text("abc", min_size=1, max_size=4)
PARTS = st.lists(
    st.one_of(
        st.builds(Text, TEXTS),
        st.builds(Refusal, TEXTS),
        st.builds(Reasoning, TEXTS.filter(bool), signature=st.none() | WORDS),
        st.builds(Reasoning, st.just(""), signature=WORDS),
        st.builds(Reasoning, redacted=WORDS),
        st.builds(ToolCall, WORDS, WORDS, TEXTS),
        st.builds(Image, st.just("image/png"), data=WORDS),
    ),
    max_size=5,
)


@given(PARTS, st.sampled_from([Stop.LENGTH, Stop.FILTERED, Stop.END]), st.none() | st.just(USAGE))
def test_an_answer_comes_back_the_same(parts: list[Part], stop: Stop, usage: Usage | None):
    if stop is Stop.END and any(isinstance(part, ToolCall) for part in parts):
        stop = Stop.TOOL_CALLS
    reply = one(*parts, stop=stop, usage=usage)
    written = CODEC.write_reply(reply, CALL)
    assert CODEC.read_reply(written) == reply
    Response.model_validate_json(written, strict=True)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "content", "summary", "text", "name", "arguments", "result", "call_id"]
                ),
                inner | st.sampled_from(["message", "reasoning", "function_call"]),
                max_size=4,
            )
        ),
    )
)
def test_odd_items_never_break_an_answer(item: Any):
    CODEC.read_reply(body(item))


def test_half_a_surrogate_pair_passes():
    reply = one(Text("\ud83d"))
    assert CODEC.read_reply(CODEC.write_reply(reply, CALL)) == reply


def test_what_a_provider_leaves_out_is_the_calls():
    written = json.loads(CODEC.write_reply(Reply((Alternative((Text("x"),)),)), CALL))
    assert written["id"] == f"resp_{CALL.id}"
    assert written["model"] == CALL.model
    assert written["status"] == "completed"
    assert written["usage"] is None
    assert CODEC.read_reply(json.dumps(written).encode()).created is None


def test_only_the_first_alternative_and_what_has_a_shape():
    reply = Reply((Alternative((Audio(data="x"), Text("a"))), Alternative((Text("b"),))))
    assert CODEC.read_reply(CODEC.write_reply(reply, CALL)).alternatives == (
        Alternative((Text("a"),), Stop.END),
    )
    assert CODEC.read_reply(CODEC.write_reply(Reply(()), CALL)).alternatives[0].parts == ()


def test_the_sdk_reads_a_whole_answer():
    """B-021: `responses.create` of OpenAI's own SDK."""
    parts = (Reasoning("Hm", signature="S"), Text("Hi "), Text("you"), ToolCall("c1", "f", "{}"))
    raw = CODEC.write_reply(one(*parts, stop=Stop.LENGTH), CALL)

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=raw, headers={"content-type": "application/json"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = OpenAI(api_key="k", base_url="http://x.test/v1", http_client=http)
        response = client.responses.create(model="gpt-5", input="Hi")
    assert response.output_text == "Hi you"
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call"]
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert [item.status for item in response.output if item.type != "reasoning"] == [
        "completed",
        "incomplete",
    ]
    assert response.usage is not None
    assert response.usage.to_dict() == COUNTS
