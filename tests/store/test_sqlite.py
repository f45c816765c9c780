"""The SQLite ledger as a whole: grouping, recovery, one process, cancelled callers."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kit.ledgers import dump, opened, query, settled
from wattline.base.clock import ManualClock
from wattline.store.audit import audit
from wattline.store.base import BadRow, LedgerDown
from wattline.store.sqlite import SqliteLedger

ADDONS = Path(__file__).parents[2] / "addons"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "ledger.sqlite"


class Gate:
    """Stops the writer's thread at a point until it is let go."""

    def __init__(self, point):
        self.point, self.reached, self.go = point, threading.Event(), threading.Event()
        self.armed, self.groups = False, 0

    def __call__(self, point):
        self.groups += point == "before_begin"
        if self.armed and point == self.point:
            self.armed = False
            self.reached.set()
            assert self.go.wait(30)

    async def wait(self):
        assert await asyncio.to_thread(self.reached.wait, 30)


async def test_what_arrives_during_a_commit_is_the_next_group(path):
    gate = Gate("before_commit")
    ledger = await SqliteLedger.open_at(path, ManualClock(), at_once=False, crash_at=gate)
    gate.armed = True
    first = asyncio.ensure_future(ledger.open(opened()))
    await gate.wait()
    others = [asyncio.ensure_future(ledger.open(opened())) for _ in range(40)]
    await asyncio.sleep(0)
    assert gate.groups == 1
    gate.go.set()
    await asyncio.gather(first, *others)
    assert gate.groups == 2
    await ledger.close()


async def test_nobody_hears_of_success_before_the_commit(path):
    """A-054: after the debit is durable, not before."""
    gate = Gate("before_commit")
    ledger = await SqliteLedger.open_at(path, ManualClock(), at_once=False, crash_at=gate)
    await ledger.credit("local", 1_000, "gift")
    row = opened(hold=100)
    await ledger.open(row)
    gate.armed = True
    done = ledger.settle(settled(row.attempt))
    await gate.wait()
    assert query(path, "SELECT state FROM attempts") == [("sent",)]
    assert not done.done()
    assert ledger.balance("local") == 900
    gate.go.set()
    assert await done is True
    assert query(path, "SELECT state FROM attempts") == [("complete",)]
    await ledger.close()


async def test_a_bad_row_fails_alone_in_its_group(path):
    gate = Gate("before_commit")
    ledger = await SqliteLedger.open_at(path, ManualClock(), at_once=False, crash_at=gate)
    row = opened()
    gate.armed = True
    first = asyncio.ensure_future(ledger.open(row))
    await gate.wait()
    rows = [opened(), row, opened(), opened()]
    group = [asyncio.ensure_future(ledger.open(each)) for each in rows]
    # A sum beyond 64 bits is refused by the table, not rounded.
    group += [asyncio.ensure_future(ledger.credit("rich", 10**18, "more")) for _ in range(12)]
    gate.go.set()
    await first
    done = await asyncio.gather(*group, return_exceptions=True)
    assert [isinstance(each, BadRow) for each in done] == [False, True, False, False] + 9 * [
        False
    ] + 3 * [True]
    assert gate.groups == 2
    assert query(path, "SELECT count(*) FROM attempts") == [(4,)]
    assert ledger.balance("rich") == 9 * 10**18
    await ledger.close()
    assert audit(path).ok


async def test_a_restart_closes_what_a_crash_left_once(path, caplog):
    """I4: unknown outcomes are `unsettled` with an estimate and a flag, never absent, never twice."""
    first = await SqliteLedger.open_at(path, ManualClock())
    await first.credit("ann", 10_000, "gift")
    known, unknown = opened("known", principal="ann", hold=700), opened("x", estimate_energy=None)
    done = opened("done", principal="ann", hold=50)
    for row in (known, unknown, done):
        await first.open(row)
    await first.settle(settled("done"))
    await first.close()
    second = await SqliteLedger.open_at(path, ManualClock(epoch=2e9))
    assert second.recovered == 2
    assert "closed 2 attempts that the last process left open, with estimates" in caplog.text
    assert second.balance("ann") == 10_000 - 625 - 625
    assert query(
        path,
        "SELECT attempt, state, settled_at, prompt + completion, source, energy, error, flags"
        " FROM attempts WHERE flags <> '[]' ORDER BY seq",
    ) == [
        ("known", "unsettled", 2_000_001_000_000, 500, "estimated", 625, "crashed", '["crashed"]'),
        ("x", "unsettled", 2_000_001_000_000, 500, "estimated", None, "crashed", '["crashed"]'),
    ]
    assert query(path, "SELECT sum(held) FROM accounts") == [(0,)]
    assert await second.settle(settled("known")) is False
    await second.close()
    before = dump(path)
    third = await SqliteLedger.open_at(path, ManualClock())
    assert third.recovered == 0
    await third.close()
    assert dump(path) == before
    assert audit(path).ok


async def test_balances_survive_a_restart(path):
    first = await SqliteLedger.open_at(path, ManualClock())
    await first.credit("ann", 10, "gift")
    await first.credit("bob", 0, "begin")
    await first.open(opened(principal="eve"))
    await first.close()
    second = await SqliteLedger.open_at(path, ManualClock())
    assert [second.balance(name) for name in ("ann", "bob", "eve")] == [10, 0, None]
    await second.close()


async def test_a_caller_that_leaves_during_open_leaves_no_hold(path):
    """LiteLLM #36926: no reservation leaks."""
    gate = Gate("before_commit")
    ledger = await SqliteLedger.open_at(path, ManualClock(), at_once=False, crash_at=gate)
    await ledger.credit("ann", 1_000, "gift")
    gate.armed = True
    task = asyncio.ensure_future(ledger.open(opened("gone", principal="ann", hold=600)))
    await gate.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.go.set()
    await ledger.credit("ann", 0, "later")
    assert ledger.balance("ann") == 1_000
    assert query(path, "SELECT state, energy, error FROM attempts") == [
        ("aborted", None, "not_sent")
    ]
    assert await ledger.settle(settled("gone")) is False
    await ledger.close()
    assert audit(path).ok


async def test_a_caller_that_leaves_during_settle_is_booked_all_the_same(path):
    ledger = await SqliteLedger.open_at(path, ManualClock())
    await ledger.open(opened("a"))

    async def leave():
        await ledger.settle(settled("a"))

    task = asyncio.ensure_future(leave())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ledger.close()
    assert query(path, "SELECT state FROM attempts") == [("complete",)]


async def test_close_writes_what_is_queued(path):
    ledger = await SqliteLedger.open_at(path, ManualClock())
    rows = [opened() for _ in range(30)]
    await asyncio.gather(*map(ledger.open, rows))
    done = [ledger.settle(settled(row.attempt)) for row in rows]
    await ledger.close()
    assert [await each for each in done] == [True] * 30
    assert sorted(item.name for item in path.parent.iterdir()) == ["ledger.lock", "ledger.sqlite"]
    assert query(path, "SELECT DISTINCT state FROM attempts") == [("complete",)]


async def test_only_the_owner_can_read_it(path):
    path.parent.mkdir(mode=0o755)
    path.touch(0o644)
    ledger = await SqliteLedger.open_at(path, ManualClock())
    await ledger.open(opened())
    modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in path.parent.iterdir()}
    await ledger.close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    names = ["ledger.lock", "ledger.sqlite", "ledger.sqlite-shm", "ledger.sqlite-wal"]
    assert modes == dict.fromkeys(names, 0o600)


def run_child(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": f"{ADDONS}{os.pathsep}{ADDONS.parent / 'tests'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


HOLD = """
import asyncio, sys
from pathlib import Path
from kit.ledgers import opened
from wattline.base.clock import SystemClock
from wattline.store.sqlite import SqliteLedger
async def main():
    ledger = await SqliteLedger.open_at(Path(sys.argv[1]), SystemClock())
    await ledger.open(opened("left"))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
"""


async def test_a_second_process_is_refused_by_name(path):
    """T34: two sidecars on one ledger; and a process that never closed its ledger still ends."""
    child = run_child(HOLD, path)
    try:
        assert await asyncio.to_thread(child.stdout.readline) == "ready\n"
        before = dump(path)
        with pytest.raises(LedgerDown, match=rf"process {child.pid}\).*state folder of its own"):
            await SqliteLedger.open_at(path, ManualClock())
        assert dump(path) == before
        await asyncio.to_thread(child.communicate, "\n", 30)
        assert child.returncode == 0
    finally:
        child.kill()
        child.communicate()
    ledger = await SqliteLedger.open_at(path, ManualClock())
    assert ledger.recovered == 1
    await ledger.close()


async def test_a_second_ledger_in_the_same_process_is_refused(path):
    ledger = await SqliteLedger.open_at(path, ManualClock())
    with pytest.raises(LedgerDown, match=f"process {os.getpid()}"):
        await SqliteLedger.open_at(path, ManualClock())
    await ledger.open(opened())
    await ledger.close()
    await (await SqliteLedger.open_at(path, ManualClock())).close()


async def test_sync_full_reaches_sqlite(path):
    for sync, level in (("normal", 1), ("full", 2)):
        ledger = await SqliteLedger.open_at(path, ManualClock(), sync)
        cursor = await ledger._writer.execute("PRAGMA synchronous")
        assert await cursor.fetchone() == (level,)
        await ledger.close()
