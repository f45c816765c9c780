"""Which of a connection's open responses an event is about.

A `response.create` waits until a `response.created` names its response; from then on the id tells. A
server may also make responses that nobody asked for (voice activity), and forget to name one.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

MAX_OVER: Final = 256
"""Responses that are remembered after their end."""


@dataclass(frozen=True, slots=True)
class _Waiting[T]:
    turn: T
    asked_by: str | None
    lane: str | None


class Lanes[T]:
    """The open responses of one connection; `T` is whatever stands for one."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting[T]] = []
        self._active: dict[str, tuple[T, str | None]] = {}
        self._over: OrderedDict[str, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._waiting)} waiting, {len(self._active)} active>"

    def __len__(self) -> int:
        return len(self._waiting) + len(self._active)

    def ask(self, turn: T, asked_by: str | None = None, lane: str | None = None) -> None:
        """A response was asked for."""
        self._waiting.append(_Waiting(turn, asked_by, lane))

    def begin(self, response: str, turn: T, lane: str | None = None) -> None:
        """A response that nobody asked for has begun."""
        self._over.pop(response, None)
        self._active[response] = turn, lane

    def created(self, response: str | None, lane: str | None = None) -> T | None:
        """The waiting one that this response is; None when nobody asked for it."""
        known = self._active.get(response) if response is not None else None
        if known is not None:
            return known[0]
        found = self._first(lane)
        if found is None or response is None:
            return found.turn if found is not None else None
        self._waiting.remove(found)
        self._over.pop(response, None)
        self._active[response] = found.turn, found.lane
        return found.turn

    def speaking(self, response: str | None, lane: str | None = None) -> T | None:
        """The one whose output this is."""
        if response is not None and response in self._active:
            return self._active[response][0]
        active = self._on(lane)
        if len(active) == 1:
            return self._active[active[0]][0]
        found = self._first(lane) if not active else None
        return found.turn if found is not None else None

    def ended(self, response: str | None, lane: str | None = None) -> T | None:
        """Take out the one that has ended; None when it was never seen."""
        if response is not None:
            self._over[response] = None
            if len(self._over) > MAX_OVER:
                self._over.popitem(last=False)
        if response is not None and response in self._active:
            return self._active.pop(response)[0]
        active = self._on(lane)
        if response is None and len(active) == 1:
            return self._active.pop(active[0])[0]
        return self._take(self._first(lane))

    def over(self, response: str | None) -> bool:
        """It has ended before, and has not begun again: another end of it says nothing new."""
        return response is not None and response in self._over and response not in self._active

    def refused(self, asked_by: str | None, lane: str | None = None) -> T | None:
        """Take out the waiting one that an error is about; None when it is about none."""
        if asked_by is not None:
            named = (entry for entry in self._waiting if entry.asked_by == asked_by)
            return self._take(next(named, None))
        return self._take(self._first(lane))

    def failed(self, lane: str | None = None) -> T | None:
        """Take out the only active one; None when there are several or none."""
        active = self._on(lane)
        return self._active.pop(active[0])[0] if len(active) == 1 else None

    def turns(self) -> list[T]:
        """All that are open."""
        turns = [entry.turn for entry in self._waiting]
        return turns + [turn for turn, _ in self._active.values()]

    def drain(self) -> list[T]:
        """Take out all."""
        turns = self.turns()
        self._waiting.clear()
        self._active.clear()
        return turns

    def _first(self, lane: str | None) -> _Waiting[T] | None:
        """The oldest waiting one of a lane. An event without a lane may be about any of them."""
        return next((w for w in self._waiting if lane is None or w.lane == lane), None)

    def _on(self, lane: str | None) -> list[str]:
        return [key for key, (_, on) in self._active.items() if lane is None or on == lane]

    def _take(self, found: _Waiting[T] | None) -> T | None:
        if found is None:
            return None
        self._waiting.remove(found)
        return found.turn
