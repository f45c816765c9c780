"""Streams of chat completions and of legacy completions.

A chunk of the usual shape is read by a compiled decoder which skips all else; any other JSON goes
through the slow reading below, so that a provider's odd field costs time and not the answer.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wattline.dialects.openai.stream import EventReader, characters, lenient
from wattline.dialects.openai.usage import ABSENT, read_usage
from wattline.dialects.words import error_word
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import event_name


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct, gc=False):
    function: _Function | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice]
    model: str | None = None
    usage: Any = None
    x_groq: Any = None
    """Where Groq tells the usage of a client that asked for none."""
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)

_OUTPUTS = (
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "tool_calls",
    "function_call",
    "audio",
    "images",
)


class ChunkReader(EventReader):
    """Reads one stream of chunks. The answer is finished when each choice that was begun is."""

    def __init__(self) -> None:
        super().__init__()
        self._open: set[int] = set()

    def _read(self, raw: bytes, payload: bytes) -> Piece:
        try:
            chunk = _CHUNK.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._slow(raw, payload)
        if chunk.error or (raw.startswith(b"event") and event_name(raw) == "error"):
            return self._slow(raw, payload)
        output, marked, finish = 0, False, False
        for choice in chunk.choices:
            size = _size(choice)
            if size is not None:
                marked = True
                output += size
            finish = self._note(choice.index, choice.finish_reason) or finish
        usage = chunk.usage
        if usage is None and chunk.x_groq is not None:
            usage = _groqs(chunk.x_groq)
        count = ABSENT if usage is None else read_usage(usage)
        mark = _mark(marked or finish, bool(chunk.usage) and not chunk.choices)
        done = finish and not self._open
        return Piece(mark, raw, output, count.usage, count.bad, None, chunk.model, done)

    def _note(self, index: int, finish_reason: Any) -> bool:
        """Remember whether a choice is still open; True when it has just been finished."""
        if finish_reason is None:
            self._open.add(index)
            return False
        self._open.discard(index)
        return True

    def _slow(self, raw: bytes, payload: bytes) -> Piece:
        value = lenient(payload)
        if value is None:
            return Piece(Mark.MALFORMED, raw)
        error = in_band_error(raw, value)
        if error is not None:
            return Piece(Mark.ERROR, raw, error=error_word(error))
        choices, usage = value.get("choices"), value.get("usage")
        if not isinstance(choices, list) and not usage:
            return Piece(Mark.MALFORMED, raw)
        output, marked, finish = 0, False, False
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict):
                shape = _odd_output(choice)
                output += characters(shape)
                marked = marked or bool(shape)
                index = choice.get("index")
                index = index if isinstance(index, int) else 0
                finish = self._note(index, choice.get("finish_reason")) or finish
        count = read_usage(usage if usage is not None else _groqs(value.get("x_groq")))
        mark = _mark(marked or finish, bool(usage) and not choices)
        model = value.get("model")
        model = model if isinstance(model, str) else None
        done = finish and not self._open
        return Piece(mark, raw, output, count.usage, count.bad, None, model, done)


def _mark(output: bool, usage_only: bool) -> Mark:  # noqa: FBT001  (two facts, one table)
    if output:
        return Mark.OUTPUT
    return Mark.USAGE if usage_only else Mark.STARTUP


def _groqs(found: Any) -> Any:
    return found.get("usage") if isinstance(found, dict) else None


def _size(choice: _Choice) -> int | None:
    """Characters of output in a choice; None when it has none at all."""
    delta = choice.delta
    if delta is None:
        return len(choice.text) if choice.text else None
    size = 0
    if delta.content:
        size = len(delta.content)
    if delta.reasoning_content:
        size += len(delta.reasoning_content)
    elif delta.reasoning:
        size += len(delta.reasoning)
    if delta.refusal:
        size += len(delta.refusal)
    if delta.tool_calls:
        return size + sum(_call_size(call.function) for call in delta.tool_calls)
    if delta.function_call is not None:
        return size + _call_size(delta.function_call)
    return size or None


def _call_size(function: _Function | None) -> int:
    if function is None:
        return 0
    return len(function.name or "") + len(function.arguments or "")


def _odd_output(choice: dict[str, Any]) -> list[Any]:
    """The members of an unusual choice that are output."""
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        delta = {}
    return [value for value in (choice.get("text"), *map(delta.get, _OUTPUTS)) if value]


def in_band_error(raw: bytes, value: dict[str, Any]) -> Any:
    """The error that an event is, or None."""
    if error := value.get("error"):
        return error
    if value.get("object") == "error" or value.get("type") == "error":
        return value
    return value if event_name(raw) == "error" else None
