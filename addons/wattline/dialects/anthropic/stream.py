"""Streams of messages: typed events, of which `message_delta` carries the usage and `message_stop` ends.

A delta of the usual shape is read by a compiled decoder which skips all else; any other event goes
through the slow reading below, so that a provider's odd field costs time and not the answer.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wattline.dialects.anthropic.usage import BadCount, StreamCounts
from wattline.dialects.openai.stream import EventReader, characters, lenient
from wattline.dialects.words import error_word
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import event_name


class _Delta(msgspec.Struct, gc=False):
    text: str = ""
    thinking: str = ""
    partial_json: str = ""


class _Event(msgspec.Struct, gc=False):
    type: str
    delta: _Delta
    error: Any = None


_EVENT = msgspec.json.Decoder(_Event)

_BEGIN_EMPTY = ("text", "thinking")
"""Blocks that begin without any output of their own."""


class MessageReader(EventReader):
    """Reads one stream of a message."""

    def __init__(self) -> None:
        super().__init__()
        self._counts = StreamCounts()

    def _read(self, raw: bytes, payload: bytes) -> Piece:
        try:
            event = _EVENT.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._slow(raw, payload)
        if event.type != "content_block_delta" or event.error or raw.startswith(b"event: error"):
            return self._slow(raw, payload)
        delta = event.delta
        return self._output(raw, len(delta.text) + len(delta.thinking) + len(delta.partial_json))

    def _output(self, raw: bytes, size: int) -> Piece:
        self._counts.output(size)
        return Piece(Mark.OUTPUT, raw, size)

    def _slow(self, raw: bytes, payload: bytes) -> Piece:
        value = lenient(payload)
        if value is None:
            return Piece(Mark.MALFORMED, raw)
        name, kind = event_name(raw), value.get("type")
        if name == "error" or kind == "error" or value.get("error"):
            self._ended = True
            return Piece(Mark.ERROR, raw, error=error_word(value.get("error") or value))
        match kind if isinstance(kind, str) else name:
            case "message_start":
                return self._start(raw, value.get("message"))
            case "ping":
                return Piece(Mark.STARTUP, raw)
            case "content_block_start":
                return self._block(raw, value.get("content_block"))
            case "message_delta":
                return self._message_delta(raw, value)
            case "message_stop":
                self._ended = True
                return Piece(Mark.END, raw, usage=self._counts.estimate())
            case None:
                return Piece(Mark.MALFORMED, raw)
            case _:
                return self._output(raw, characters(value.get("delta")))

    def _start(self, raw: bytes, message: Any) -> Piece:
        if not isinstance(message, dict):
            return Piece(Mark.MALFORMED, raw)
        try:
            usage, bad = self._counts.begin(message.get("usage")), False
        except BadCount:
            usage, bad = None, True
        size, model = characters(message.get("content")), message.get("model")
        mark = Mark.OUTPUT if message.get("content") else Mark.STARTUP
        model = model if isinstance(model, str) else None
        return Piece(mark, raw, size, usage, bad, model=model)

    def _block(self, raw: bytes, block: Any) -> Piece:
        if not isinstance(block, dict):
            return Piece(Mark.MALFORMED, raw)
        size = characters(block)
        if block.get("type") in _BEGIN_EMPTY and not size:
            return Piece(Mark.STARTUP, raw)
        return self._output(raw, size)

    def _message_delta(self, raw: bytes, value: dict[str, Any]) -> Piece:
        """The usage, and why the answer is complete. A count before that goes out as it is."""
        delta = value.get("delta")
        finish = isinstance(delta, dict) and delta.get("stop_reason") is not None
        try:
            usage, bad = self._counts.total(value.get("usage")), False
        except BadCount:
            usage, bad = None, True
        if finish and usage is None:
            usage = self._counts.estimate()
        mark = Mark.USAGE if finish else Mark.OUTPUT
        return Piece(mark, raw, usage=usage, bad_usage=bad, finish=finish)
