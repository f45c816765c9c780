"""Opening the ledger's file: checks first, then settings, schema, and what a crash left open.

All of it runs in the writing connection's thread. A file that can't be used is left as it was.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from wattline.store.base import LedgerDown, State
from wattline.store.folder import make_private
from wattline.store.migrations.schema import OLDEST_SQLITE, ForeignSchema, check_schema, migrate
from wattline.store.outage import explain
from wattline.store.people import People, read_people
from wattline.store.provider_keys import ProviderKey, read_provider_keys
from wattline.wire.usage import UsageSource

type Sync = Literal["normal", "full"]

MAGIC = b"SQLite format 3\x00"
"""https://www.sqlite.org/fileformat2.html#magic_header_string"""
HEADER = 100
"""Bytes of a database's header."""
FIXED_SQLITE = (3, 51, 3)
"""Before it, two connections that write or checkpoint at once could corrupt a WAL database
(https://www.sqlite.org/wal.html). Here one connection does both."""
CRASHED = "crashed"
PAGE = 2048
"""Bytes of a page in a new file. A commit writes each page it touched: half of SQLite's usual size takes
a third off its time, and a row still fits in well."""
WAL_KEPT = 64 * 1024 * 1024

logger = logging.getLogger("wattline.store")

# Tokens expected in all count as prompt: the estimate does not say how they divide.
_CLOSE_CRASHED = f"""
UPDATE attempts SET state = '{State.UNSETTLED.value}', settled_at = ?, prompt = estimate,
    completion = 0, cached = 0, reasoning = 0, source = '{UsageSource.ESTIMATED.value}',
    energy = estimate_energy, error = '{CRASHED}', flags = '{json.dumps([CRASHED])}'
WHERE state = 'sent'"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Started:
    """What a start found."""

    recovered: int
    """Attempts that the last process left open; now `unsettled`."""
    free: dict[str, int]
    """Free micro-units of each limited principal."""
    people: People
    """Users and their keys."""
    provider_keys: list[ProviderKey] = field(default_factory=list)
    """Users' own keys for providers."""


def connect(path: Path, sync: Sync, busy_ms: int) -> sqlite3.Connection:
    """The writing connection, with the newest schema. Raises LedgerDown; no damaged, foreign or newer
    file is changed, and no log whose database is missing.
    """
    connection: sqlite3.Connection | None = None
    try:
        _check_log(path)
        make_private(path)
        _check_header(path)
        connection = _plain_connection(path, busy_ms)
        check_schema(connection)
        _set_up(connection, sync)
        migrate(connection)
    except (sqlite3.Error, ForeignSchema, OSError) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, ForeignSchema):
            raise LedgerDown(f"ledger {path}: {error}") from error
        raise LedgerDown(explain(error, path)) from error
    return connection


def recover(connection: sqlite3.Connection, now_ms: int) -> Started:
    """Close what a crash left open, with its estimate, and read the balances. Raises sqlite3.Error."""
    recovered = connection.execute(_CLOSE_CRASHED, (now_ms,)).rowcount
    free = connection.execute("SELECT principal, balance - held FROM accounts WHERE limited = 1")
    people, own = read_people(connection), read_provider_keys(connection)
    return Started(recovered, dict(free.fetchall()), people, own)


def _check_log(path: Path) -> None:
    """SQLite deletes a log that has no database: with it go commits that are nowhere else."""
    log = path.with_name(f"{path.name}-wal")
    if _size(log) and not _size(path):
        raise LedgerDown(
            f"ledger {path} is gone, and {log.name} beside it has its newest commits: put the file back where it was. "
            f"For a new ledger, without users and balances, move {log.name} away too"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_header(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(HEADER)
    if head and (len(head) < HEADER or not head.startswith(MAGIC)):
        error = sqlite3.DatabaseError("bad header")
        error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
        raise error


def _plain_connection(path: Path, busy_ms: int) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise LedgerDown(
            f"SQLite {sqlite3.sqlite_version} is too old: use a Python built with {oldest} or newer"
        )
    # Used by one thread at a time, which the writer sees to.
    connection = sqlite3.connect(
        path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False
    )
    # Closing must not move the WAL into a file that we are about to refuse.
    connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)  # noqa: FBT003 - C's API
    return connection


def _set_up(connection: sqlite3.Connection, sync: Sync) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE}")
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise OSError(
            f"its file system has no write-ahead log (journal mode {mode}); use a local disk"
        )
    for setting in (
        f"synchronous = {sync.upper()}",
        "wal_autocheckpoint = 0",  # the keeper does it, between two groups
        f"journal_size_limit = {WAL_KEPT}",
        "mmap_size = 0",
        "temp_store = MEMORY",
        "secure_delete = ON",  # a conversation that was deleted is gone; nothing else is ever deleted in bulk
    ):
        connection.execute(f"PRAGMA {setting}")
    safe = sqlite3.sqlite_version_info >= FIXED_SQLITE
    logger.debug(
        "SQLite %s%s",
        sqlite3.sqlite_version,
        "" if safe else " (below 3.51.3: safe here, since one connection writes and checkpoints)",
    )


def sync_folder(path: Path) -> None:
    """Make new names in the folder durable: SQLite does it for the database, not for our files."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
