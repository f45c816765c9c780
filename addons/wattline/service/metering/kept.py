"""Answers that cost time, kept for a moment: however many ask at once, the question is asked once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any

from wattline.base.clock import Clock
from wattline.base.tasks import spawn

SECONDS = 3.0
SHARE = 10
"""What took long is kept so many times as long: asking can't become most of the work."""
MOST = 256


@dataclass(slots=True)
class _Asked:
    task: asyncio.Task[Any]
    until: float = float("inf")
    """Monotonic seconds; while it is being answered nobody asks again."""


class Kept:
    """By question. An answer that failed is not kept. For one event loop."""

    def __init__(self, clock: Clock, seconds: float = SECONDS, most: int = MOST) -> None:
        self._clock, self._seconds, self._most = clock, seconds, most
        self._known: dict[Hashable, _Asked] = {}

    async def get[T](self, question: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question, at most a few seconds old. Raises what `ask` raises."""
        kept = self._known.get(question)
        if kept is None or self._clock.monotonic() >= kept.until or _failed(kept.task):
            self._make_room()
            kept = self._known[question] = self._ask(ask)
        found: T = await asyncio.shield(kept.task)  # others may wait for it when one leaves
        return found

    def _ask[T](self, ask: Callable[[], Awaitable[T]]) -> _Asked:
        began = self._clock.monotonic()

        async def asked() -> T:
            await asyncio.sleep(0)
            return await ask()

        kept = _Asked(spawn(asked(), name="a question that is kept"))

        def answered(task: asyncio.Task[Any]) -> None:
            _failed(task)  # its error is told to those who wait, if any do
            now = self._clock.monotonic()
            kept.until = now + max(self._seconds, SHARE * (now - began))

        kept.task.add_done_callback(answered)
        return kept

    def _make_room(self) -> None:
        if len(self._known) < self._most:
            return
        now = self._clock.monotonic()
        old = [name for name, kept in self._known.items() if now >= kept.until]
        for name in old or list(self._known)[: self._most // 2]:
            del self._known[name]


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
