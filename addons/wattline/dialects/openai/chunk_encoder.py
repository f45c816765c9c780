"""What streams of chat completions and of legacy completions have in common on the way to a client."""

from __future__ import annotations

from typing import ClassVar

from wattline.dialects.json_text import dumps
from wattline.dialects.openai.chat_usage import write_counts
from wattline.wire.call import Call
from wattline.wire.events import Counted, Ended, Event, Idle, Started, Stopped
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Stop
from wattline.wire.sse import DONE
from wattline.wire.usage import Usage

_COMMENT = b": \n\n"


class ChunkEncoder:
    """See `dialects.codec.StreamEncoder`. Subclasses say how content looks."""

    OBJECT: ClassVar[str]
    """The `object` of each chunk."""
    PREFIX: ClassVar[str]
    """How ids begin that are made here."""
    EMPTY: ClassVar[bytes]
    """The members of a choice with nothing in it."""
    FIRST: ClassVar[bytes | None] = None
    """Those of the first chunk of each alternative; None when it has none of its own."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._head = b""
        self._model = call.model
        self._open: set[int] = set()
        self._seen: set[int] = set()
        self._usage: Usage | None = None
        self._bad = False
        self._ended = False

    def encode(self, event: Event) -> list[Piece]:
        """The pieces for an event."""
        if self._ended:
            return []
        match event:
            case Started():
                return self._start(event)
            case Stopped(stop=stop, alternative=alternative):
                return [*self._begin(alternative), *self._stop(stop, alternative)]
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
        """The pieces for content."""
        raise NotImplementedError

    def _finish(self, stop: Stop, alternative: int) -> str:
        """The finish reason of an alternative."""
        raise NotImplementedError

    def _start(self, event: Started) -> list[Piece]:
        if self._head:
            return []
        self._model = event.model or self._call.model
        head = {
            "id": event.id or f"{self.PREFIX}-{self._call.id}",
            "object": self.OBJECT,
            "created": event.created or 0,
            "model": self._model,
        }
        self._head = b"data: " + dumps(head)[:-1] + b',"choices":['
        return self._begin(0) if self.FIRST is not None else []

    def _begin(self, alternative: int) -> list[Piece]:
        """What stands before the first content of an alternative."""
        if alternative in self._seen:
            return []
        pieces = [] if self._head else self._start(Started())
        if alternative in self._seen:
            return pieces
        self._seen.add(alternative)
        self._open.add(alternative)
        if self.FIRST is not None:
            raw = self._chunk(alternative, self.FIRST)
            pieces.append(Piece(Mark.STARTUP, raw, model=self._model))
        return pieces

    def _content(self, alternative: int, members: bytes, size: int) -> list[Piece]:
        """A chunk with content of so many characters."""
        pieces = self._begin(alternative)
        raw = self._chunk(alternative, members)
        pieces.append(Piece(Mark.OUTPUT, raw, size, model=self._model))
        return pieces

    def _chunk(self, alternative: int, members: bytes, finish: bytes = b"null") -> bytes:
        return b'%b{"index":%d,%b,"finish_reason":%b}]}\n\n' % (
            self._head,
            alternative,
            members,
            finish,
        )

    def _stop(self, stop: Stop, alternative: int) -> list[Piece]:
        if alternative not in self._open:
            return []
        self._open.discard(alternative)
        finish = dumps(self._finish(stop, alternative))
        raw = self._chunk(alternative, self.EMPTY, finish)
        return [Piece(Mark.OUTPUT, raw, model=self._model, finish=not self._open)]

    def _end(self) -> list[Piece]:
        pieces = [] if self._seen else self._begin(0)
        for alternative in sorted(self._open):
            pieces += self._stop(Stop.END, alternative)
        self._ended = True
        if self._usage is not None:
            pieces.append(self._counts(self._usage))
        pieces.append(Piece(Mark.END, DONE, bad_usage=self._bad))
        return pieces

    def _counts(self, usage: Usage) -> Piece:
        """The usage. A client that did not ask for it may read `choices[0]` of every chunk: for such a
        client there is one, with nothing in it.
        """
        choice = (
            b"" if self._call.wants_usage else b'{"index":0,%b,"finish_reason":null}' % self.EMPTY
        )
        raw = b'%b%b],"usage":%b}\n\n' % (self._head, choice, dumps(write_counts(usage)))
        return Piece(Mark.USAGE, raw, usage=usage, model=self._model)
