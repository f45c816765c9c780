"""Typed events as they are written for clients: numbered, named, each one piece."""

from __future__ import annotations

from typing import Any

from wattline.dialects.json_text import dumps
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import event
from wattline.wire.usage import Usage


class EventWriter:
    """Writes the events of one answer, each with the next `sequence_number`."""

    __slots__ = ("_number",)

    def __init__(self) -> None:
        self._number = 0

    def piece(self, mark: Mark, kind: str, **fields: Any) -> Piece:
        """An event without text of its own."""
        return Piece(mark, self._event(kind, fields), model=_model(fields))

    def last(self, kind: str, response: dict[str, Any], usage: Usage | None) -> Piece:
        """The event that ends the answer."""
        raw = self._event(kind, {"response": response})
        return Piece(Mark.END, raw, usage=usage, model=response["model"], finish=True)

    def delta(self, head: bytes, text: str) -> Piece:
        """More of a text. `head` is what `delta_head` gave for its place."""
        number = self._take()
        raw = b'%b%b,"sequence_number":%d}\n\n' % (head, dumps(text), number)
        return Piece(Mark.OUTPUT, raw, len(text))

    def _event(self, kind: str, fields: dict[str, Any]) -> bytes:
        number = self._take()
        return event(dumps({"type": kind, "sequence_number": number, **fields}), kind)

    def _take(self) -> int:
        number = self._number
        self._number = number + 1
        return number


def _model(fields: dict[str, Any]) -> str | None:
    response = fields.get("response")
    return None if response is None else response["model"]


def delta_head(kind: str, **place: Any) -> bytes:
    """The start of each `delta` event of one place, up to its text: the rest is the same each time."""
    members = dumps({"type": kind, **place})
    return b"event: %b\ndata: %b" % (kind.encode(), members[:-1]) + b',"delta":'
