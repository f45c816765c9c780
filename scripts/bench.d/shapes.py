"""What the mock streams as a provider of each dialect, prepared as bytes, and what clients of each ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

MODEL = "bench-model"


def sse(value: Mapping[str, Any], name: str = "") -> bytes:
    """One event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value, separators=(',', ':'))}\n\n".encode()


@dataclass(frozen=True, slots=True)
class ProviderShape:
    """A stream: what comes first, each event with `%b` in the place of its text, what comes last."""

    first: bytes
    event: bytes
    last: bytes


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return sse(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion.chunk",
            "created": 1700000000,
            "model": MODEL,
            "choices": [choice],
        }
    )


def _openai() -> ProviderShape:
    usage = {"prompt_tokens": 97, "completion_tokens": 64, "total_tokens": 161}
    counts = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": MODEL,
        "choices": [],
        "usage": usage,
    }
    return ProviderShape(
        _chunk({"role": "assistant", "content": ""}),
        _chunk({"content": "%b "}),
        _chunk({}, "stop") + sse(counts) + b"data: [DONE]\n\n",
    )


def _named(kind: str, **fields: Any) -> bytes:
    return sse({"type": kind, **fields}, kind)


def _anthropic() -> ProviderShape:
    message: dict[str, Any] = {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 97, "output_tokens": 1},
    }
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    return ProviderShape(
        _named("message_start", message=message)
        + _named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        _named("content_block_delta", index=0, delta={"type": "text_delta", "text": "%b "}),
        _named("content_block_stop", index=0)
        + _named("message_delta", delta=stop, usage={"output_tokens": 64})
        + _named("message_stop"),
    )


def _gemini() -> ProviderShape:
    def event(text: str, counts: dict[str, int], **more: str) -> bytes:
        candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more}
        return sse(
            {
                "candidates": [candidate],
                "usageMetadata": counts,
                "modelVersion": MODEL,
                "responseId": "bench",
            }
        ).replace(b"\n\n", b"\r\n\r\n")

    counts = {"promptTokenCount": 97, "totalTokenCount": 97}
    full = {"promptTokenCount": 97, "candidatesTokenCount": 64, "totalTokenCount": 161}
    return ProviderShape(b"", event("%b ", counts), event("", full, finishReason="STOP"))


PROVIDERS: Mapping[str, ProviderShape] = MappingProxyType(
    {"openai": _openai(), "anthropic": _anthropic(), "gemini": _gemini()}
)


@dataclass(frozen=True, slots=True)
class ClientShape:
    """How clients of a dialect ask for a stream, and what they read in it."""

    path: str
    """With `{model}` where the path names it."""
    mark: bytes
    """In the last event, or in the end marker."""
    boundary: bytes = b"\n\n"
    """What ends each event."""
    repeats: bool = False
    """The last events say all of the text once more."""

    def body(self, model: str, system: str, question: str) -> dict[str, Any]:
        """The request."""
        if self.path.endswith("/responses"):
            return {"model": model, "instructions": system, "input": question, "stream": True}
        if ":" in self.path:
            return {
                "systemInstruction": {"parts": [{"text": system}]},
                "contents": [{"role": "user", "parts": [{"text": question}]}],
            }
        user = {"role": "user", "content": question}
        if self.path.endswith("/messages"):
            return {"model": model, "system": system, "messages": [user], "stream": True} | {
                "max_tokens": 64
            }
        messages = [{"role": "system", "content": system}, user]
        return {"model": model, "messages": messages, "stream": True}


CLIENTS: Mapping[str, ClientShape] = MappingProxyType(
    {
        "openai": ClientShape("/v1/chat/completions", b"data: [DONE]"),
        "responses": ClientShape("/v1/responses", b"event: response.completed", repeats=True),
        "anthropic": ClientShape("/v1/messages", b"event: message_stop"),
        "gemini": ClientShape(
            "/v1beta/models/{model}:streamGenerateContent?alt=sse", b'"finishReason"'
        ),
        "ollama": ClientShape("/api/chat", b'"done":true', boundary=b"\n"),
    }
)

PAIRS = (
    ("openai", "anthropic"),
    ("anthropic", "openai"),
    ("openai", "gemini"),
    ("gemini", "openai"),
    ("ollama", "openai"),
    ("responses", "anthropic"),
)
"""Client and provider of each translation that is measured."""
NATIVE = ("openai", "openai")
"""The pair that is passed through: what a translation is measured against."""
