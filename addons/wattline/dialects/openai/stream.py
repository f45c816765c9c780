"""What all of OpenAI's streams have in common: events in, pieces out."""

from __future__ import annotations

import json
from typing import Any

from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import EventDecoder, data


class EventReader:
    """A reader of one stream. Subclasses say what an event with data means."""

    def __init__(self) -> None:
        self._decoder = EventDecoder()
        self._ended = False

    def feed(self, chunk: bytes) -> list[Piece]:
        """Pieces that `chunk` completes. Raises EventTooLarge."""
        return [self._piece(raw) for raw in self._decoder.feed(chunk)]

    def end(self) -> list[Piece]:
        """Nothing: an event without its blank line is not complete, says the standard."""
        return []

    def rest(self) -> bytes:
        """Bytes after the last whole event."""
        return self._decoder.rest()

    @property
    def ended(self) -> bool:
        """The end marker has been seen."""
        return self._ended

    def _piece(self, raw: bytes) -> Piece:
        payload = data(raw)
        if payload is None:
            return Piece(Mark.STARTUP, raw)
        if payload.strip() == b"[DONE]":
            self._ended = True
            return Piece(Mark.END, raw)
        if self._ended:
            return Piece(Mark.MALFORMED, raw)
        return self._read(raw, payload)

    def _read(self, raw: bytes, payload: bytes) -> Piece:
        raise NotImplementedError


def lenient(payload: bytes) -> dict[str, Any] | None:
    """The object in `payload` by a parser that lets NaN and the like pass; None when there is none."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def characters(value: Any) -> int:
    """Characters of text anywhere in a value, for shapes that only some providers send."""
    total = 0
    level = [value]
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                total += len(item)
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, dict):
                below.extend(
                    inner
                    for key, inner in item.items()
                    if key not in ("type", "id", "index", "signature", "format")
                )
        level = below
    return total
