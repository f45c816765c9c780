from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess

import pytest

from kit.ledgers import opened, query, settled
from wattline.base.clock import ManualClock
from wattline.store import keeper
from wattline.store.base import LedgerDown
from wattline.store.sqlite import SqliteLedger


@pytest.fixture
async def ledger(tmp_path):
    made = await SqliteLedger.open_at(
        tmp_path / "state" / "ledger.sqlite", ManualClock(), sync_every=0.01
    )
    yield made
    await made.close()


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def counting(writer, name, calls):
    real = getattr(writer, name)

    def counted():
        calls.append(name)
        return real()

    setattr(writer, name, counted)


async def test_a_commit_is_synced_then_checkpointed_when_quiet(ledger):
    calls = []
    counting(ledger._writer, "sync_wal", calls)
    counting(ledger._writer, "checkpoint", calls)
    await ledger.open(opened("a"))
    await until(lambda: "checkpoint" in calls)
    assert calls[0] == "sync_wal"
    path = ledger._path
    await ledger._writer._hop(lambda: None)
    # All of it is in the database itself now: a copy without the WAL has it.
    copy = path.with_name("copy.sqlite")
    await asyncio.to_thread(subprocess.run, [shutil.which("cp"), path, copy], check=True)
    assert query(copy, "SELECT attempt FROM attempts") == [("a",)]


async def test_nothing_is_synced_while_nothing_changes(ledger):
    calls = []
    await ledger.open(opened())
    counting(ledger._writer, "checkpoint", calls)
    await until(lambda: calls)
    counting(ledger._writer, "sync_wal", calls)
    await until(lambda: not ledger._groups.stirred.is_set())
    before = len(calls)
    await asyncio.sleep(0.1)
    assert len(calls) <= before + 1


async def test_steady_traffic_is_checkpointed_after_enough_rows(ledger, monkeypatch):
    monkeypatch.setattr(keeper, "CHECKPOINT_ROWS", 50)
    calls = []
    counting(ledger._writer, "checkpoint", calls)
    async with asyncio.timeout(30):
        while not calls:
            row = opened()
            await ledger.open(row)
            await ledger.settle(settled(row.attempt))
    assert ledger._groups.rows >= 50


@pytest.mark.parametrize("part", ["ledger.sqlite", "ledger.sqlite-wal"])
async def test_a_file_that_was_moved_away_is_an_outage_and_not_a_silent_loss(ledger, part):
    await ledger.open(opened())
    file = ledger._path.with_name(part)
    file.rename(file.with_name("elsewhere"))
    await until(lambda: ledger.down)
    with pytest.raises(LedgerDown, match="moved or deleted"):
        await ledger.open(opened())
    assert "moved or deleted" in ledger.down
    assert "stop wattline, put it back, and start again" in ledger.down


async def test_a_failed_sync_is_final(ledger):
    def fail():
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    ledger._writer.sync_wal = fail
    await ledger.open(opened())
    await until(lambda: ledger.down)
    assert "failed to sync" in ledger.down
    ledger._clock.advance(10_000)
    with pytest.raises(LedgerDown, match="restart"):
        await ledger.open(opened())
    await until(ledger._keeping.done)


async def test_a_failed_checkpoint_is_a_warning(ledger, caplog):
    calls = []

    async def fail():
        calls.append("checkpoint")
        raise keeper.sqlite3.OperationalError("database or disk is full")

    ledger._writer.checkpoint = fail
    await ledger.open(opened())
    await until(lambda: calls)
    await until(lambda: "checkpoint failed" in caplog.text)
    assert ledger.down is None
    await ledger.open(opened())
