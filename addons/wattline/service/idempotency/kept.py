"""Answers to requests with an Idempotency-Key, in memory: within their bytes and their time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cachetools import LRUCache

from wattline.base.clock import Clock
from wattline.rules.compiled.entrance import Limits
from wattline.wire.http import Headers

COST: Final = 1_024
"""About the bytes that an entry takes beside its answer."""
LARGEST: Final = 8
"""An answer may take one part in so many of the whole."""


class Place(NamedTuple):
    """Digests of who asks, and of the key."""

    scope: str
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer as it was given. `stream`: it came in pieces."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    stream: bool = False

    @property
    def size(self) -> int:
        """About the bytes that it takes."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a request under a key came to: `answer` None where it is not here. `at` is monotonic seconds."""

    request: str
    at: float
    answer: Answer | None


class Kept:
    """The entries. `filling` is the bytes of answers under way."""

    def __init__(self, clock: Clock) -> None:
        self.filling = 0
        self._clock = clock
        self._limits = Limits()
        self._entries = _empty(self._limits)

    def __repr__(self) -> str:
        return f"<Kept {len(self._entries)} entries, {self.size} bytes>"

    @property
    def size(self) -> int:
        """About the bytes that all entries take."""
        return int(self._entries.currsize)

    def follow(self, limits: Limits) -> None:
        """From now on these bounds hold."""
        if limits.idempotency_bytes != self._limits.idempotency_bytes:
            before, self._entries = self._entries, _empty(limits)
            for place in before:
                self._put(place, before[place], limits)
        self._limits = limits

    def admits(self, size: int, more: int) -> bool:
        """An answer under way of `size` bytes may have `more`: by itself, and with all others under way."""
        most = self._limits.idempotency_bytes
        return COST + size + more <= most // LARGEST and self.filling + more <= most

    def find(self, place: Place) -> Entry | None:
        """What is under a key, if it is not too old."""
        entry = self._entries.get(place)
        if entry is None:
            return None
        if self._clock.monotonic() - entry.at >= self._limits.idempotency_seconds:
            del self._entries[place]
            return None
        return entry

    def put(self, place: Place, request: str, answer: Answer | None) -> None:
        """Keep an answer; one that is too large is noted as gone. The least asked for goes first."""
        self._put(place, Entry(request, self._clock.monotonic(), answer), self._limits)

    def _put(self, place: Place, entry: Entry, limits: Limits) -> None:
        if _cost(entry) > limits.idempotency_bytes // LARGEST:
            entry = Entry(entry.request, entry.at, None)
        self._entries[place] = entry


def _cost(entry: Entry) -> int:
    return COST + (entry.answer.size if entry.answer is not None else 0)


def _empty(limits: Limits) -> LRUCache[Place, Entry]:
    return LRUCache(limits.idempotency_bytes, getsizeof=_cost)
