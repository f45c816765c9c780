"""A provider's stream of a message, read into neutral events."""

from __future__ import annotations

from typing import Any

import msgspec

from wattline.dialects.anthropic.arguments import arguments_of
from wattline.dialects.anthropic.reply import opened, refusal_of, stop_of, text_of
from wattline.dialects.anthropic.usage import BadCount, StreamCounts
from wattline.dialects.words import error_word
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Failed,
    Idle,
    Malformed,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.sse import EventDecoder, data, event_name

MAX_OPEN_CALLS = 1_024
"""Tool calls that are begun and not ended, at most."""

_IDLE = Idle()
_MALFORMED = Malformed()


class _Delta(msgspec.Struct, gc=False):
    type: str
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    signature: str = ""


class _Event(msgspec.Struct, gc=False):
    type: str
    delta: _Delta
    index: int = 0
    error: Any = None


_EVENT = msgspec.json.Decoder(_Event)


class MessageDecoder:
    """Decodes one stream. A signature is told at the end of its thought, so that it comes once."""

    def __init__(self) -> None:
        self._events = EventDecoder()
        self._counts = StreamCounts()
        self._open: dict[int, int] = {}
        self._empty: set[int] = set()
        self._calls = 0
        self._signature = ""
        self._done = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises EventTooLarge."""
        found: list[Event] = []
        for raw in self._events.feed(chunk):
            if self._done:
                break
            payload = data(raw)
            if payload is None:
                found.append(_IDLE)
            else:
                self._read(raw, payload, found)
        return found

    def end(self) -> list[Event]:
        """Nothing: an event without its blank line is not complete, says the standard."""
        return []

    def _read(self, raw: bytes, payload: bytes, found: list[Event]) -> None:
        try:
            event = _EVENT.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._slow(raw, payload, found)
            return
        if event.type != "content_block_delta" or event.error or raw.startswith(b"event: error"):
            self._slow(raw, payload, found)
            return
        self._delta(event.index, event.delta, found)

    def _delta(self, index: int, delta: _Delta, found: list[Event]) -> None:
        match delta.type:
            case "text_delta":
                if delta.text:
                    self._counts.output(len(delta.text))
                    found.append(TextDelta(delta.text))
            case "thinking_delta":
                if delta.thinking:
                    self._counts.output(len(delta.thinking))
                    found.append(ReasoningDelta(delta.thinking))
            case "input_json_delta":
                self._arguments(index, delta.partial_json, found)
            case "signature_delta":
                self._signature = delta.signature
            case _:
                found.append(_IDLE)

    def _arguments(self, index: int, text: str, found: list[Event]) -> None:
        call = self._open.get(index)
        if call is None:  # of a server's tool, which is not passed on
            found.append(_IDLE)
        elif text:
            self._counts.output(len(text))
            self._empty.discard(index)
            found.append(CallDelta(call, text))

    def _slow(self, raw: bytes, payload: bytes, found: list[Event]) -> None:
        if payload.strip() == b"[DONE]":
            self._end(found)
            return
        value = opened(payload)
        if value is None:
            found.append(_MALFORMED)
            return
        name, kind = event_name(raw), value.get("type")
        if name == "error" or kind == "error" or value.get("error"):
            self._done = True
            found.append(Failed(error_word(value.get("error") or value)))
            return
        self._named(kind if isinstance(kind, str) else name, value, found)

    def _named(self, name: str | None, value: dict[str, Any], found: list[Event]) -> None:
        match name:
            case "message_start":
                self._start(value.get("message"), found)
            case "content_block_start":
                self._block(value.get("index"), value.get("content_block"), found)
            case "content_block_delta":
                self._odd_delta(value, found)
            case "content_block_stop":
                self._close(value.get("index"), found)
            case "message_delta":
                self._message_delta(value, found)
            case "message_stop":
                self._end(found)
            case None:
                found.append(_MALFORMED)
            case _:
                found.append(_IDLE)

    def _start(self, message: Any, found: list[Event]) -> None:
        if not isinstance(message, dict):
            found.append(_MALFORMED)
            return
        found.append(Started(text_of(message.get("id")), text_of(message.get("model"))))
        try:
            usage = self._counts.begin(message.get("usage"))
        except BadCount:
            found.append(Counted(None, bad=True))
            return
        if usage is not None:
            found.append(Counted(usage))

    def _block(self, index: Any, block: Any, found: list[Event]) -> None:
        self._seal(found)
        if not isinstance(block, dict) or type(index) is not int:
            found.append(_MALFORMED)
            return
        match block.get("type"):
            case "text":
                self._delta(index, _Delta("text_delta", text_of(block.get("text")) or ""), found)
            case "thinking":
                thought = text_of(block.get("thinking")) or ""
                self._delta(index, _Delta("thinking_delta", thinking=thought), found)
                self._signature = text_of(block.get("signature")) or ""
            case "redacted_thinking":
                found.append(ReasoningSealed(redacted=text_of(block.get("data")) or ""))
            case "tool_use":
                self._call(index, block, found)
            case _:
                found.append(_IDLE)

    def _call(self, index: int, block: dict[str, Any], found: list[Event]) -> None:
        name = text_of(block.get("name"))
        if not name or len(self._open) >= MAX_OPEN_CALLS:
            found.append(_MALFORMED)
            return
        call = self._calls
        self._calls += 1
        self._open[index] = call
        self._empty.add(index)
        found.append(CallStarted(call, text_of(block.get("id")) or f"call_{call}", name))
        given = block.get("input")
        if isinstance(given, dict) and given:
            try:
                self._arguments(index, text_of(arguments_of(given)) or "", found)
            except RecursionError:
                found.append(_MALFORMED)

    def _odd_delta(self, value: dict[str, Any], found: list[Event]) -> None:
        delta, index = value.get("delta"), value.get("index", 0)
        if not isinstance(delta, dict) or type(index) is not int:
            found.append(_MALFORMED)
            return
        texts = {key: text_of(delta.get(key)) or "" for key in _Delta.__struct_fields__}
        self._delta(index, _Delta(**texts), found)

    def _close(self, index: Any, found: list[Event]) -> None:
        self._seal(found)
        call = self._open.pop(index, None) if type(index) is int else None
        if call is not None and index in self._empty:  # its arguments are an empty object
            self._empty.discard(index)
            found.append(CallDelta(call, "{}"))

    def _seal(self, found: list[Event]) -> None:
        if self._signature:
            found.append(ReasoningSealed(self._signature))
            self._signature = ""

    def _message_delta(self, value: dict[str, Any], found: list[Event]) -> None:
        self._seal(found)
        for index in list(self._open):
            self._close(index, found)
        delta = value.get("delta")
        if isinstance(delta, dict):
            explanation = refusal_of(delta.get("stop_details"))
            if explanation:
                found.append(RefusalDelta(explanation))
            stop = stop_of(delta.get("stop_reason"))
            if stop is not None:
                found.append(Stopped(stop, sequence=text_of(delta.get("stop_sequence"))))
        try:
            usage = self._counts.total(value.get("usage"))
        except BadCount:
            found.append(Counted(None, bad=True))
            return
        if usage is not None:
            found.append(Counted(usage))

    def _end(self, found: list[Event]) -> None:
        usage = self._counts.estimate()
        if usage is not None:
            found.append(Counted(usage))
        self._done = True
        found.append(Ended())
