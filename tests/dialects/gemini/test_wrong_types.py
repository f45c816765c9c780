"""A value of a wrong type at every place of requests and answers: refused in words, or read."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from kit.gemini_calls import DIALECT, call, read, target
from wattline.base.errors import ClientFault
from wattline.dialects.base import Energy
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.gemini.codec import GenerateCodec
from wattline.dialects.gemini.embeddings import GeminiEmbeddings
from wattline.wire.events import Failed, Malformed
from wattline.wire.usage import Usage

CODEC = GenerateCodec()
BLOB = {"mimeType": "image/png", "data": "AAAA", "displayName": "n"}
SCHEMA = {
    "type": "OBJECT",
    "properties": {"a": {"type": "STRING", "enum": ["x"], "nullable": True}},
    "anyOf": [{"type": "ARRAY", "items": {"type": "NUMBER"}, "minItems": "1"}],
}
REQUEST = {
    "systemInstruction": {"parts": [{"text": "s"}]},
    "contents": [
        {"role": "user", "parts": [{"text": "hi"}, {"inlineData": BLOB}]},
        {
            "role": "model",
            "parts": [
                {"text": "t", "thought": True, "thoughtSignature": "c2ln"},
                {"functionCall": {"id": "i", "name": "f", "args": {"a": [1]}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": "i",
                        "name": "f",
                        "response": {"output": "o"},
                        "parts": [{"inlineData": BLOB}],
                    }
                },
                {"fileData": {"fileUri": "https://x/y", "mimeType": "a/b"}},
            ],
        },
    ],
    "tools": [
        {"functionDeclarations": [{"name": "f", "description": "d", "parameters": SCHEMA}]},
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    "generationConfig": {
        "temperature": 1,
        "topK": 1,
        "maxOutputTokens": 5,
        "stopSequences": ["x"],
        "responseMimeType": "application/json",
        "responseSchema": SCHEMA,
        "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True},
    },
    "safetySettings": [{"category": "c"}],
}
ANSWER = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "t", "thought": True, "thoughtSignature": "c2ln"},
                    {"functionCall": {"id": "i", "name": "f", "args": {"a": [1]}}},
                    {"inlineData": BLOB},
                    {"executableCode": {"language": "PYTHON", "code": "1"}},
                ],
            },
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3},
    "promptFeedback": {"blockReason": "SAFETY"},
    "modelVersion": "m",
    "responseId": "r",
}
EMBED = {
    "requests": [{"model": "m", "content": {"parts": [{"text": "x"}]}, "outputDimensionality": 2}]
}
VECTORS = {"embeddings": [{"values": [1.0]}], "usageMetadata": {"promptTokenCount": 1}}
WRONG = (None, True, -3, 1.5, 10**30, "x", "\ud800", [], {}, [[]], [None], {"x": {}})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, item in inner:
        yield from places(item, (*path, key))


def spoilt(value: Any) -> Iterator[Any]:
    for path in places(value):
        for wrong in WRONG:
            whole = copy.deepcopy(value)
            holder = whole
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = wrong
            yield whole


def test_requests() -> None:
    for body in spoilt(REQUEST):
        with suppress(ClientFault):
            read(body)
        with suppress(ClientFault):
            prompt = CODEC.read_prompt(body, call())
            for model in ("gemini-3-pro", "gemini-2.5-flash"):
                CODEC.write_prompt(prompt, model)
        raw = json.dumps(body).encode()
        out = DIALECT.write_body(raw, call(), "other", {"temperature": 1}, {"max_tokens": 3})
        assert isinstance(json.loads(out), dict)


def test_answers() -> None:
    for value in spoilt(ANSWER):
        raw = json.dumps(value).encode()
        DIALECT.read_answer(call(), raw)
        told = json.loads(DIALECT.write_answer(call(), raw, Usage(1, 2), Energy(5)))
        assert told["usageMetadata"]["energy"] == 0.000005
        with suppress(BadReply, ReplyError):
            assert json.loads(CODEC.write_reply(CODEC.read_reply(raw), call()))


def test_streams() -> None:
    encoder = CODEC.encoder(call("streamGenerateContent"))
    for value in spoilt(ANSWER):
        raw = b"data: " + json.dumps(value).encode() + b"\n\n"
        reader = DIALECT.reader(call("streamGenerateContent"))
        assert b"".join(piece.raw for piece in reader.feed(raw)) == raw
        decoder = CODEC.decoder()
        for event in [*decoder.feed(raw), *decoder.end()]:
            if not isinstance(event, Failed | Malformed):
                encoder.encode(event)


def test_embeddings() -> None:
    for body in spoilt(EMBED):
        with suppress(ClientFault):
            read(body, target("batchEmbedContents"))
        with suppress(ClientFault):
            GeminiEmbeddings().read_request(body, call("batchEmbedContents"))
        raw = json.dumps(body).encode()
        assert json.loads(DIALECT.write_body(raw, call("batchEmbedContents"), "other", {}, {}))
    for value in spoilt(VECTORS):
        raw = json.dumps(value).encode()
        DIALECT.read_answer(call("batchEmbedContents"), raw)
        with suppress(BadReply, ReplyError):
            GeminiEmbeddings().read_answer(raw)


@pytest.mark.parametrize("method", ["generateContent", "countTokens", "embedContent"])
def test_answers_too_deep(method: str) -> None:
    for deep in (b"[" * 100_000, b'{"candidates":' * 50_000, b'{"error":' + b"[" * 50_000):
        assert not DIALECT.read_answer(call(method), deep).sound
        assert DIALECT.write_answer(call(method), deep, Usage(1, 2), Energy(5)) == deep
