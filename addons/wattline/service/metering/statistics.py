"""What keys used and how providers did, asked of the ledger without stopping anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from wattline.base.clock import Clock
from wattline.engine.spending import LONGEST
from wattline.service.metering.kept import Kept
from wattline.service.outage import ledger_told
from wattline.store.statistics import Per, Performance, Used, performance, used
from wattline.wire.call import Principal

AT_ONCE = 2
"""Questions that read the file at one time."""
STEP_MS = 1_000


class Statistics:
    """`ledger` is the file. Each method raises OurFault 503 when it can't be read."""

    def __init__(self, ledger: Path, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self._kept = Kept(clock)
        self._few = asyncio.Semaphore(AT_ONCE)

    async def used(self, caller: Principal) -> Used:
        """What a caller's key used in the last 30 days; without a key, the caller."""
        since = self._since(LONGEST)
        name = ("used", caller.key, None if caller.key else caller.id)
        return await self._asked(
            name, lambda: used(self._ledger, key=caller.key, caller=caller.id, since=since)
        )

    async def used_by_key(self, key: str) -> Used:
        """What a key used in the last 30 days."""
        since = self._since(LONGEST)
        return await self._asked(
            ("used", key, None), lambda: used(self._ledger, key=key, since=since)
        )

    async def performance(self, per: Per, seconds: float) -> list[Performance]:
        """How providers or models did in the last so many seconds."""
        since = self._since(seconds)
        return await self._asked(
            ("performance", per, seconds), lambda: performance(self._ledger, per, since)
        )

    def _since(self, seconds: float) -> int:
        return max(int((self._clock.wall() - seconds) * 1000) // STEP_MS * STEP_MS, 0)

    async def _asked[T](self, name: tuple[object, ...], question: Callable[[], T]) -> T:
        async def ask() -> T:
            async with self._few:
                return await asyncio.to_thread(question)

        with ledger_told():
            return await self._kept.get(name, ask)
