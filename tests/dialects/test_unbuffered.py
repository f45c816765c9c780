"""Translation adds no buffering: what an event says is with the client before the next event comes."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import pytest

from kit.openai_calls import call
from wattline.dialects.codecs import client_codec, provider_side
from wattline.dialects.translation import TranslatingReader
from wattline.wire.call import Operation
from wattline.wire.piece import Mark
from wattline.wire.sse import event

CLIENTS = {
    "openai": ("openai", Operation.CHAT),
    "completions": ("openai", Operation.COMPLETION),
    "responses": ("openai", Operation.RESPONSES),
    "anthropic": ("anthropic", Operation.CHAT),
    "gemini": ("gemini", Operation.CHAT),
    "ollama": ("ollama", Operation.CHAT),
    "ollama-generate": ("ollama", Operation.COMPLETION),
    "gateway": ("gateway", Operation.CHAT),
}
PROVIDERS = ("openai", "anthropic", "gemini", "ollama")
WORDS = [f"word{number}" for number in range(20)]
ARGUMENTS = ['{"city"', ': "Zü', 'rich", "da', 'ys": 3', "}"]


def openai(delta: dict) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return event(json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode())


def anthropic(kind: str, **fields: object) -> bytes:
    return event(json.dumps({"type": kind, **fields}).encode(), kind)


def block(index: int, **content: object) -> bytes:
    return anthropic("content_block_start", index=index, content_block=content)


def delta(index: int, **content: object) -> bytes:
    return anthropic("content_block_delta", index=index, delta=content)


def gemini(**part: object) -> bytes:
    candidate = {"content": {"role": "model", "parts": [part]}, "index": 0}
    return event(json.dumps({"candidates": [candidate], "modelVersion": "m"}).encode())


def ollama(**message: object) -> bytes:
    line = {"model": "m", "message": {"role": "assistant", **message}, "done": False}
    return json.dumps(line).encode() + b"\n"


MESSAGE_START = anthropic(
    "message_start", message={"id": "m", "model": "m", "usage": {"input_tokens": 1}}
)
START = {
    "openai": openai({"role": "assistant", "content": ""}),
    "anthropic": MESSAGE_START,
    "gemini": b"",
    "ollama": b"",
}
TEXT = {
    "openai": (b"", lambda word: openai({"content": word})),
    "anthropic": (
        block(0, type="text", text=""),
        lambda word: delta(0, type="text_delta", text=word),
    ),
    "gemini": (b"", lambda word: gemini(text=word)),
    "ollama": (b"", lambda word: ollama(content=word)),
}
THOUGHT = {
    "openai": (b"", lambda word: openai({"reasoning_content": word})),
    "anthropic": (
        block(0, type="thinking", thinking="", signature=""),
        lambda word: delta(0, type="thinking_delta", thinking=word),
    ),
    "gemini": (b"", lambda word: gemini(text=word, thought=True)),
    "ollama": (b"", lambda word: ollama(thinking=word)),
}
CALLING = {
    "openai": (
        openai(
            {"tool_calls": [{"index": 0, "id": "c0", "function": {"name": "f", "arguments": ""}}]}
        ),
        lambda text: openai({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}),
    ),
    "anthropic": (
        block(0, type="tool_use", id="c0", name="f", input={}),
        lambda text: delta(0, type="input_json_delta", partial_json=text),
    ),
}
STREAMS_ARGUMENTS = ("openai", "responses", "anthropic")
"""Clients whose dialect tells arguments in pieces; the others' tells a call whole, when it is."""


def reader(client: str, provider: str) -> TranslatingReader:
    dialect, operation = CLIENTS[client]
    codec, side = client_codec(dialect, operation), provider_side(provider, "").streaming
    asked = replace(call(operation, stream=True), dialect=dialect)
    return TranslatingReader(side.decoder(), codec.encoder(asked))


def told(pieces) -> bytes:
    """What the client gets at once: the tail alone waits for the ledger."""
    assert all(piece.mark in (Mark.STARTUP, Mark.OUTPUT) for piece in pieces)
    return b"".join(piece.raw for piece in pieces)


@pytest.mark.parametrize(("client", "provider"), list(product(CLIENTS, PROVIDERS)))
def test_text_goes_out_with_the_event_that_brought_it(client, provider):
    opening, say = TEXT[provider]
    found = reader(client, provider)
    found.feed(START[provider] + opening)
    for word in WORDS:
        frame = say(word)
        assert told(found.feed(frame[:-1])) == b"", "a part of an event is no event"
        out = told(found.feed(frame[-1:]))
        assert word.encode() in out
        assert out.endswith(b"\n")


@pytest.mark.parametrize(
    ("client", "provider"),
    [pair for pair in product(CLIENTS, PROVIDERS) if pair[0] not in ("completions", "gateway")],
)
def test_so_does_thought(client, provider):
    opening, think = THOUGHT[provider]
    found = reader(client, provider)
    found.feed(START[provider] + opening)
    for word in WORDS:
        assert word.encode() in told(found.feed(think(word)))


@pytest.mark.parametrize(("client", "provider"), list(product(STREAMS_ARGUMENTS, CALLING)))
def test_so_do_arguments(client, provider):
    opening, more = CALLING[provider]
    found = reader(client, provider)
    assert b'"f"' in told(found.feed(START[provider] + opening))
    for text in ARGUMENTS:
        escaped = json.dumps(text, ensure_ascii=False)[1:-1].encode()
        assert escaped in told(found.feed(more(text)))
