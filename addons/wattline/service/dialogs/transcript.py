"""The text of one answer, whichever way it comes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from wattline.dialects.frames.finished import delta_of, first_of, text_of
from wattline.wire.http import Whole
from wattline.wire.sse import EventDecoder, EventTooLarge, data

LONGEST: Final = 1_000_000
"""Characters of an answer that are kept in a dialog; the rest is left out."""
_DONE: Final = b"[DONE]"


class Transcript:
    """`take` what comes. `done` once a stream's end marker was seen."""

    def __init__(self) -> None:
        self.done = False
        self._events = EventDecoder()
        self._parts: list[str] = []
        self._length = 0

    @property
    def text(self) -> str:
        """What was said, as valid Unicode."""
        whole = "".join(self._parts)[:LONGEST]
        return whole.encode("utf-8", "replace").decode()

    def take(self, item: Whole | bytes) -> None:
        """A whole answer, or a piece of a stream."""
        if isinstance(item, Whole):
            message = first_of(_object(item.body)).get("message")
            self._note(text_of(message) if isinstance(message, dict) else "")
            return
        try:
            events = self._events.feed(item)
        except EventTooLarge:
            return
        for event in events:
            self._event(data(event))

    def _event(self, payload: bytes | None) -> None:
        if payload == _DONE:
            self.done = True
        elif payload is not None:
            self._note(text_of(delta_of(_object(payload))))

    def _note(self, text: str) -> None:
        if text and self._length < LONGEST:
            self._parts.append(text)
            self._length += len(text)


def _object(payload: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
