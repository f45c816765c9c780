"""The one connection that writes: a whole group in one transaction, here or in aiosqlite's thread.

aiosqlite runs each statement as a hop of its own to its thread. Here a group of rows is one function
in its queue. `Connection._execute` (queue a function) and `Connection._conn` (the sqlite3 connection)
are its protected names for subclasses; a test pins that they exist.

A hop costs a caller more time than a small commit, which without a sync is a write to the system's
cache. So a small group is written at once, in the event loop, while nothing can make it wait: no work
in the thread, no sync of the file, no other program's lock.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosqlite

from wattline.store.base import BadRow, InsufficientBalance
from wattline.store.migrations.attempts import NO_BALANCE
from wattline.store.migrations.steps import MIGRATIONS
from wattline.store.rows import OPENED, SETTLED, Values
from wattline.store.start import Started, Sync, connect, recover, sync_folder

type CrashAt = Callable[[str], None]
"""Called with the name of each point where a test may kill the process."""

OPEN = (
    f"INSERT INTO attempts ({', '.join(OPENED)}) VALUES ({', '.join('?' * len(OPENED))})"  # noqa: S608 - constants
    " RETURNING principal"
)
SETTLE = (
    f"UPDATE attempts SET {', '.join(f'{name} = ?' for name in SETTLED)}"  # noqa: S608 - constants
    " WHERE attempt = ? AND state = 'sent' RETURNING principal"
)
CREDIT = (
    "INSERT INTO entries (at, kind, principal, micro, reason) VALUES (?1, 'credit', ?2, ?3, ?4)"
    " RETURNING principal"
)
_FREE = "SELECT balance - held FROM accounts WHERE principal = ? AND limited = 1"
_PROBE = f"PRAGMA user_version = {len(MIGRATIONS)}"

# What refuses one statement and leaves the transaction alive. All else is the file's trouble.
_ROW_ERRORS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeError,
)
# fsync without the times of the file, where the system has it.
_sync_data = getattr(os, "fdatasync", os.fsync)


class LedgerMoved(Exception):
    """The file that we write to is no longer the one at its path."""


@dataclass(slots=True, eq=False)
class Job:
    """One statement, and who waits for its commit: True when it changed a row. What it returns of that row
    are the names of accounts that may have changed with it.
    """

    sql: str
    values: Values
    done: asyncio.Future[bool]


@dataclass(slots=True)
class Committed:
    """What became of each job of a group, and the free balances that it changed."""

    outcomes: list[bool | Exception] = field(default_factory=list)
    free: dict[str, int] = field(default_factory=dict)


def no_crash(point: str) -> None:
    """Nobody kills us."""


class Writer(aiosqlite.Connection):
    """Runs groups. Its own methods raise sqlite3.Error, OSError and LedgerMoved as they come."""

    def __init__(
        self, path: Path, sync: Sync, busy_ms: int, crash_at: CrashAt, *, at_once: bool = True
    ) -> None:
        super().__init__(lambda: connect(path, sync, busy_ms), iter_chunk_size=64)
        # A process that ends without `close` must end: a commit survives that, a hung process does
        # not restart. (aiosqlite has a thread, and before 0.22 is one.)
        thread: Any = getattr(self, "_thread", self)
        thread.daemon = True
        self._at_once = at_once and sync == "normal"
        self._busy_ms = self._patience = busy_ms
        self._in_use = threading.Lock()
        self._syncing = False
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._wal_descriptor: int | None = None
        self._stopped: asyncio.Future[None] | None = None
        self._identity: dict[Path, tuple[int, int] | None] = {}
        self._crash_at = crash_at

    async def recover(self, now_ms: int) -> Started:
        """Close what a crash left open. Once, before the first group."""
        return await self._hop(self._recover, now_ms)

    async def write_group(self, jobs: Sequence[Job]) -> Committed:
        """All jobs in one transaction; without jobs a write that changes nothing, to see if one can."""
        return await self._hop(self._write_patiently, jobs)

    def write_now(self, jobs: Sequence[Job]) -> Committed | None:
        """As `write_group`, at once and in the caller's thread; None when it might have to wait."""
        if not self._at_once or self._syncing or not self._in_use.acquire(blocking=False):
            return None
        try:
            self._wait_for_locks(0)
            return self._write_group(jobs)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return None
            raise
        finally:
            self._in_use.release()

    async def checkpoint(self) -> None:
        """Move what the WAL holds into the database, as far as no reader is in the way."""
        await self._hop(self._checkpoint)

    def sync_wal(self) -> None:
        """Make all commits so far survive a power cut. For any thread: it does not stop the writer."""
        for path in (self._path, self._wal):
            if self._identity.get(path) != _identity(path):
                raise LedgerMoved(
                    f"ledger {path}: the file was moved or deleted while in use: stop wattline, put it "
                    "back, and start again"
                )
        if self._wal_descriptor is not None:
            self._syncing = True
            try:
                _sync_data(self._wal_descriptor)
            finally:
                self._syncing = False

    async def close(self) -> None:
        """Checkpoint, close, end the thread."""
        try:
            await self._hop(self._let_close_checkpoint)
        finally:
            await self.abandon()

    def stop(self) -> asyncio.Future[None] | None:
        """See aiosqlite: ask the thread to end."""
        self._stopped = super().stop()
        return self._stopped

    async def abandon(self) -> None:
        """Close and leave the files as they are; also after a connect that failed."""
        await super().close()
        # After a failed connect aiosqlite does not wait for its thread, which would then speak to an
        # event loop that may be closed.
        if self._stopped is not None:
            await self._stopped
        if self._wal_descriptor is not None:
            os.close(self._wal_descriptor)
            self._wal_descriptor = None

    async def _hop[**P, T](self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def alone() -> T:
            with self._in_use:
                return work(*args, **kwargs)

        result: T = await self._execute(alone)  # type: ignore[no-untyped-call]
        return result

    # What follows runs in the connection's thread; what `write_now` calls, in its caller's too.

    def _recover(self, now_ms: int) -> Started:
        connection = self._conn
        connection.execute("BEGIN IMMEDIATE")
        started = recover(connection, now_ms)
        connection.execute(_PROBE)
        connection.execute("COMMIT")
        # The WAL exists now. It keeps its inode until the last connection closes.
        self._wal_descriptor = os.open(self._wal, os.O_RDONLY | os.O_CLOEXEC)
        self._identity = {path: _identity(path) for path in (self._path, self._wal)}
        sync_folder(self._path.parent)
        return started

    def _write_patiently(self, jobs: Sequence[Job]) -> Committed:
        self._wait_for_locks(self._busy_ms)
        return self._write_group(jobs)

    def _wait_for_locks(self, milliseconds: int) -> None:
        if self._patience != milliseconds:
            self._conn.execute(f"PRAGMA busy_timeout = {milliseconds}")
            self._patience = milliseconds

    def _write_group(self, jobs: Sequence[Job]) -> Committed:
        connection, committed, touched = self._conn, Committed(), set[str]()
        self._crash_at("before_begin")
        connection.execute("BEGIN IMMEDIATE")
        try:
            for job in jobs:
                committed.outcomes.append(self._apply(job, touched))
            for principal in touched:
                for (free,) in connection.execute(_FREE, (principal,)).fetchall():
                    committed.free[principal] = free
            if not jobs:
                connection.execute(_PROBE)
            self._crash_at("before_commit")
            connection.execute("COMMIT")
        except BaseException:
            # Some errors (disk full, I/O) make SQLite roll back by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._crash_at("after_commit")
        return committed

    def _apply(self, job: Job, touched: set[str]) -> bool | Exception:
        try:
            rows = self._conn.execute(job.sql, job.values).fetchall()
        except _ROW_ERRORS as error:
            return _refusal(error)
        self._crash_at("mid_batch")
        if not rows:
            return False
        touched.update(rows[0])
        return True

    def _checkpoint(self) -> None:
        self._crash_at("during_checkpoint")
        self._conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _let_close_checkpoint(self) -> None:
        self._conn.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, False)  # noqa: FBT003 - C's API


def _refusal(error: Exception) -> Exception:
    if str(error) == NO_BALANCE:
        return InsufficientBalance("the hold is more than the principal's free balance")
    return BadRow(f"refused by the ledger: {error}")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
