from __future__ import annotations

import asyncio
import inspect
import sqlite3
import threading

import aiosqlite
import pytest

from kit.ledgers import opened, query, settled
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
        tmp_path / "state" / "ledger.sqlite", ManualClock(), sync_every=3_600, at_once=False
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
    with pytest.raises(LedgerMoved, match="stop wattline, put it back, and start again"):
        ledger._writer.sync_wal()


@pytest.fixture
async def quick(tmp_path):
    made = await SqliteLedger.open_at(
        tmp_path / "state" / "ledger.sqlite", ManualClock(), sync_every=3_600
    )
    yield made
    await made.close()


async def test_a_small_group_is_written_without_a_hop_to_the_thread(quick):
    async def never(*args, **kwargs):
        raise AssertionError("a hop")

    quick._writer._execute, real = never, quick._writer._execute
    try:
        rows = [opened() for _ in range(64)]
        await asyncio.gather(*map(quick.open, rows))
        await asyncio.gather(*(quick.settle(settled(row.attempt)) for row in rows))
    finally:
        quick._writer._execute = real
    assert len(query(quick._path, "SELECT 1 FROM attempts WHERE state = 'complete'")) == 64


async def test_a_large_group_goes_to_the_thread(quick, monkeypatch):
    async def open_one():
        return await quick.open(opened())

    monkeypatch.setattr(quick._writer, "write_now", None)  # not asked
    await asyncio.gather(*(open_one() for _ in range(65)))
    assert len(query(quick._path, "SELECT 1 FROM attempts")) == 65


async def test_work_in_the_thread_or_a_sync_keeps_writing_there(quick):
    writer = quick._writer
    began, go = threading.Event(), threading.Event()

    def work():
        began.set()
        assert go.wait(30)

    busy = asyncio.ensure_future(writer._hop(work))
    await asyncio.to_thread(began.wait, 30)
    assert writer.write_now([]) is None
    go.set()
    await busy
    writer._syncing = True
    assert writer.write_now([]) is None
    writer._syncing = False
    assert writer.write_now([]) is not None


async def test_another_programs_lock_does_not_stop_the_loop(quick):
    """It is waited for in the thread, up to `busy_ms`."""
    other = sqlite3.connect(quick._path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert quick._writer.write_now([]) is None
    opening = asyncio.ensure_future(quick.open(opened("waits")))
    await asyncio.sleep(0.05)
    assert not opening.done()
    other.execute("ROLLBACK")
    other.close()
    assert await opening is True


async def test_after_a_slow_write_the_thread_does_it_for_a_while(tmp_path):
    clock = ManualClock()
    path = tmp_path / "state" / "ledger.sqlite"

    def slow(point):
        if point == "before_commit":
            clock.advance(0.02)

    ledger = await SqliteLedger.open_at(path, clock, sync_every=3_600, crash_at=slow)
    hops = []
    real = ledger._writer.write_group

    async def count(jobs):
        hops.append(len(jobs))
        return await real(jobs)

    ledger._writer.write_group = count
    await ledger.open(opened())
    assert hops == []
    await ledger.open(opened())
    assert hops == [1]
    clock.advance(20 * 0.02 - 0.05)  # now it is 0.39: the hop took 0.02 too
    await ledger.open(opened())
    assert hops == [1, 1]
    await ledger.open(opened())
    assert hops == [1, 1]
    await ledger.close()
