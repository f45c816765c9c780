"""Neutral events, written as a client's stream of a message."""

from __future__ import annotations

from typing import Any

from wattline.dialects.anthropic.reply import notice, reason_of
from wattline.dialects.anthropic.usage import usage_members
from wattline.dialects.splice import dumps
from wattline.wire.call import Call
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Idle,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Stop
from wattline.wire.usage import Usage

_PING = Piece(Mark.STARTUP, b'event: ping\ndata: {"type":"ping"}\n\n')
_DELTA = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":%d,"delta":{"type":"%s","%s":%s}}\n\n'
)
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_END = Piece(Mark.END, b'event: message_stop\ndata: {"type":"message_stop"}\n\n')

_TEXT: dict[str, Any] = {"type": "text", "text": ""}
_BEGIN_EMPTY = ("text", "thinking")
_THINKING: dict[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}


class MessageEncoder:
    """Encodes one stream. Alternatives but the first are left out: a message has one.

    Blocks come one after the other. Only tool calls stay open to the end: their arguments may come in turns.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._begun = False
        self._ended = False
        self._blocks = 0
        self._current: str | None = None
        """The kind of the open block that is no tool call; it is the newest."""
        self._open: dict[int, int] = {}
        """The blocks of open tool calls, by the call's number."""
        self._any_call = False
        self._refused = False
        self._stop: Stop | None = None
        self._sequence: str | None = None
        self._usage: Usage | None = None
        self._bad = False

    def encode(self, event: Event) -> list[Piece]:
        """See `dialects.codec.StreamEncoder`."""
        out: list[Piece] = []
        if self._ended or getattr(event, "alternative", 0) != 0:
            return out
        match event:
            case TextDelta():
                self._text("text", b"text_delta", b"text", event.text, out)
            case ReasoningDelta():
                self._text("thinking", b"thinking_delta", b"thinking", event.text, out)
            case CallDelta():
                self._arguments(event, out)
            case RefusalDelta():
                self._refused = self._refused or bool(event.text)
                self._text("text", b"text_delta", b"text", event.text, out)
            case ReasoningSealed():
                self._sealed(event, out)
            case CallStarted():
                self._started_call(event, out)
            case Picture():
                self._text("text", b"text_delta", b"text", notice("image"), out)
            case _:
                self._frame(event, out)
        return out

    def _frame(self, event: Event, out: list[Piece]) -> None:
        match event:
            case Started():
                self._begin(event, out)
            case Counted():
                self._usage = event.usage or self._usage
                self._bad = self._bad or event.bad
            case Stopped():
                self._stopped(event, out)
            case Idle():
                if self._begun:
                    out.append(_PING)
            case Ended():
                self._end(out)
            case _:  # `Failed` and `Malformed` are not given to an encoder
                pass

    def _begin(self, started: Started, out: list[Piece]) -> None:
        if self._begun:
            return
        self._begun = True
        model = started.model or self._call.model
        message: dict[str, Any] = {
            "id": started.id or f"msg_{self._call.id}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _counts(self._usage) | {"output_tokens": 0},
        }
        raw = _event(b"message_start", {"type": "message_start", "message": message})
        out.append(Piece(Mark.STARTUP, raw, model=model))

    def _text(self, kind: str, delta: bytes, key: bytes, text: str, out: list[Piece]) -> None:
        if not text:
            return
        if self._current != kind:
            self._open_block(_TEXT if kind == "text" else _THINKING, out)
        raw = _DELTA % (self._blocks - 1, delta, key, _json(text))
        out.append(Piece(Mark.OUTPUT, raw, len(text)))

    def _open_block(self, block: dict[str, Any], out: list[Piece]) -> None:
        self._begin(Started(), out)
        self._close(out)
        empty = block["type"] in _BEGIN_EMPTY
        start = {"type": "content_block_start", "index": self._blocks, "content_block": block}
        mark = Mark.STARTUP if empty else Mark.OUTPUT
        raw = _event(b"content_block_start", start)
        out.append(Piece(mark, raw, 0 if empty else len(block.get("name", ""))))
        self._blocks += 1
        if block["type"] != "tool_use":
            self._current = block["type"]

    def _close(self, out: list[Piece]) -> None:
        """End the open block that is no tool call."""
        if self._current is not None:
            out.append(Piece(Mark.OUTPUT, _STOP % (self._blocks - 1)))
            self._current = None

    def _close_all(self, out: list[Piece]) -> None:
        out += [Piece(Mark.OUTPUT, _STOP % index) for index in self._open.values()]
        self._open.clear()
        self._close(out)

    def _sealed(self, event: ReasoningSealed, out: list[Piece]) -> None:
        if event.redacted is not None:
            self._open_block({"type": "redacted_thinking", "data": event.redacted}, out)
        elif event.signature:
            if self._current != "thinking":
                self._open_block(_THINKING, out)
            signature = _json(event.signature)
            raw = _DELTA % (self._blocks - 1, b"signature_delta", b"signature", signature)
            out.append(Piece(Mark.OUTPUT, raw))
        elif self._current != "thinking":
            return
        self._close(out)

    def _started_call(self, event: CallStarted, out: list[Piece]) -> None:
        if event.call in self._open:
            return
        block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        self._open_block(block, out)
        self._open[event.call] = self._blocks - 1
        self._any_call = True

    def _arguments(self, event: CallDelta, out: list[Piece]) -> None:
        index = self._open.get(event.call)
        if index is None or not event.arguments:
            return
        raw = _DELTA % (index, b"input_json_delta", b"partial_json", _json(event.arguments))
        out.append(Piece(Mark.OUTPUT, raw, len(event.arguments)))

    def _stopped(self, event: Stopped, out: list[Piece]) -> None:
        """The answer is complete; its reason goes out with the counts, which may still come."""
        self._stop, self._sequence = event.stop, event.sequence
        self._close_all(out)
        if out:
            last = out[-1]
            out[-1] = Piece(last.mark, last.raw, last.output, finish=True)

    def _end(self, out: list[Piece]) -> None:
        self._ended = True
        self._begin(Started(), out)
        self._close_all(out)
        reason = reason_of(self._stop, calls=self._any_call, refused=self._refused)
        delta = {"stop_reason": reason, "stop_sequence": self._sequence}
        value = {"type": "message_delta", "delta": delta, "usage": _counts(self._usage)}
        raw = _event(b"message_delta", value)
        out += [Piece(Mark.USAGE, raw, 0, self._usage, self._bad, finish=True), _END]


def _counts(usage: Usage | None) -> dict[str, Any]:
    """SDKs want both counts. Zeros that stand for no usage are replaced by the meter's when it goes out."""
    return {"input_tokens": 0, "output_tokens": 0} if usage is None else usage_members(usage)


def _event(name: bytes, value: dict[str, Any]) -> bytes:
    try:
        payload = dumps(value)
    except UnicodeEncodeError:
        payload = dumps(_clean(value))
    return b"event: %s\ndata: %s\n\n" % (name, payload)


def _json(text: str) -> bytes:
    try:
        return dumps(text)
    except UnicodeEncodeError:
        return dumps(text.encode("utf-8", "replace").decode())


def _clean(value: Any) -> Any:
    """A value with half surrogates replaced. It is shallow: one of the events made here."""
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items()}
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
