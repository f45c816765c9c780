"""Neutral events into a gateway's stream: `data: {"delta":{"content":"…"}}` … `data: [DONE]`.

Each event has a `delta` with a `content`, which may be empty: clients read it without looking first.
"""

from __future__ import annotations

from typing import Any

from wattline.dialects.json_text import dumps
from wattline.dialects.openai.chat_calls import write_signature
from wattline.dialects.openai.chat_usage import write_counts
from wattline.dialects.openai.finish import write_finish
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
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Stop
from wattline.wire.sse import DONE, event
from wattline.wire.usage import Usage

_COMMENT = b": \n\n"


class DeltaEncoder:
    """See `dialects.codec.StreamEncoder`."""

    def __init__(self, call: Call) -> None:
        self._model = call.model
        self._usage: Usage | None = None
        self._bad = False
        self._open: set[int] = set()
        self._stopped: set[int] = set()
        self._called: set[int] = set()
        self._ended = False

    def encode(self, event: Event) -> list[Piece]:
        """The pieces for an event."""
        if self._ended:
            return []
        match event:
            case TextDelta(text=text, alternative=0):
                self._open.add(0)
                raw = b'data: {"delta":{"content":%b}}\n\n' % dumps(text)
                return [Piece(Mark.OUTPUT, raw, len(text), model=self._model)]
            case Started():
                self._model = event.model or self._model
                return []
            case Stopped(stop=stop, alternative=alternative):
                return self._stop(stop, alternative)
            case Counted():
                self._usage = event.usage or self._usage
                self._bad = self._bad or event.bad
                return []
            case Idle():
                return [Piece(Mark.STARTUP, _COMMENT)]
            case Ended():
                return self._end()
            case _:
                return self._output(event)

    def _output(self, event: Event) -> list[Piece]:
        match event:
            case TextDelta(text=text, alternative=alternative):
                return self._delta({"content": text}, alternative, len(text))
            case ReasoningDelta(text=text, alternative=alternative):
                return self._delta({"reasoning_content": text}, alternative, len(text))
            case RefusalDelta(text=text, alternative=alternative):
                return self._delta({"refusal": text}, alternative, len(text))
            case CallStarted(id=id_, name=name, alternative=alternative):
                self._called.add(alternative)
                function = {"name": name, "arguments": ""}
                part = {"index": event.call, "id": id_, "type": "function", "function": function}
                signature = write_signature(event.signature)
                return self._delta({"tool_calls": [part | signature]}, alternative)
            case CallDelta(arguments=arguments, alternative=alternative):
                called = {"index": event.call, "function": {"arguments": arguments}}
                return self._delta({"tool_calls": [called]}, alternative, len(arguments))
            case Picture(media_type=media_type, data=data, alternative=alternative):
                url = {"url": f"data:{media_type};base64,{data}"}
                picture = {"type": "image_url", "image_url": url}
                return self._delta({"images": [picture]}, alternative)
        return []

    def _delta(self, delta: dict[str, Any], alternative: int, size: int = 0) -> list[Piece]:
        self._open.add(alternative)
        body = {"delta": {"content": "", **delta}} | _place(alternative)
        return [Piece(Mark.OUTPUT, event(dumps(body)), size, model=self._model)]

    def _stop(self, stop: Stop, alternative: int) -> list[Piece]:
        if alternative in self._stopped:
            return []
        self._stopped.add(alternative)
        self._open.discard(alternative)
        reason = write_finish(stop, called=alternative in self._called)
        body = {"delta": {"content": ""}} | _place(alternative) | {"finish_reason": reason}
        raw = event(dumps(body))
        return [Piece(Mark.OUTPUT, raw, model=self._model, finish=not self._open)]

    def _end(self) -> list[Piece]:
        pieces = [] if self._stopped or self._open else self._stop(Stop.END, 0)
        for alternative in sorted(self._open):
            pieces += self._stop(Stop.END, alternative)
        self._ended = True
        if self._usage is not None:
            raw = usage_event(dumps(write_counts(self._usage)))
            pieces.append(Piece(Mark.USAGE, raw, usage=self._usage, model=self._model))
        pieces.append(Piece(Mark.END, DONE, bad_usage=self._bad))
        return pieces


def usage_event(counts: bytes) -> bytes:
    """The last event before the end marker. `counts` is the JSON of the usage."""
    return b'data: {"delta":{"content":""},"usage":%b}\n\n' % counts


def _place(alternative: int) -> dict[str, Any]:
    """Said only where there is more than one."""
    return {"index": alternative} if alternative else {}
