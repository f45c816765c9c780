from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from wattline.store.outage import FIRST_WAIT, LONGEST_WAIT, Outage, explain, is_final

PATH = Path("state/ledger.sqlite")


def error(name):
    made = sqlite3.OperationalError("x")
    made.sqlite_errorcode = getattr(sqlite3, name)
    return made


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (error("SQLITE_FULL"), "disk is full: free"),
        (error("SQLITE_BUSY"), "lock: close"),
        (error("SQLITE_BUSY_SNAPSHOT"), "lock: close"),
        (error("SQLITE_LOCKED"), "lock: close"),
        (error("SQLITE_READONLY"), "read-only: give"),
        (error("SQLITE_READONLY_DBMOVED"), "read-only: give"),
        (error("SQLITE_IOERR_FSYNC"), "check the disk"),
        (error("SQLITE_CANTOPEN"), "can't be opened: check"),
        (error("SQLITE_CORRUPT"), "restore a backup"),
        (error("SQLITE_NOTADB"), "restore a backup"),
        (OSError(errno.ENOSPC, "x"), "disk is full: free"),
        (OSError(errno.EROFS, "x"), "read-only: give"),
        (OSError(errno.EACCES, "x"), "no permission: give"),
        (OSError(errno.EISDIR, "x"), "a folder stands where its file belongs"),
        (ValueError("Connection closed"), "Connection closed"),
    ],
)
def test_the_reason_says_where_what_and_what_to_do(cause, words):
    text = explain(cause, PATH)
    assert text.startswith("ledger state/ledger.sqlite: ")
    assert words in text


def test_only_who_tries_again_says_that_it_goes_on():
    """A start or a report does not."""
    for name in ("SQLITE_FULL", "SQLITE_BUSY"):
        assert explain(error(name), PATH, again=True).endswith("; wattline goes on by itself")
        assert "goes on" not in explain(error(name), PATH)
    assert "goes on" not in explain(error("SQLITE_CORRUPT"), PATH, again=True)


def test_only_damage_is_final():
    assert is_final(error("SQLITE_CORRUPT"))
    assert is_final(error("SQLITE_CORRUPT_VTAB"))
    assert is_final(error("SQLITE_NOTADB"))
    assert not is_final(error("SQLITE_FULL"))
    assert not is_final(OSError(errno.EIO, "x"))
    assert not is_final(RuntimeError())


def test_probes_come_after_pauses_that_double_up_to_a_limit():
    outage, now, waits = Outage(), 100.0, []
    assert outage.may_write(now)
    assert outage.begin("full", now)
    for _ in range(12):
        wait = FIRST_WAIT
        while not outage.may_write(now + wait):
            assert not outage.may_write(now + wait - 0.001)
            wait = min(wait * 2, LONGEST_WAIT)
        waits.append(wait)
        now += wait
        assert not outage.begin("full", now)
    assert waits[:4] == [FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4, FIRST_WAIT * 8]
    assert waits[-1] == LONGEST_WAIT
    assert outage.since == 100.0


def test_the_next_outage_begins_with_the_first_pause():
    outage = Outage()
    for now in (0.0, 1.0, 2.0, 3.0):
        outage.begin("full", now)
    assert outage.end()
    assert not outage.end()
    assert outage.may_write(3.0)
    assert outage.begin("locked", 50.0)
    assert outage.reason == "locked"
    assert outage.may_write(50.0 + FIRST_WAIT)


def test_a_final_outage_is_never_probed():
    outage = Outage()
    outage.begin("damaged", 0.0, final=True)
    outage.begin("full", 1.0)
    assert not outage.may_write(10**9)
    assert not outage.end()
    assert outage.reason == "full"
