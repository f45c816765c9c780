"""Answers of the service as messages, at every boundary of their pieces."""

from __future__ import annotations

import json

import pytest

from wattline.base.errors import ClientFault, Kind, OurFault, UpstreamFault
from wattline.dialects.frames import reply as module
from wattline.dialects.frames.chat import ChatFrames
from wattline.dialects.frames.inference import InferenceFrames
from wattline.dialects.frames.reply import Reply
from wattline.dialects.frames.trouble import of_fault
from wattline.dialects.openai.error import error, stream_error
from wattline.wire.call import Operation
from wattline.wire.http import Head, Whole
from wattline.wire.sse import DONE, event

HEAD = Head(200, (("content-type", "text/event-stream"), ("x-wattline-provider", "p0")))
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "energy": 4}


def chunk(delta=None, reason=None, **more) -> bytes:
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": reason}]
    return event(json.dumps({"model": "m", "created": 5, "choices": choices, **more}).encode())


STREAM = b"".join(
    [
        chunk({"role": "assistant", "content": ""}),
        b": a comment\n\n",
        chunk({"content": "Grüße"}),
        chunk({"content": ", Welt"}),
        chunk({}, "stop"),
        event(json.dumps({"model": "m", "choices": [], "usage": USAGE}).encode()),
        DONE,
    ]
)


def told(reply: Reply, items, *, now=1.0, cut=False):
    frames = [frame for item in items for frame in reply.take(item)]
    return [json.loads(frame) for frame in [*frames, *reply.end(now, cut=cut)]]


def chat() -> Reply:
    return Reply(ChatFrames("r"), 0.5)


def inference() -> Reply:
    return Reply(InferenceFrames("q"), 0.5)


@pytest.mark.parametrize("size", range(1, 40))
def test_a_stream_of_the_chat_protocol(size):
    """B-182, B-186."""
    pieces = [STREAM[i : i + size] for i in range(0, len(STREAM), size)]
    assert told(chat(), [HEAD, *pieces]) == [
        {"type": "chat.start", "requestId": "r"},
        {"type": "chat.delta", "requestId": "r", "delta": "Grüße"},
        {"type": "chat.delta", "requestId": "r", "delta": ", Welt"},
        {
            "type": "chat.complete",
            "requestId": "r",
            "response": "Grüße, Welt",
            "usage": USAGE,
            "latencyMs": 500,
            "providerId": "p0",
            "model": "m",
            "finishReason": "stop",
        },
    ]


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_a_stream_of_the_inference_protocol(cut):
    """D-061, cut in two anywhere."""
    heard = told(inference(), [HEAD, STREAM[:cut], STREAM[cut:]])
    assert {frame["type"] for frame in heard} == {"inference_response"}
    assert {frame["id"] for frame in heard} == {"q"}
    part = {"finish_reason": None, "usage": None, "model": "m", "created": 5}
    assert [frame["data"] for frame in heard] == [
        {**part, "content": "Grüße"},
        {**part, "content": ", Welt"},
        {"content": "", "finish_reason": "stop", "usage": USAGE, "model": "m", "created": 5},
    ]


def whole(message, **more) -> Whole:
    body = {
        "model": "m",
        "created": 5,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    return Whole(200, (("x-wattline-provider", "p1"),), json.dumps({**body, **more}).encode())


def test_a_whole_answer():
    message = {"role": "assistant", "content": "Hello", "refusal": None}
    start, done = told(chat(), [whole(message)])
    assert start["type"] == "chat.start"
    assert (done["response"], done["providerId"], done["usage"]) == ("Hello", "p1", USAGE)
    assert "choices" not in done
    (answer,) = told(inference(), [whole(message)])
    assert answer["data"] == {
        "content": "Hello",
        "finish_reason": "stop",
        "usage": USAGE,
        "model": "m",
        "created": 5,
    }


def test_an_answer_that_is_more_than_text():
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    done = told(chat(), [whole(message)])[-1]
    assert done["response"] == ""
    assert done["choices"][0]["message"]["tool_calls"] == calls
    assert told(inference(), [whole(message)])[0]["data"]["tool_calls"] == calls
    several = told(chat(), [whole({}, choices=[{"message": {"content": "a"}}, {}])])[-1]
    assert (several["response"], len(several["choices"])) == ("a", 2)


def test_a_large_answer_in_pieces():
    """A body too large to be held by the service comes with a head, though it is no stream."""
    body = whole({"content": "x" * 1000}).body
    head = Head(200, (("content-type", "application/json"), ("x-wattline-provider", "p2")))
    done = told(chat(), [head, body[:10], body[10:]])[-1]
    assert (done["response"], done["providerId"]) == ("x" * 1000, "p2")


def test_an_answer_that_is_too_large(monkeypatch):
    monkeypatch.setattr(module, "MAX_HELD", 100)
    head = Head(200, (("content-type", "application/json"),))
    reply = chat()
    heard = told(reply, [head, *([b"x" * 60] * 10)])
    assert heard[-1]["code"] == "answer_too_large"
    assert len(reply._body) == 101
    long = [HEAD, *[chunk({"content": "y" * 60})] * 3]
    done = told(chat(), long)[-1]
    assert (done["type"], done["response"]) == ("chat.complete", None)


def test_tool_calls_in_parts():
    piece = {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}
    heard = told(chat(), [HEAD, chunk(piece), chunk({"reasoning_content": "hm"})])
    deltas = [frame for frame in heard if frame["type"] == "chat.delta"]
    assert deltas[0]["delta"] == ""
    assert deltas[0]["chunk"]["choices"][0]["delta"] == piece
    assert deltas[1]["chunk"]["choices"][0]["delta"] == {"reasoning_content": "hm"}
    parts = told(inference(), [HEAD, chunk(piece)])
    assert parts[0]["data"]["tool_calls"] == piece["tool_calls"]


def test_the_start_is_told_once():
    reply = chat()
    assert len(reply.begin()) == 1
    assert reply.begin() == []
    assert reply.take(HEAD) == []


FAULTS = [
    (
        ClientFault(
            "Full: window x.",
            status=429,
            code="rate_limit_exceeded",
            kind=Kind.RATE_LIMIT,
            retry_after=1.5,
        ),
        ("rate_limited", "Rate limit exceeded", 1500),
        (429, "rate_limit"),
    ),
    (
        ClientFault("No such model.", status=404, code="model_not_found", kind=Kind.NOT_FOUND),
        ("model_not_found", "No such model.", None),
        (404, "validation"),
    ),
    (
        UpstreamFault("All failed.", code="all_failed"),
        ("all_failed", "All failed.", None),
        (502, "openrouter"),
    ),
    (OurFault("A bug."), ("internal_error", "A bug.", None), (500, "internal")),
]


@pytest.mark.parametrize(("fault", "in_chat", "in_inference"), FAULTS, ids=str)
def test_faults(fault, in_chat, in_inference):
    """B-184, B-185, D-063, D-071; the same whether it comes as a fault or as an answer."""
    for way in ("answer", "fault"):
        for reply in (chat(), inference()):
            if way == "answer":
                (frame,) = told(reply, [error(fault, "req_1")])
            else:
                reply.fail(of_fault(fault))
                (frame,) = told(reply, [])
            assert frame["type"] == "error"
            if "requestId" in frame:
                found = frame["code"], frame["message"], frame.get("retryAfterMs")
                assert found == in_chat
                assert "error" not in frame
            else:
                assert frame["id"] == "q"
                assert (frame["error"]["code"], frame["error"]["type"]) == in_inference
                assert frame["error"]["message"] == fault.message


def test_an_error_in_a_stream():
    fault = UpstreamFault("The provider broke off.", code="upstream_broke_off")
    bad = stream_error(fault, Operation.CHAT)
    heard = told(chat(), [HEAD, chunk({"content": "a"}), bad, chunk({"content": "b"})], cut=True)
    assert [frame["type"] for frame in heard] == ["chat.start", "chat.delta", "error"]
    assert (heard[-1]["code"], heard[-1]["message"]) == (
        "upstream_broke_off",
        "The provider broke off.",
    )


def test_a_stream_that_is_cut_without_a_word():
    heard = told(inference(), [HEAD, chunk({"content": "a"}), b"data: {"], cut=True)
    assert heard[-1]["error"]["type"] == "openrouter"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b"7",
        b"{}",
        b'{"error": 7}',
        b'{"error": "text"}',
        b'{"error": {"message": 7, "code": []}}',
        b'{"error": {"code": 429, "type": null}}',
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("status", [400, 429, 500, 529])
def test_errors_of_any_shape(body, status):
    for reply in (chat(), inference()):
        (frame,) = told(reply, [Whole(status, (("retry-after-ms", "soon"),), body)])
        assert frame["type"] == "error"
        message = frame.get("message") or frame["error"]["message"]
        assert message


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"7", b"null"])
def test_answers_that_can_not_be_read(body):
    (frame,) = told(chat(), [Whole(200, (), body)])
    assert frame["code"] == "bad_answer"


WRONG = [None, 7, "x", [], {}, True, [None], [7], [[]], [{"delta": 7}], [{"message": [1]}]]


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_wrong_types_anywhere(value):
    members = ("choices", "usage", "model", "created", "error")
    for make in (chat, inference):
        for member in members:
            payload = json.dumps({"choices": [], member: value}).encode()
            told(make(), [Whole(200, (), payload)])
            told(make(), [HEAD, event(payload), event(b"7"), event(b"{"), b"\n", DONE])


def test_lone_surrogates_and_large_numbers_pass():
    raw = (
        b'{"choices":[{"index":0,"delta":{"content":"\\ud800"}}],"usage":{"x":' + b"9" * 40 + b"}}"
    )
    heard = told(chat(), [HEAD, event(raw)])
    assert heard[1]["delta"] == "\ud800"
    assert heard[-1]["usage"]["x"] == int("9" * 40)
