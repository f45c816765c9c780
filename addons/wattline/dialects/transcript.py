"""What a client has of a streamed answer, and whether another provider could go on from there."""

from __future__ import annotations

from io import StringIO
from typing import Final

from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Failed,
    Idle,
    Malformed,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)

MOST: Final = 262_144
"""Characters of an answer that can be continued."""
_WITHOUT_CONTENT = (Counted, Idle, Failed)
_KINDS: Final[tuple[tuple[tuple[type, ...], str], ...]] = (
    ((Stopped, Ended), "complete"),
    ((CallStarted, CallDelta), "tool_call"),
    ((ReasoningDelta, ReasoningSealed), "reasoning"),
    ((RefusalDelta,), "refusal"),
    ((Picture,), "picture"),
    ((Malformed,), "malformed"),
)


class Transcript:
    """Notes the events of an answer as its client gets them. Holds its text: never to be logged."""

    __slots__ = ("_size", "_text", "obstacle", "started")

    def __init__(self) -> None:
        self.started: Started | None = None
        self.obstacle: str | None = None
        """Why nobody can go on from here, in a word; None while somebody can."""
        self._text = StringIO()
        self._size = 0

    def __repr__(self) -> str:
        return f"<Transcript {self._size} characters, {self.obstacle or 'plain'}>"

    @property
    def text(self) -> str:
        """The answer so far; only what there is of it while `obstacle` is None."""
        return self._text.getvalue()

    def note(self, event: Event) -> None:
        """One event has gone out to the client."""
        if type(event) is TextDelta:
            self._add(event)
        elif type(event) is Started:
            self.started = self.started or event
        elif not isinstance(event, _WITHOUT_CONTENT):
            self.block(next(word for kinds, word in _KINDS if isinstance(event, kinds)))

    def block(self, why: str) -> None:
        """Nobody can go on from here. The first reason stays."""
        if self.obstacle is None:
            self.obstacle = why
            self._text = StringIO()

    def _add(self, event: TextDelta) -> None:
        self._size += len(event.text)
        if event.alternative:
            self.block("alternatives")
        elif self._size > MOST:
            self.block("too_long")
        elif self.obstacle is None:
            self._text.write(event.text)
