"""Messages and system messages in the ledger's file."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager

import pytest

from kit.outages import read_only
from wattline.base.clock import ManualClock
from wattline.store.audit import audit
from wattline.store.base import BadRow, LedgerDown
from wattline.store.dialogs import MAX_ADDED, MAX_CONTENT, Dialog, Message
from wattline.store.sqlite import SqliteLedger

TURN = (Message("user", "Привет"), Message("assistant", "Hello"))


@asynccontextmanager
async def ledger_at(path, **more):
    ledger = await SqliteLedger.open_at(path, ManualClock(), **more)
    try:
        yield ledger
    finally:
        await ledger.close()
    assert audit(path).ok


@pytest.fixture
async def ledger(tmp_path):
    async with ledger_at(tmp_path / "ledger.sqlite") as found:
        yield found


def said(ledger, user="ann"):
    return [(m.role, m.content) for m in ledger.dialogs.read(user).messages]


async def test_a_turn_is_kept_whole_and_in_order(ledger):
    dialogs = ledger.dialogs
    assert dialogs.read("ann") == Dialog()
    for number in range(3):
        await dialogs.add("ann", (Message("user", f"q{number}"), Message("assistant", "a")), 1)
    await dialogs.add("bob", TURN, 1)
    assert [c for r, c in said(ledger) if r == "user"] == ["q0", "q1", "q2"]
    assert [m.seq for m in dialogs.read("ann").messages] == [1, 2, 3, 4, 5, 6]
    assert said(ledger, "bob") == [("user", "Привет"), ("assistant", "Hello")]


async def test_what_is_older_is_forgotten_of_that_user_only(ledger):
    dialogs = ledger.dialogs
    await dialogs.add("bob", TURN, 1)
    for _ in range(3):
        await dialogs.add("ann", TURN, 1)
    first = dialogs.read("ann").messages[4].seq
    await dialogs.add("ann", TURN, 1, first)
    assert [m.seq for m in dialogs.read("ann").messages] == [first, first + 1, first + 2, first + 3]
    assert len(said(ledger, "bob")) == 2
    await dialogs.add("ann", TURN, 1, dialogs.read("ann").messages[-1].seq + 1)
    assert len(said(ledger)) == 2


async def test_clearing(ledger):
    dialogs = ledger.dialogs
    await dialogs.add("ann", TURN, 1)
    await dialogs.add("an_", TURN, 1)
    assert await dialogs.clear("an_")
    assert not await dialogs.clear("an_")
    assert not await dialogs.clear("%")
    assert len(said(ledger)) == 2


async def test_system_messages(ledger):
    dialogs = ledger.dialogs
    assert not await dialogs.drop_system("ann")
    await dialogs.set_system("ann", "one", 1)
    await dialogs.set_system("ann", "два", 2)
    assert dialogs.read("ann").system == "два"
    assert dialogs.read("bob").system is None
    assert await dialogs.drop_system("ann")
    assert dialogs.read("ann").system is None


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (Message("user", "ok"), Message("assistant", "\ud800")),
        (Message("user", "ok"), Message("system", "no")),  # type: ignore[arg-type]
        (Message("user", "ok"), Message("user", "x" * (MAX_CONTENT + 1))),
        (Message("user", "ok"),) * (MAX_ADDED + 1),
    ],
)
async def test_a_bad_message_keeps_its_whole_turn_out(ledger, messages):
    with pytest.raises(BadRow):
        await ledger.dialogs.add("ann", messages, 1)
    assert said(ledger) == []
    await ledger.dialogs.add("ann", TURN, 1)
    assert len(said(ledger)) == 2


@pytest.mark.parametrize("user", ["", "x" * 201])
async def test_a_bad_name(ledger, user):
    with pytest.raises(BadRow):
        await ledger.dialogs.add(user, TURN, 1)
    with pytest.raises(BadRow):
        await ledger.dialogs.set_system(user, "x", 1)


async def test_an_outage(ledger):
    async with read_only(ledger):
        for work in (
            ledger.dialogs.add("ann", TURN, 1),
            ledger.dialogs.clear("ann"),
            ledger.dialogs.set_system("ann", "x", 1),
        ):
            with pytest.raises(LedgerDown):
                await work
    assert said(ledger) == []


async def test_a_writer_that_leaves_takes_nothing_back(ledger):
    writing = asyncio.ensure_future(ledger.dialogs.add("ann", TURN, 1))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait((writing,))
    await ledger.dialogs.add("bob", TURN, 1)
    assert len(said(ledger)) == 2


async def test_what_was_deleted_is_wiped(tmp_path):
    """T26: in the file at rest there is nothing of it."""
    path = tmp_path / "ledger.sqlite"
    secret = "canary-" + "0123456789abcdef" * 300
    async with ledger_at(path) as ledger:
        for user in ("ann", "bob"):
            await ledger.dialogs.add(user, (Message("user", user + secret), *TURN), 1)
            await ledger.dialogs.set_system(user, user + secret, 1)
        await ledger.dialogs.clear("ann")
        await ledger.dialogs.drop_system("ann")
        await ledger.dialogs.add("bob", TURN, 1, 10**6)
        await ledger.dialogs.set_system("bob", "short", 2)
    for file in tmp_path.iterdir():
        assert b"canary" not in file.read_bytes(), file
        assert b"0123456789abcdef" not in file.read_bytes(), file


async def test_it_is_there_after_a_restart(tmp_path):
    path = tmp_path / "ledger.sqlite"
    async with ledger_at(path) as ledger:
        await ledger.dialogs.add("ann", TURN, 1)
    async with ledger_at(path) as ledger:
        assert len(said(ledger)) == 2
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM messages").fetchone() == (2,)
    connection.close()
