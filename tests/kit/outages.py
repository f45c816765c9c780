"""Ledgers that can't be written for a while."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from wattline.store.sqlite import SqliteLedger


@asynccontextmanager
async def read_only(ledger: SqliteLedger) -> AsyncIterator[None]:
    """SQLite refuses writes at once, as on a read-only file."""
    await break_for_good(ledger)
    try:
        yield
    finally:
        await _pragma(ledger, "query_only = 0")


async def break_for_good(ledger: SqliteLedger) -> None:
    """As `read_only`, and nothing takes it back."""
    await _pragma(ledger, "query_only = 1")


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Another program holds the lock: writes wait up to the ledger's `busy_ms`, then fail."""
    other = sqlite3.connect(state / "ledger.sqlite", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        if other.in_transaction:
            other.execute("ROLLBACK")
        other.close()


async def back(ledger: SqliteLedger) -> None:
    """Until the ledger can be written again, by its own doing."""
    async with asyncio.timeout(40):
        while ledger.down:
            await asyncio.sleep(0.02)


async def _pragma(ledger: SqliteLedger, text: str) -> None:
    await ledger._writer._hop(lambda: ledger._writer._conn.execute(f"PRAGMA {text}").fetchall())
