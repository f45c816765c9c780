"""What happens to rows while the file can't be written: real causes, one by one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest

from kit.ledgers import opened, query, settled
from wattline.base.clock import ManualClock
from wattline.store import groups
from wattline.store.audit import audit
from wattline.store.base import LedgerDown
from wattline.store.sqlite import SqliteLedger

LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture(params=["at once", "in the thread"])
async def ledger(request, tmp_path, clock):
    # The keeper's own probes are switched off by a long tick: tests do the probing.
    made = await SqliteLedger.open_at(
        tmp_path / "state" / "ledger.sqlite",
        clock,
        busy_ms=0,
        sync_every=3_600,
        journal_limit=5,
        at_once=request.param == "at once",
    )
    yield made
    await made.close()


@contextlib.asynccontextmanager
async def opened_at(folder, clock, **options):
    path = folder / "state" / "ledger.sqlite"
    made = await SqliteLedger.open_at(path, clock, sync_every=3_600, **options)
    try:
        yield made
    finally:
        await made.close()


class Fault:
    """Makes each write fail with a real error of SQLite's."""

    def __init__(self, ledger):
        self.ledger = ledger

    async def pragma(self, text):
        writer = self.ledger._writer
        await writer._hop(lambda: writer._conn.execute(f"PRAGMA {text}").fetchall())

    async def fill(self):
        (pages,) = query(self.ledger._path, "PRAGMA page_count")[0]
        await self.pragma(f"max_page_count = {pages}")

    async def empty(self):
        await self.pragma("max_page_count = 1000000")


async def open_until_down(ledger):
    """Opens until the disk is full; the attempts that were admitted."""
    admitted = []
    for _ in range(10_000):
        row = opened(features={"fill": "x" * 500})
        try:
            await ledger.open(row)
        except LedgerDown as error:
            assert "disk is full" in str(error)  # noqa: PT017 - which open it is is not known
            return admitted
        admitted.append(row.attempt)
    pytest.fail("the disk never got full")


async def outage_of(ledger, clock, begin, words, end):
    """Attempts are settled during an outage of any kind; they are booked when it ends, in order."""
    rows = [opened(f"a{n}", principal="ann", hold=100) for n in range(3)]
    await ledger.credit("ann", 10_000, "gift")
    for row in rows:
        await ledger.open(row)
    await begin()
    with pytest.raises(LedgerDown, match=words):
        await ledger.settle(settled("a1", energy=1))
    assert words in ledger.down
    with pytest.raises(LedgerDown, match="kept in memory"):
        await ledger.settle(settled("a0", energy=2))
    with pytest.raises(LedgerDown, match="kept in memory"):
        await ledger.settle(settled("a1", energy=999))
    with pytest.raises(LedgerDown, match=words):
        await ledger.open(opened("refused"))
    with pytest.raises(LedgerDown, match=words):
        await ledger.credit("ann", 1, "refused")
    assert ledger.balance("ann") == 9_700
    await end()
    with pytest.raises(LedgerDown, match=words):
        await ledger.open(opened("too early"))
    clock.advance(60)
    # The probe itself brings another end for a1: what was kept comes before it.
    late = ledger.settle(settled("a1", energy=999))
    await ledger.open(opened("next"))
    assert await late is False
    assert ledger.down is None
    assert ledger.balance("ann") == 9_897
    assert query(ledger._path, "SELECT attempt, micro FROM entries WHERE kind = 'debit'") == [
        ("a1", 1),
        ("a0", 2),
    ]
    assert await ledger.settle(settled("a1")) is False
    assert await ledger.settle(settled("a2", energy=3)) is True
    assert query(ledger._path, "SELECT count(*) FROM attempts WHERE attempt LIKE '%e%'") == [(1,)]
    await ledger.close()
    assert audit(ledger._path).ok


async def test_locked_by_another_process(ledger, clock):
    """31: a clear error while it lasts, and back by itself."""
    child = subprocess.Popen(  # noqa: ASYNC220 - a test has the loop for itself
        [sys.executable, "-c", LOCK, str(ledger._path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    async def begin():
        assert await asyncio.to_thread(child.stdout.readline) == "locked\n"

    async def end():
        await asyncio.to_thread(child.communicate, "\n", 30)

    try:
        await begin()
        with pytest.raises(LedgerDown, match="another program holds its lock"):
            await ledger.open(opened())
        await end()
        clock.advance(60)
        await ledger.open(opened())
        assert ledger.down is None
    finally:
        child.kill()
        child.communicate()


async def test_settlements_wait_while_another_connection_locks(ledger, clock):
    other = sqlite3.connect(ledger._path, isolation_level=None)

    async def begin():
        other.execute("BEGIN IMMEDIATE")

    async def end():
        other.execute("ROLLBACK")

    try:
        await outage_of(ledger, clock, begin, "another program holds its lock", end)
    finally:
        other.close()


async def test_read_only(ledger, clock):
    """query_only makes SQLite refuse writes as it does on a read-only file."""
    fault = Fault(ledger)
    await outage_of(
        ledger,
        clock,
        lambda: fault.pragma("query_only = 1"),
        "read-only",
        lambda: fault.pragma("query_only = 0"),
    )


async def test_a_full_file(ledger, clock):
    fault = Fault(ledger)

    async def begin():
        await fault.fill()
        await open_until_down(ledger)

    rows = [opened(f"a{n}") for n in range(3)]
    for row in rows:
        await ledger.open(row)
    await begin()
    assert "disk is full" in ledger.down
    await fault.empty()
    clock.advance(60)
    assert await ledger.settle(settled("a0")) is True
    assert ledger.down is None


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB; needs the right to mount, as in a container's root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    done = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if not done or done.returncode:
        pytest.skip("can't mount a small tmpfs here; test_a_full_file stands in")
    yield folder
    subprocess.run([shutil.which("umount"), str(folder)], check=True)


async def test_a_really_full_disk(small_disk, clock):
    """30: refuses with a clear reason, loses nothing acknowledged, goes on by itself."""
    path = small_disk / "state" / "ledger.sqlite"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 300_000)
    ledger = await SqliteLedger.open_at(path, clock, sync_every=0.01)
    await ledger.credit("local", 10**9, "gift")
    admitted = await open_until_down(ledger)
    assert len(admitted) > 20
    assert "disk is full: free some space" in ledger.down
    with pytest.raises(LedgerDown, match="kept in memory"):
        await ledger.settle(settled(admitted[0]))
    ballast.unlink()
    clock.advance(60)
    # The keeper's probe brings it back and books what waited, without any call.
    async with asyncio.timeout(30):
        while ledger.down:
            await asyncio.sleep(0.01)
    states = query(path, "SELECT state, count(*) FROM attempts GROUP BY 1 ORDER BY 1")
    assert states == [("complete", 1), ("sent", len(admitted) - 1)]
    await ledger.close()
    assert audit(path).ok


async def test_the_journal_is_bounded_and_the_rest_is_closed_by_the_next_start(ledger, clock):
    fault = Fault(ledger)
    rows = [opened() for _ in range(8)]
    for row in rows:
        await ledger.open(row)
    await fault.pragma("query_only = 1")
    kept = 0
    for row in rows:
        with pytest.raises(LedgerDown) as caught:
            await ledger.settle(settled(row.attempt))
        kept += "kept in memory" in str(caught.value)
    assert kept == 5
    await fault.pragma("query_only = 0")
    await ledger.close()
    again = await SqliteLedger.open_at(ledger._path, clock)
    assert again.recovered == 3
    await again.close()
    states = query(ledger._path, "SELECT state, count(*) FROM attempts GROUP BY 1 ORDER BY 1")
    assert states == [("complete", 5), ("unsettled", 3)]
    assert audit(ledger._path).ok


async def test_close_in_an_outage_says_what_it_could_not_write(ledger, caplog):
    await ledger.open(opened("a"))
    await Fault(ledger).pragma("query_only = 1")
    with pytest.raises(LedgerDown):
        await ledger.settle(settled("a"))
    await ledger.close()
    assert "settlements that could not be written: 1;" in caplog.text
    assert query(ledger._path, "SELECT state FROM attempts") == [("sent",)]


async def test_a_long_outage_is_logged_once_and_so_is_its_end(ledger, clock, caplog):
    fault = Fault(ledger)
    await fault.pragma("query_only = 1")
    for _ in range(5):
        with pytest.raises(LedgerDown):
            await ledger.open(opened())
        clock.advance(60)
    await fault.pragma("query_only = 0")
    await ledger.open(opened())
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "writes again after 300.0 s" in caplog.text


async def test_an_outage_refuses_without_touching_the_file(ledger, clock):
    """No retry storm: one probe for each pause, whatever the load."""
    await Fault(ledger).pragma("query_only = 1")
    tries = 0
    real = ledger._writer._write_group

    def count(jobs):
        nonlocal tries
        tries += 1
        return real(jobs)

    ledger._writer._write_group = count
    done = await asyncio.gather(
        *(ledger.open(opened()) for _ in range(500)), return_exceptions=True
    )
    assert all(isinstance(each, LedgerDown) for each in done)
    assert tries == 1
    clock.advance(60)
    done = await asyncio.gather(
        *(ledger.open(opened()) for _ in range(500)), return_exceptions=True
    )
    assert all(isinstance(each, LedgerDown) for each in done)
    assert tries == 2


async def test_a_call_that_is_alone_does_not_wait_for_the_next_turn(tmp_path, clock):
    """Its row is durable when `open` returns, and its settlement when `settle` does."""
    assert asyncio.get_running_loop()._ready is not None  # a protected name of asyncio's
    async with opened_at(tmp_path, clock) as ledger:
        await asyncio.sleep(0)
        row = opened()
        assert ledger.open(row).done()
        assert query(ledger._path, "SELECT state FROM attempts") == [("sent",)]
        for _ in range(3):
            await asyncio.sleep(0)
        assert ledger.settle(settled(row.attempt)).done()
        assert query(ledger._path, "SELECT state FROM attempts") == [("complete",)]


async def test_calls_of_one_turn_share_a_commit(tmp_path, clock):
    """Those who are about to run in this turn are waited for."""
    points = []
    async with opened_at(tmp_path, clock, crash_at=points.append) as ledger:
        points.clear()
        loop = asyncio.get_running_loop()
        done = []
        for _ in range(16):
            loop.call_soon(lambda: done.append(ledger.open(opened())))
        await asyncio.sleep(0)
        assert not any(future.done() for future in done)
        assert all(await asyncio.gather(*done))
        assert points.count("before_begin") == 1


async def test_who_waits_for_the_thread_is_not_overtaken(tmp_path, clock):
    """A row that comes while a group is written goes behind it."""
    async with opened_at(tmp_path, clock, at_once=False) as ledger:
        row = opened()
        first = ledger.open(row)
        second = ledger.settle(settled(row.attempt))
        assert not first.done()
        assert not second.done()
        assert await first
        assert await second


async def test_the_queue_is_bounded_for_opens_and_not_for_settlements(ledger, monkeypatch):
    await ledger.open(opened("a"))
    monkeypatch.setattr(groups, "QUEUE", 10)
    opens = [asyncio.ensure_future(ledger.open(opened())) for _ in range(15)]
    await asyncio.sleep(0)
    done = ledger.settle(settled("a"))
    results = await asyncio.gather(*opens, return_exceptions=True)
    assert [result is True for result in results] == [True] * 10 + [False] * 5
    assert "disk is too slow" in str(results[-1])
    assert await done is True
    assert ledger.down is None


async def test_a_bug_in_the_writer_is_an_outage_and_no_hang(ledger, clock):
    real = ledger._writer._write_group

    def broken(jobs):
        raise RuntimeError("bug")

    ledger._writer._write_group = broken
    with pytest.raises(LedgerDown, match="RuntimeError: bug"):
        await ledger.open(opened())
    ledger._writer._write_group = real
    clock.advance(60)
    await ledger.open(opened())


async def test_a_damaged_page_while_running_is_final(ledger, clock):
    await asyncio.gather(*(ledger.open(opened(features={"x": "y" * 900})) for _ in range(300)))
    await ledger._writer.checkpoint()
    size = ledger._path.stat().st_size
    with ledger._path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    writer = ledger._writer
    # A new page cache, so that SQLite sees what is on the disk.
    await writer._hop(lambda: writer._conn.execute("PRAGMA shrink_memory").fetchall())
    opens = [ledger.open(opened(features={"x": "y" * 900})) for _ in range(50)]
    results = await asyncio.gather(*opens, return_exceptions=True)
    assert "damaged" in str(results[-1])
    assert "damaged" in ledger.down
    clock.advance(10_000)
    with pytest.raises(LedgerDown, match="damaged"):
        await ledger.open(opened())
