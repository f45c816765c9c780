"""The ledger in one SQLite file: the verbs, and putting its parts together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import Self

from wattline.base.clock import Clock
from wattline.base.tasks import spawn
from wattline.store.accounts import SqliteAccounts
from wattline.store.base import BadRow, LedgerDown, Opened, Settled, State
from wattline.store.books import SqliteBooks
from wattline.store.decisions import SqliteDecisions
from wattline.store.dialogs import SqliteDialogs
from wattline.store.folder import Lock, prepare
from wattline.store.gauges import LedgerGauges
from wattline.store.groups import Groups
from wattline.store.keeper import Keeper
from wattline.store.offers import SqliteOffers
from wattline.store.outage import explain
from wattline.store.parking import SqliteParking
from wattline.store.people import People
from wattline.store.provider_keys import ProviderKey, SqliteProviderKeys
from wattline.store.referrals import SqliteReferrals
from wattline.store.repeats import Repeats
from wattline.store.rests import SqliteRests
from wattline.store.rows import Values, credit_values, opened_values, settled_values
from wattline.store.start import Started, Sync
from wattline.store.writer import CREDIT, OPEN, SETTLE, CrashAt, Job, Writer, no_crash

NOT_SENT = "not_sent"
"""Error and flag of an attempt whose caller left before it was sent."""

logger = logging.getLogger("wattline.store")

_CLOSED = (
    "closed %d attempt%s that the last process left open, with estimates: the prompt and all that might have been "
    "written (state `unsettled` in the ledger; `wattline usage` says how much is estimated)"
)


class SqliteLedger:
    """A `Ledger`. Made by `open_at`, in the event loop that uses it."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        writer: Writer,
        lock: Lock,
        groups: Groups,
        keeper: Keeper,
        recovered: int,
        people: People,
        provider_keys: Iterable[ProviderKey] = (),
    ) -> None:
        self.accounts = SqliteAccounts(self._submit, people)
        """Users and their keys."""
        self.provider_keys = SqliteProviderKeys(self._submit, provider_keys)
        """Users' own keys for providers."""
        self.repeats = Repeats(self._submit, path)
        """Requests under an Idempotency-Key."""
        self.parking = SqliteParking(self._submit)
        """Providers that an operator switched off."""
        self.rests = SqliteRests(self._submit)
        """Providers that asked to wait, or refused their keys."""
        self.offers = SqliteOffers(self._submit)
        """Provider keys that strangers offered."""
        self.dialogs = SqliteDialogs(self._submit, path)
        """What users said and were answered."""
        self.books = SqliteBooks(self._submit)
        """The rules that were in force."""
        self.decisions = SqliteDecisions(self._submit)
        """Calls that no attempt was made of."""
        self.referrals = SqliteReferrals(self._submit, path)
        """Who brought whom."""
        self.recovered = recovered
        """Attempts that the last process left open and this start closed with an estimate."""
        self._path, self._clock = path, clock
        self._writer, self._lock, self._groups = writer, lock, groups
        self._loop = asyncio.get_running_loop()
        self._keeping = spawn(keeper.run(), name="ledger keeper")
        self._closing = False

    @classmethod
    async def open_at(
        cls,
        path: Path,
        clock: Clock,
        sync: Sync = "normal",
        *,
        busy_ms: int = 2_000,
        sync_every: float = 0.5,
        journal_limit: int = 10_000,
        at_once: bool = True,
        crash_at: CrashAt = no_crash,
    ) -> Self:
        """Open the ledger, or make it, with its folder.

        `sync` "normal": a commit survives the process, and within a second a power cut; "full": each
        group commit is synced before it is acknowledged. `busy_ms`: how long a group waits for
        another program's lock. `sync_every` in seconds. `journal_limit`: settlements kept in memory
        in an outage. `at_once`: small groups are written in the event loop where that can't wait long.
        `crash_at` is for tests.

        Raises LedgerDown: used by another process, damaged, another program's, newer, not writable.
        """
        path = _absolute(path)
        lock = _take_lock(path)
        writer = Writer(path, sync, busy_ms, crash_at, at_once=at_once)
        try:
            started = await _start(writer, path, clock)
        except BaseException:
            lock.release()
            raise
        if started.recovered:
            logger.warning(_CLOSED, started.recovered, "" if started.recovered == 1 else "s")
        groups = Groups(
            path, clock, writer, started.free, journal_limit=journal_limit, crash_at=crash_at
        )
        keeper = Keeper(writer, groups, sync_every)
        return cls(
            path,
            clock,
            writer=writer,
            lock=lock,
            groups=groups,
            keeper=keeper,
            recovered=started.recovered,
            people=started.people,
            provider_keys=started.provider_keys,
        )

    def open(self, row: Opened) -> asyncio.Future[bool]:
        """See `Ledger.open`."""
        try:
            values = opened_values(row)
        except BadRow as error:
            return self._refused(error)
        done = self._submit(OPEN, values, at_once=True)

        def ended(opening: asyncio.Future[bool]) -> None:
            if opening.cancelled():
                self._not_sent(row)

        done.add_done_callback(ended)
        return done

    def _not_sent(self, row: Opened) -> None:
        at = int(self._clock.wall() * 1000)
        self.settle(
            Settled(row.attempt, at, State.ABORTED, None, None, None, NOT_SENT, (NOT_SENT,))
        )

    def settle(self, row: Settled) -> Awaitable[bool]:
        """See `Ledger.settle`. Queued at once, awaited or not."""
        try:
            values = settled_values(row)
        except BadRow as error:
            logger.error("%s; its hold stays until the next start", error)  # noqa: TRY400 - no bug of ours
            return self._refused(error)
        return self._submit(SETTLE, (*values, row.attempt), at_once=True)

    async def credit(self, principal: str, micro: int, reason: str) -> None:
        """See `Ledger.credit`."""
        at = int(self._clock.wall() * 1000)
        await self._submit(CREDIT, credit_values(principal, micro, reason, at))

    def balance(self, principal: str) -> int | None:
        """See `Ledger.balance`."""
        return self._groups.free.get(principal)

    @property
    def down(self) -> str | None:
        """See `Ledger.down`."""
        return self._groups.down

    @property
    def gauges(self) -> LedgerGauges:
        """How it is doing now, for metrics."""
        return self._groups.gauges

    async def close(self) -> None:
        """See `Ledger.close`. A second call does nothing."""
        if self._closing:
            return
        self._closing = True
        await self._groups.close()
        self._keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeping
        try:
            await self._writer.close()
        except (sqlite3.Error, OSError) as error:
            logger.warning("closing: %s", explain(error, self._path))
        finally:
            self._lock.release()

    def _refused(self, error: BadRow) -> asyncio.Future[bool]:
        refused: asyncio.Future[bool] = self._loop.create_future()
        refused.set_exception(error)
        refused.exception()  # nobody needs to await it
        return refused

    def _submit(self, sql: str, values: Values, *, at_once: bool = False) -> asyncio.Future[bool]:
        done: asyncio.Future[bool] = self._loop.create_future()
        self._groups.submit(Job(sql, values, done), at_once=at_once)
        return done


def _absolute(path: Path) -> Path:
    # The process may change its folder; the ledger stays where it is.
    return path.absolute()


def _take_lock(path: Path) -> Lock:
    try:
        prepare(path.parent)
        return Lock(path.with_suffix(".lock"))
    except OSError as error:
        raise LedgerDown(explain(error, path)) from error


async def _start(writer: Writer, path: Path, clock: Clock) -> Started:
    try:
        await writer
        return await writer.recover(int(clock.wall() * 1000))
    except BaseException as error:
        await writer.abandon()
        if isinstance(error, (sqlite3.Error, OSError)):
            raise LedgerDown(explain(error, path)) from error
        raise
