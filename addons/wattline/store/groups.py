"""Natural group commit, and what happens to rows while nothing can be written.

Rules of this file:
* What arrives in one turn of the loop, or while a commit runs, is one group. No timer, no sleep on that way.
  A row of a call that is alone in its turn does not wait for the next one.
* A caller hears of success only after the commit, of failure only when its row was not written.
* While the file can't be written, opens and credits are refused at once. Settlements wait in a bounded
  journal in memory: not acknowledged, and written first, in their order, when a probe goes through.
  A probe is the next use after a pause that doubles, or the keeper's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from pathlib import Path

from wattline.base.clock import Clock
from wattline.base.quantiles import Quantiles
from wattline.base.tasks import spawn
from wattline.store.base import LedgerDown
from wattline.store.gauges import LedgerGauges
from wattline.store.outage import Outage, explain, is_final
from wattline.store.rows import Value
from wattline.store.writer import SETTLE, Committed, CrashAt, Job, Writer

SMALL = 64
"""Most rows that are written at once, in the event loop: about a millisecond."""
SLOW = 0.005
"""Seconds after which such a write took too long: the disk is busy, and the loop must not wait for it."""
SPARED = 20
"""So many times as long all groups then go to the writer's thread: whatever the disk does, the loop waits for
it for a twentieth of the time at most.
"""
GROUP = 1_000
"""Most rows in one transaction, the journal's not counted."""
QUEUE = 10_000
"""Most rows that wait for a commit; settlements may go beyond it, since each had an open."""

logger = logging.getLogger("wattline.store")


class Groups:
    """The queue before the writer. `free` holds the limited principals' balances."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        writer: Writer,
        free: dict[str, int],
        *,
        journal_limit: int,
        crash_at: CrashAt,
    ) -> None:
        self.free = free
        self.rows = 0
        """Rows written so far."""
        self.commits = Quantiles()
        """Seconds of each commit."""
        self.stirred = asyncio.Event()
        """Something was written or an outage began: the keeper has work."""
        self._path, self._clock, self._writer, self._crash_at = path, clock, writer, crash_at
        self._journal_limit = journal_limit
        self._journal: dict[Value, Job] = {}
        self._pending: list[Job] = []
        self._outage = Outage()
        self._soon: asyncio.Handle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._busy = self._probe = self._closed = False
        self._slow_until = 0.0
        self._loop = asyncio.get_running_loop()
        self._ready: Collection[object] | None = getattr(self._loop, "_ready", None)

    @property
    def down(self) -> str | None:
        """Why nothing can be written."""
        return f"ledger {self._path}: it is closed" if self._closed else self._outage.reason

    @property
    def lasting(self) -> bool:
        """The outage ends only with a restart."""
        return self._outage.final

    @property
    def gauges(self) -> LedgerGauges:
        """How it is doing now."""
        return LedgerGauges(
            down=self.down is not None,
            rows=self.rows,
            waiting=len(self._pending),
            kept=len(self._journal),
            commits=self.commits,
        )

    def submit(self, job: Job, *, at_once: bool = False) -> None:
        """Queue a job, or fail it at once. All that becomes of it is told by its future. `at_once`: it may
        be committed before this returns, if nobody can join it.
        """
        if self._closed or not self._outage.may_write(self._clock.monotonic()):
            self._refuse(job, self.down)
        elif len(self._pending) >= QUEUE and job.sql is not SETTLE:
            self._refuse(job, f"ledger {self._path}: {QUEUE} rows wait: its disk is too slow")
        else:
            self._pending.append(job)
            self._begin(at_once=at_once)

    def probe(self) -> None:
        """See whether writing works again, if it is time to."""
        if self._outage.may_write(self._clock.monotonic()):
            self._probe = True
            self._begin(at_once=False)

    def fail(self, reason: str, *, final: bool) -> None:
        """Nothing can be written from now on."""
        if self._outage.begin(reason, self._clock.monotonic(), final=final):
            logger.error("%s", reason)
        self.stirred.set()

    async def close(self) -> None:
        """Refuse what comes from now on, and write the rest."""
        self._closed = True
        if self._soon is not None:
            self._soon.cancel()
            self._write_soon()
        if self._writing is not None:
            await self._writing
        if self._journal and not self._outage.final:
            await self._write([])
        if self._journal:
            logger.error(
                "settlements that could not be written: %s; the next start closes their attempts with an "
                "estimate",
                len(self._journal),
            )

    def _begin(self, *, at_once: bool) -> None:
        """Write what waits, unless that is about to happen."""
        if self._busy:
            return
        self._busy = True
        if at_once and self._alone() and self._write_now():
            self._busy = False
        else:
            self._soon = self._loop.call_soon(self._write_soon)

    def _alone(self) -> bool:
        """Nothing else is to run in this turn of the loop, so nobody can join the group.

        asyncio has no public name for that: with a loop that has no `_ready` a group always waits. A test
        pins the name.
        """
        return self._ready is not None and not self._ready

    def _write_soon(self) -> None:
        """Here if it is quick, else in the writer's thread."""
        self._soon = None
        if self._write_now():
            self._busy = False
        else:
            self._writing = spawn(self._write_all(), name="ledger groups")

    def _write_now(self) -> bool:
        group, began = self._pending, self._clock.monotonic()
        if self._probe or self._journal or not 0 < len(group) <= SMALL or began < self._slow_until:
            return False
        if self._outage.reason is not None:
            return False
        try:
            committed = self._writer.write_now(group)
        except Exception as error:  # noqa: BLE001 - whatever it was, the group was not written
            self._pending = []
            self._failed(group, error)
            return True
        if committed is None:
            return False
        self._pending = []
        took = self._timed(began)
        if took > SLOW:
            self._slow_until = began + SPARED * took
        self._committed(group, committed)
        return True

    async def _write_all(self) -> None:
        try:
            while self._pending or self._probe:
                self._probe = False
                group, self._pending = self._pending[:GROUP], self._pending[GROUP:]
                if self._outage.may_write(self._clock.monotonic()):
                    await self._write(group)
                else:
                    self._refuse_all(group)
        finally:
            self._busy = False

    async def _write(self, group: Sequence[Job]) -> None:
        kept = list(self._journal.values())
        began = self._clock.monotonic()
        try:
            committed = await self._writer.write_group([*kept, *group])
        except Exception as error:  # noqa: BLE001 - whatever it was, the group was not written
            self._failed(group, error)
            return
        self._timed(began)
        self._report_return(len(kept))
        for job in kept:
            del self._journal[job.values[-1]]
        self._committed([*kept, *group], committed)

    def _timed(self, began: float) -> float:
        """Note how long a commit took; those seconds."""
        now = self._clock.monotonic()
        self.commits.add(now - began, now)
        return now - began

    def _failed(self, group: Sequence[Job], error: Exception) -> None:
        self.fail(explain(error, self._path, again=True), final=is_final(error))
        self._refuse_all(group)

    def _committed(self, group: Sequence[Job], committed: Committed) -> None:
        self._crash_at("before_ack")
        self.free.update(committed.free)
        self.rows += len(group)
        self.stirred.set()
        for job, outcome in zip(group, committed.outcomes, strict=True):
            _tell(job.done, outcome)

    def _report_return(self, kept: int) -> None:
        if self._outage.end():
            seconds = self._clock.monotonic() - self._outage.since
            logger.warning(
                "ledger %s: writes again after %.1f s; %s kept settlements written",
                self._path, seconds, kept,
            )  # fmt: skip

    def _refuse_all(self, group: Sequence[Job]) -> None:
        for job in group:
            self._refuse(job, self._outage.reason)

    def _refuse(self, job: Job, reason: str | None) -> None:
        kept = job.sql is SETTLE and not self._closed and self._keep(job)
        ending = "; the settlement is kept in memory until it can be written" if kept else ""
        _tell(job.done, LedgerDown(f"{reason}{ending}"))

    def _keep(self, job: Job) -> bool:
        attempt = job.values[-1]
        if attempt not in self._journal and len(self._journal) < self._journal_limit:
            self._journal[attempt] = job
        return attempt in self._journal


def _tell(done: asyncio.Future[bool], outcome: bool | Exception) -> None:  # noqa: FBT001 - a result
    if done.done():
        return
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
        # A settlement need not be awaited; asyncio would log its error as never retrieved.
        done.exception()
    else:
        done.set_result(outcome)
