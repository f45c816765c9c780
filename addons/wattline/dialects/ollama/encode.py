"""Neutral events as a client's stream of chat or of generated text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wattline.dialects.json_text import dumps
from wattline.dialects.ollama.reply import head, write_stop, written_call
from wattline.dialects.ollama.usage import counts
from wattline.wire.call import Call
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Picture,
    ReasoningDelta,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.ndjson import line
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Stop
from wattline.wire.usage import Usage


class _OpenCall:
    """A tool call whose arguments are still coming: Ollama's clients get it whole."""

    def __init__(self, call: CallStarted) -> None:
        self.id = call.id
        self.name = call.name
        self.arguments: list[str] = []


class LinePieces:
    """See `dialects.codec.StreamEncoder`. Ollama has one alternative: others are left out."""

    def __init__(self, call: Call, *, chat: bool) -> None:
        self._chat = chat
        self._default = call.model
        self._open: dict[int, _OpenCall] = {}
        self._stop: Stop | None = None
        self._usage: Usage | None = None
        self._bad = False
        self._over = False
        self._begin(Started())

    def encode(self, event: Event) -> Sequence[Piece]:
        """What the client gets for an event."""
        other: object = getattr(event, "alternative", None)
        if self._over or other or getattr(event, "text", None) == "":
            return ()
        match event:
            case TextDelta(text) | RefusalDelta(text):
                return (self._words(b'"content":' if self._chat else b'"response":', text),)
            case ReasoningDelta(text):
                return (self._thought(text),)
            case CallStarted():
                return self._opened(event)
            case Picture(_, data):
                return (self._picture(data),)
            case Stopped():
                self._stop = event.stop
                return self._calls()
            case Ended():
                return (*self._calls(), self._end())
            case _:
                self._note(event)
                return ()

    def _note(self, event: Event) -> None:
        """Remember what a later piece needs."""
        match event:
            case CallDelta(call, arguments) if call in self._open:
                self._open[call].arguments.append(arguments)
            case Started():
                self._begin(event)
            case Counted(usage, bad):
                self._usage, self._bad = usage or self._usage, self._bad or bad
            case _:
                pass

    def _begin(self, event: Started) -> None:
        self._model = event.model or self._default
        self._head = head(self._model, event.created)
        self._start = dumps(self._head)[:-1]

    def _words(self, key: bytes, text: str) -> Piece:
        if self._chat:
            raw = b',"message":{"role":"assistant",' + key + dumps(text) + b"}"
        else:
            raw = b"," + key + dumps(text)
        return self._piece(raw, len(text))

    def _thought(self, text: str) -> Piece:
        key = b'"content":"","thinking":' if self._chat else b'"response":"","thinking":'
        return self._words(key, text)

    def _picture(self, data: str) -> Piece:
        if self._chat:
            return self._message({"images": [data]}, 0)
        return self._piece(b',"response":"","image":' + dumps(data), 0)

    def _opened(self, event: CallStarted) -> Sequence[Piece]:
        """The call comes whole later; until then the client sees that something is on its way."""
        if not self._chat:
            return ()
        self._open[event.call] = _OpenCall(event)
        return (self._message({}, len(event.name)),)

    def _calls(self) -> Sequence[Piece]:
        pieces = []
        for call in self._open.values():
            arguments = "".join(call.arguments)
            members = {"tool_calls": [written_call(call.id, call.name, arguments)]}
            pieces.append(self._message(members, len(arguments)))
        self._open.clear()
        return pieces

    def _message(self, members: dict[str, Any], output: int) -> Piece:
        message = {"role": "assistant", "content": ""} | members
        return self._piece(b',"message":' + dumps(message), output)

    def _piece(self, words: bytes, output: int) -> Piece:
        raw = line(self._start + words + b',"done":false}')
        return Piece(Mark.OUTPUT, raw, output, model=self._model)

    def _end(self) -> Piece:
        self._over = True
        words = (
            {"message": {"role": "assistant", "content": ""}} if self._chat else {"response": ""}
        )
        last = self._head | words | {"done": True, "done_reason": write_stop(self._stop)}
        raw = line(dumps(last | counts(self._usage)))
        return Piece(
            Mark.END,
            raw,
            usage=self._usage,
            bad_usage=self._bad,
            model=self._model,
            finish=True,
        )
