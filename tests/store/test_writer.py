from __future__ import annotations

import asyncio
import inspect
import sqlite3

import aiosqlite
import pytest

from kit.ledgers import opened, settled
from wattline.base.clock import ManualClock
from wattline.store.sqlite import SqliteLedger
from wattline.store.writer import LedgerMoved


def test_the_names_that_the_writer_uses_of_aiosqlite_exist():
    """They are protected, for subclasses: an upgrade that renames them must fail here."""
    assert inspect.iscoroutinefunction(aiosqlite.Connection._execute)
    assert isinstance(aiosqlite.Connection._conn, property)
    parameters = list(inspect.signature(aiosqlite.Connection.__init__).parameters)
    assert parameters[1:3] == ["connector", "iter_chunk_size"]


@pytest.fixture
async def ledger(tmp_path):
    made = await SqliteLedger.open_at(
        tmp_path / "state" / "ledger.sqlite", ManualClock(), sync_every=3_600
    )
    yield made
    await made.close()


async def test_a_group_costs_one_hop_and_one_transaction(ledger):
    hops, statements = 0, []
    writer = ledger._writer
    await writer._hop(writer._conn.set_trace_callback, statements.append)
    real = writer._execute

    async def count(*args, **kwargs):
        nonlocal hops
        hops += 1
        return await real(*args, **kwargs)

    writer._execute = count
    rows = [opened() for _ in range(64)]
    await asyncio.gather(*map(ledger.open, rows))
    assert hops == 1
    await asyncio.gather(*(ledger.settle(settled(row.attempt)) for row in rows))
    assert hops == 2
    assert statements.count("BEGIN IMMEDIATE") == statements.count("COMMIT") == 2
    # One look at the principal's balance for each group, not for each row.
    assert sum(text.startswith("SELECT balance - held") for text in statements) == 2


async def test_the_settings_of_the_connection(ledger):
    writer = ledger._writer

    async def pragma(name):
        return await writer._hop(lambda: writer._conn.execute(f"PRAGMA {name}").fetchone()[0])

    assert await pragma("journal_mode") == "wal"
    assert await pragma("synchronous") == 1
    assert await pragma("mmap_size") == 0
    assert await pragma("wal_autocheckpoint") == 0


async def test_a_failed_group_leaves_no_transaction_behind(ledger):
    writer = ledger._writer

    def fail(point):
        if point == "before_commit":
            raise sqlite3.OperationalError("made up")

    writer._crash_at = fail
    with pytest.raises(sqlite3.OperationalError):
        await writer.write_group([])
    assert not writer._conn.in_transaction
    writer._crash_at = lambda _: None
    await ledger.open(opened())


async def test_sync_notices_another_file_at_the_path(ledger):
    ledger._writer.sync_wal()
    ledger._path.rename(ledger._path.with_name("old.sqlite"))
    ledger._path.touch()
    with pytest.raises(LedgerMoved, match="stop wattline and start it again"):
        ledger._writer.sync_wal()
