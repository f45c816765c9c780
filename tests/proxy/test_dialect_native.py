"""The same dialect on both sides: byte for byte but for the model and the energy.

Requests and answers here are odd on purpose: numbers that a parser would write otherwise, escapes, unknown
fields, repeated white space, members in an unusual order.
"""

# ruff: noqa: ISC004  (a frame is a head, a raw payload and an end)

from __future__ import annotations

import re

import pytest
import pytest_asyncio

from kit.providers.fleet import MODELS, PATIENT, Fleet, fleet

pytestmark = pytest.mark.asyncio(loop_scope="module")

ODD = (
    rb'"zz_unknown" : {"b":1.0,"a":[1e5, -0.0,0.10,12345678901234567890,1E-7 ],"s":"\u00e9\/\ud83d\ude00'
    rb' \u2028\\"},  "aa":null'
)
JSON = "application/json"
SSE = "text/event-stream"
NDJSON = "application/x-ndjson"
ENERGY = re.compile(rb',?"energy":[0-9.]+')

PATHS = {
    "chat": ("openai", "/v1/chat/completions", "/v1/chat/completions"),
    "completions": ("openai", "/v1/completions", "/v1/completions"),
    "messages": ("anthropic", "/v1/messages", "/v1/messages"),
    "ollama-chat": ("ollama", "/api/chat", "/api/chat"),
    "ollama-generate": ("ollama", "/api/generate", "/api/generate"),
}
REQUESTS = {
    "chat": rb'{ "messages":[{"content":"h\u00e9 \ud83d\ude00","role":"user", "x":1.50}],%b,"stream":%b, "model" : "%b", "stream_options":{"include_usage":true},"temperature":1.0}',
    "messages": rb'{"max_tokens":  16,"messages":[{"role":"user","content":[{"text":"h\u00e9\/","type":"text"}]}],%b,"stream":%b,"model":"%b"}',
    "ollama-chat": rb'{"messages":[{"content":"h\u00e9","role":"user"}], "options":{"temperature":1.0,"seed": 1e1},%b,"stream":%b,"model":"%b"}',
    "ollama-generate": rb'{"prompt":"h\u00e9","raw" :false,%b,"stream":%b,"model":"%b"}',
}
WHOLE = {
    "chat": rb'{"choices":[{"finish_reason":"stop","index":0,"message":{"content":"\u00e9\/","role":"assistant","y":1.0}}],%b,"usage":{"total_tokens":5,"prompt_tokens":3, "completion_tokens":2,"q":1.0},"id":"x","object":"o","model":"up"}',
    "messages": rb'{"content":[{"text":"\u00e9","type":"text","z":1e2}],"stop_reason":"end_turn",%b,"role":"assistant","type":"message","usage":{"output_tokens":2, "input_tokens":3,"iterations":[1.0]},"id":"m"}',
    "ollama-chat": rb'{"message":{"content":"\u00e9","role":"assistant"},"done":true,%b,"prompt_eval_count":3,"eval_count":2,"total_duration":1.0e3}',
    "ollama-generate": rb'{"response":"\u00e9","done":true,%b,"prompt_eval_count":3,"eval_count":2}',
    "gemini": rb'{"candidates":[{"finishReason":"STOP","content":{"parts":[{"text":"\u00e9\/"}],"role":"model"},"avgLogprobs":-1.0e-1}],%b,"usageMetadata":{"totalTokenCount":5,"promptTokenCount":3, "candidatesTokenCount":2}}',
}
STREAM = {
    "chat": [
        rb": comment"
        b"\n\n"
        rb'data: {"choices":[{"delta":{"role":"assistant","content":""},"index":0}],%b,"id":"x"}'
        b"\r\n\r\n",
        b"event:  message\nid: 7\ndata:"
        rb'{"choices":[{"delta":{"content":"\u00e9 \/"},"index":0,"z":1.0}],%b}'
        b"\n\n",
        rb'data: {"choices":[{"delta":{},"index":0,"finish_reason":"stop"}],%b}' + b"\n\n",
        rb'data: {"usage":{"completion_tokens":2,"prompt_tokens":3, "total_tokens":5, "k":1e2},"choices":[],%b}'
        b"\n\n",
        b"data: [DONE]\n\n",
    ],
    "messages": [
        b"event: message_start\ndata: "
        rb'{"message":{"usage":{"input_tokens":3,"output_tokens":1},"content":[],"role":"assistant","id":"m","type":"message","model":"c"},%b,"type":"message_start"}'
        b"\n\n",
        b'event: ping\ndata: {"type": "ping"}\n\n',
        b"event: content_block_start\ndata: "
        rb'{"index":0,"content_block":{"text":"","type":"text"},"type":"content_block_start"}'
        b"\n\n",
        b"event: content_block_delta\ndata: "
        rb'{"index":0,"delta":{"text":"\u00e9\/","type":"text_delta","u":1.0},%b,"type":"content_block_delta"}'
        b"\n\n",
        b"event: odd_news\ndata: " + rb'{"type":"odd_news","n":1.0e1}' + b"\n\n",
        b'event: content_block_stop\ndata: {"index":0,"type":"content_block_stop"}\n\n',
        b"event: message_delta\ndata: "
        rb'{"usage":{"output_tokens":2},"delta":{"stop_reason":"end_turn"},%b,"type":"message_delta"}'
        b"\n\n",
        b'event: message_stop\ndata: {"type":"message_stop"  }\n\n',
    ],
    "ollama-chat": [
        rb'{"message":{"content":"\u00e9 \/","role":"assistant"},%b,"done":false}' + b"\n",
        rb'{"message":{"role":"assistant","content":""},"done":true,%b,"done_reason":"stop","prompt_eval_count":3,"eval_count":2,"eval_duration":1.0}'
        b"\r\n",
    ],
    "ollama-generate": [
        rb'{"response":"\u00e9",%b,"done":false}' + b"\n",
        rb'{"response":"","done":true,%b,"prompt_eval_count":3,"eval_count":2}' + b"\n",
    ],
    "gemini": [
        rb'data: {"candidates":[{"content":{"parts":[{"text":"\u00e9 \/"}],"role":"model"},"index":0}],%b}'
        b"\r\n\r\n",
        rb'data: {"usageMetadata":{"candidatesTokenCount":2,"promptTokenCount":3,"totalTokenCount":5},"candidates":[{"finishReason":"STOP","content":{"parts":[{"text":"."}],"role":"model"}}],%b}'
        b"\r\n\r\n",
    ],
}
GEMINI = rb'{"contents":[{"parts":[{"text":"h\u00e9\/"}],"role":"user"}],%b, "generation_config":{"temperature":1.0}}'
REQUESTS["completions"] = (
    rb'{"prompt":"h\u00e9",%b,"stream":%b,"model":"%b","stream_options":{"include_usage":true}}'
)
WHOLE["completions"] = (
    rb'{"choices":[{"finish_reason":"stop","index":0,"text":"\u00e9"}],%b,"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}'
)
STREAM["completions"] = [
    rb'data: {"choices":[{"text":"\u00e9","index":0}],%b}' + b"\n\n",
    rb'data: {"choices":[{"text":"","index":0,"finish_reason":"stop"}],%b}' + b"\n\n",
    rb'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5},%b}'
    b"\n\n",
    b"data: [DONE]\n\n",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sidecar(tmp_path_factory):
    async with fleet(tmp_path_factory.mktemp("native"), replace=[PATIENT]) as found:
        yield found


def odd(text: bytes) -> bytes:
    return text.replace(b"%b", ODD, 1)


async def exchanged(sidecar: Fleet, kind: str, pieces: list[bytes], media: str, *, stream: bool):
    """The request as the provider got it, the same as the client sent it, and the answer."""
    if kind == "gemini":
        dialect, way = "gemini", "streamGenerateContent?alt=sse" if stream else "generateContent"
        path, there = f"/v1beta/models/m-gemini:{way}", f"/v1beta/models/{MODELS['gemini']}:{way}"
        sent = wanted = odd(GEMINI)
    else:
        dialect, path, there = PATHS[kind]
        flag = b"true" if stream else b"false"
        body = (
            REQUESTS[kind]
            if stream
            else REQUESTS[kind].replace(b'"stream_options":{"include_usage":true}', b'"x":1.0')
        )
        sent = body % (ODD, flag, b"m-" + dialect.encode())
        wanted = body % (ODD, flag, MODELS.get(dialect, "up").encode())
    provider = sidecar.provider(dialect)
    provider.raw.append((pieces, media))
    reply = await sidecar.call(sent, path=path)
    assert reply.status == 200, reply.body
    assert provider.last.path == there
    return provider.last.raw, wanted, reply


@pytest.mark.parametrize("kind", WHOLE)
async def test_whole(sidecar, kind):
    """Request and answer keep every byte; `energy` is added."""
    answer = odd(WHOLE[kind])
    got, wanted, reply = await exchanged(sidecar, kind, [answer], JSON, stream=False)
    assert got == wanted
    assert ENERGY.sub(b"", reply.body) == answer
    assert len(ENERGY.findall(reply.body)) == 1


@pytest.mark.parametrize("size", [0, 1, 7])
@pytest.mark.parametrize("kind", STREAM)
async def test_streamed(sidecar, kind, size):
    """The same for streams, at whatever boundaries they come."""
    answer = b"".join(odd(frame) for frame in STREAM[kind])
    cut = [answer[i : i + size] for i in range(0, len(answer), size)] if size else [answer]
    media = NDJSON if kind.startswith("ollama") else SSE
    got, wanted, reply = await exchanged(sidecar, kind, cut, media, stream=True)
    assert got == wanted
    assert reply.clean
    assert ENERGY.sub(b"", reply.body) == answer
    assert len(ENERGY.findall(reply.body)) == 1
