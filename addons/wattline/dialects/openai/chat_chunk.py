"""One chunk of a streamed chat answer, or of a legacy completion.

A chunk of the usual shape is read by a compiled decoder that skips all else. Any other JSON is read
slowly, and what is not of its type is left out, so that a provider's odd field costs time and not the
answer.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wattline.dialects.openai.chat_calls import argument_text
from wattline.dialects.openai.chat_reply import read_content, thought_of
from wattline.dialects.openai.chunks import in_band_error
from wattline.dialects.openai.stream import lenient
from wattline.wire.parts import plain


class Function(msgspec.Struct, gc=False):
    """A part of a call's function."""

    name: str | None = None
    arguments: str | None = None


class CallPart(msgspec.Struct, gc=False):
    """A part of a call. `index` says which; some providers leave it out."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None
    extra_content: Any = None


class Delta(msgspec.Struct, gc=False):
    """What is new in a choice."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[CallPart] | None = None
    function_call: Function | None = None
    reasoning_details: Any = None
    images: Any = None


class Choice(msgspec.Struct, gc=False):
    """An alternative. A legacy completion has `text` and no delta."""

    index: int = 0
    delta: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    stop_reason: Any = None
    error: Any = None


class Chunk(msgspec.Struct, gc=False):
    """One event. `error` is set for an event that is one."""

    choices: list[Choice]
    id: Any = None
    model: Any = None
    created: Any = None
    usage: Any = None
    error: Any = None
    x_groq: Any = None


_CHUNK = msgspec.json.Decoder(Chunk)


def read_chunk(raw: bytes, payload: bytes) -> Chunk | None:
    """The chunk in an event's data; None for what is none."""
    if not raw.startswith(b"event"):
        try:
            return _CHUNK.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    value = lenient(payload)
    return None if value is None else _slow(raw, value)


def _slow(raw: bytes, value: dict[str, Any]) -> Chunk | None:
    choices = value.get("choices")
    error = in_band_error(raw, value)
    usage = value.get("usage")
    if not isinstance(choices, list):
        if not usage and not error:
            return None
        choices = []
    return Chunk(
        [_choice(choice) for choice in choices if isinstance(choice, dict)],
        id=value.get("id"),
        model=value.get("model"),
        created=value.get("created"),
        usage=usage,
        error=error,
        x_groq=value.get("x_groq"),
    )


def _choice(value: dict[str, Any]) -> Choice:
    delta, index = value.get("delta"), value.get("index")
    return Choice(
        index=index if type(index) is int else 0,
        delta=_delta(delta) if isinstance(delta, dict) else None,
        text=_text(value.get("text")),
        finish_reason=_text(value.get("finish_reason")),
        stop_reason=value.get("stop_reason"),
        error=value.get("error"),
    )


def _delta(value: dict[str, Any]) -> Delta:
    content = value.get("content")
    parts = read_content(content) if isinstance(content, list) else []
    calls = value.get("tool_calls")
    return Delta(
        content=plain(parts) if parts else _text(content),
        reasoning_content=_text(value.get("reasoning_content")) or thought_of(parts) or None,
        reasoning=_text(value.get("reasoning")),
        refusal=_text(value.get("refusal")),
        tool_calls=[_call(call) for call in calls if isinstance(call, dict)]
        if isinstance(calls, list)
        else None,
        function_call=_function(value.get("function_call")),
        reasoning_details=value.get("reasoning_details"),
        images=value.get("images"),
    )


def _call(value: dict[str, Any]) -> CallPart:
    index = value.get("index")
    return CallPart(
        index=index if type(index) is int else None,
        id=_text(value.get("id")),
        function=_function(value.get("function")),
        extra_content=value.get("extra_content"),
    )


def _function(value: Any) -> Function | None:
    if not isinstance(value, dict):
        return None
    arguments = value.get("arguments")
    return Function(
        _text(value.get("name")), None if arguments is None else argument_text(arguments)
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
