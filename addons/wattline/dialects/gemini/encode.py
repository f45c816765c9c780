"""Neutral events as a stream for a client."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wattline.dialects.gemini.response import reason
from wattline.dialects.gemini.signature import packed, packed_redacted
from wattline.dialects.gemini.usage import counts
from wattline.dialects.gemini.write_parts import call as write_call
from wattline.dialects.json_text import dumps
from wattline.wire.call import Call
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.parts import ToolCall
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Stop
from wattline.wire.sse import event as sse
from wattline.wire.usage import Usage


@dataclass(slots=True)
class _OpenCall:
    """A call whose arguments are still coming: a client gets it whole."""

    start: CallStarted
    arguments: list[str] = field(default_factory=list)


class GenerateEncoder:
    """Writes one stream. Finish reasons and usage stand in its last event, as Gemini has it."""

    def __init__(self, call: Call) -> None:
        self._model = call.model
        self._id = call.id
        self._calls: dict[tuple[int, int], _OpenCall] = {}
        self._stops: dict[int, Stop | None] = {}
        self._usage: Usage | None = None
        self._bad = False

    def encode(self, event: Event) -> list[Piece]:
        """What the client gets for an event."""
        match event:
            case TextDelta() | ReasoningDelta() | RefusalDelta() | Picture():
                return [self._said(_part(event), event.alternative, _size(event))]
            case ReasoningSealed():
                return self._sealed(event)
            case Stopped():
                pieces = self._written_calls(event.alternative)
                self._stops[event.alternative] = event.stop
                return pieces
            case Ended():
                return self._end()
            case _:
                self._note(event)
                return []

    def _note(self, event: Event) -> None:
        """Keep what is written later."""
        match event:
            case CallStarted():
                self._calls[event.alternative, event.call] = _OpenCall(event)
                self._stops.setdefault(event.alternative, None)
            case CallDelta():
                found = self._calls.get((event.alternative, event.call))
                if found is not None:
                    found.arguments.append(event.arguments)
            case Started():
                self._id = event.id or self._id
                self._model = event.model or self._model
            case Counted():
                self._usage = event.usage or self._usage
                self._bad = self._bad or event.bad
            case _:
                pass

    def _sealed(self, event: ReasoningSealed) -> list[Piece]:
        if event.redacted is not None:
            signature = packed_redacted(event.redacted)
        elif event.signature:
            signature = packed(event.signature)
        else:
            return []
        part = {"text": "", "thought": True, "thoughtSignature": signature}
        return [self._said(part, event.alternative, 0)]

    def _written_calls(self, alternative: int | None = None) -> list[Piece]:
        """The calls of an alternative, or of all, in the order in which they began."""
        keys = [key for key in self._calls if alternative is None or key[0] == alternative]
        pieces = []
        for key in keys:
            found = self._calls.pop(key)
            arguments = "".join(found.arguments)
            start = found.start
            part = write_call(ToolCall(start.id, start.name, arguments, start.signature))
            pieces.append(self._said(part, key[0], len(start.name) + len(arguments)))
        return pieces

    def _said(self, part: dict[str, Any], alternative: int, output: int) -> Piece:
        if alternative not in self._stops:
            self._stops[alternative] = None
        content = {"parts": [part], "role": "model"}
        raw = self._event([{"content": content, "index": alternative}])
        return Piece(Mark.OUTPUT, raw, output, model=self._model)

    def _end(self) -> list[Piece]:
        pieces = self._written_calls()
        stops = self._stops or {0: None}
        candidates = [
            {
                # Without content SDKs that keep a conversation take the answer for a broken one.
                "content": {"parts": [{"text": ""}], "role": "model"},
                "finishReason": reason(stop or Stop.END),
                "index": index,
            }
            for index, stop in sorted(stops.items())
        ]
        raw = self._event(candidates, self._usage)
        last = Piece(
            Mark.END,
            raw,
            usage=self._usage,
            bad_usage=self._bad,
            model=self._model,
            finish=True,
        )
        return [*pieces, last]

    def _event(self, candidates: list[dict[str, Any]], usage: Usage | None = None) -> bytes:
        found: dict[str, Any] = {"candidates": candidates}
        if usage is not None:
            found["usageMetadata"] = counts(usage)
        found["modelVersion"] = self._model
        found["responseId"] = self._id
        return sse(dumps(found))


def _part(event: TextDelta | ReasoningDelta | RefusalDelta | Picture) -> dict[str, Any]:
    if isinstance(event, Picture):
        return {"inlineData": {"mimeType": event.media_type, "data": event.data}}
    if isinstance(event, ReasoningDelta):
        return {"text": event.text, "thought": True}
    return {"text": event.text}


def _size(event: TextDelta | ReasoningDelta | RefusalDelta | Picture) -> int:
    return 0 if isinstance(event, Picture) else len(event.text)
