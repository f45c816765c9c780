"""kill -9 and cut-off files: nothing acknowledged is lost, nothing is booked twice."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import threading

import pytest

from kit.ledgers import dump, opened, query, settled
from wattline.base.clock import ManualClock
from wattline.base.ids import hash_secret
from wattline.store.audit import audit
from wattline.store.migrations.users import START
from wattline.store.sqlite import SqliteLedger

pytestmark = pytest.mark.slow

POINTS = (
    "before_begin", "mid_batch", "before_commit", "after_commit", "before_ack", "during_checkpoint",
)  # fmt: skip
KILLS = 30
EACH = 4
CUTS = 200


def run_until_dead(nursery, path, seed, dice, *crash):
    """A life of the child; the lines that it wrote."""
    arguments = [str(path), str(seed), *map(str, crash)]
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as out, tempfile.TemporaryFile() as err:
        streams = (None, writing, err.fileno())
        child = nursery.start("kit.ledger_child", arguments, env=os.environ, streams=streams)
        os.close(writing)
        lines = []
        if not crash:
            # Killed at random, but after a first acknowledgement: what comes before is start-up.
            lines.append(out.readline())
            killer = threading.Timer(dice.uniform(0, 0.08), child.kill)
            killer.start()
        try:
            lines.append(out.read())
            code = child.wait_for(30)
        finally:
            child.kill()
        err.seek(0)
        assert code == -signal.SIGKILL, err.read().decode()
    return b"".join(lines).decode().splitlines()


def check(path, lines):
    """Every acknowledged row is there once, as it was acknowledged."""
    attempts = {
        name: (state, energy)
        for name, state, energy in query(path, "SELECT attempt, state, energy FROM attempts")
    }
    booked = query(path, "SELECT reason, principal FROM entries WHERE kind = 'credit'")
    debits = dict(query(path, "SELECT attempt, micro FROM entries WHERE kind = 'debit'"))
    keys = dict(query(path, "SELECT id, hash || mask FROM keys"))
    assert len(booked) == len(set(booked))
    for line in lines:
        word, name, value = line.split()
        if word == "open":
            assert name in attempts, line
        elif word == "credit":
            assert (name, value) in booked, line
        elif word == "user":
            assert (START, name) in booked, line
        elif word == "key":
            # Both columns of a rotation, or neither; one that was not acknowledged may be there.
            both = [hash_secret(f"{name}.1") + "mask", hash_secret(f"{name}.2") + "new"]
            assert keys[name] in both[int(value) - 1 :], line
        else:
            assert attempts[name] == ("complete", int(value)), line
            assert debits[name] == int(value), line


async def restart(path):
    ledger = await SqliteLedger.open_at(path, ManualClock())
    recovered = ledger.recovered
    await ledger.close()
    return recovered


def survive(nursery, path, seed, dice, *crash):
    lines = run_until_dead(nursery, path, seed, dice, *crash)
    check(path, lines)
    recovered = asyncio.run(restart(path))
    check(path, lines)
    assert query(path, "SELECT count(*) FROM attempts WHERE state = 'sent'") == [(0,)]
    assert query(path, "SELECT coalesce(sum(held), 0) FROM accounts") == [(0,)]
    report = audit(path)
    assert report.ok, report.differences
    return lines, recovered


def test_killed_at_random(tmp_path, nursery):
    """4.3: each life goes on with the file of the one before."""
    dice, path, every, recovered = random.Random(1), tmp_path / "ledger.sqlite", [], 0
    for seed in range(KILLS):
        lines, closed = survive(nursery, path, seed, dice)
        every += lines
        recovered += closed
    check(path, every)
    assert len(every) > KILLS * 10
    assert recovered > 0


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_named_point(tmp_path, nursery, point):
    """4.3"""
    dice, path, every = random.Random(point), tmp_path / "ledger.sqlite", []
    for seed in range(EACH):
        after = dice.randrange(1, 4) if point == "during_checkpoint" else dice.randrange(1, 40)
        lines, _ = survive(nursery, path, seed, dice, point, after)
        every += lines
    check(path, every)


async def history(path):
    """Copies of a ledger's files after a run without a checkpoint, and its dump after each commit."""
    ledger = await SqliteLedger.open_at(path, ManualClock(), sync_every=3_600)
    dumps = [dump(path)]
    for number in range(12):
        steps = [
            lambda n=number: ledger.credit("ann", 100 * n, f"gift {n}"),
            lambda n=number: ledger.open(
                opened(f"a{n}", principal="ann", features={"x": "y" * 300})
            ),
            lambda n=number: ledger.settle(settled(f"a{n}", energy=n)),
        ]
        for step in steps[: 3 if number % 4 else 2]:
            await step()
            dumps.append(dump(path))
    for name in (path.name, path.name + "-wal"):
        shutil.copy(path.with_name(name), path.with_name("copy-" + name))
    await ledger.close()
    return path.with_name("copy-" + path.name), dumps


def positions(size, page=4096):
    """Frame boundaries, their neighbours, and any bytes between (header 32, frame header 24)."""
    dice = random.Random(2)
    ends = range(32, size + 1, page + 24)
    near = {min(end + step, size) for end in ends for step in (-1, 0, 1)} | {1, 31}
    chosen = {0, size, *dice.sample(sorted(near), min(len(near), CUTS // 2))}
    while len(chosen) < CUTS:
        chosen.add(dice.randrange(size + 1))
    return sorted(chosen)


def cut(copy, folder, wal):
    """The ledger's files in a new folder, with that WAL."""
    folder.mkdir()
    path = folder / "ledger.sqlite"
    shutil.copy(copy, path)
    path.with_name(path.name + "-wal").write_bytes(wal)
    return path


def place(path, dumps):
    """The moment of history that SQLite makes of the files; -1 before there was a schema."""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            return -1
    finally:
        connection.close()
    return dumps.index(dump(path))


async def test_a_wal_that_was_cut_anywhere_is_a_prefix_of_history(tmp_path):
    """4.3: what a power cut can leave of a WAL."""
    copy, dumps = await history(tmp_path / "ledger.sqlite")
    assert len(set(dumps)) == len(dumps)
    wal = copy.with_name(copy.name + "-wal").read_bytes()
    places, tried = [], positions(len(wal))
    assert len(tried) >= CUTS
    for position in tried:
        places.append(place(cut(copy, tmp_path / "look", wal[:position]), dumps))
        path = cut(copy, tmp_path / "start", wal[:position])
        await restart(path)
        report = audit(path)
        assert report.ok, (position, report.differences)
        shutil.rmtree(tmp_path / "look")
        shutil.rmtree(tmp_path / "start")
    assert places == sorted(places)
    assert (places[0], places[-1]) == (-1, len(dumps) - 1)
    assert len(set(places)) > len(dumps) * 0.7
