from __future__ import annotations

import hashlib
import sqlite3

import pytest

from kit.ledgers import opened, settled
from wattline.base.clock import ManualClock
from wattline.store.audit import audit
from wattline.store.migrations.schema import (
    ForeignSchema,
    check_schema,
    expected_schema,
    migrate,
    read_schema,
)
from wattline.store.migrations.steps import MIGRATIONS
from wattline.store.rows import OPENED, SETTLED, opened_values, settled_values
from wattline.store.sqlite import SqliteLedger
from wattline.store.writer import OPEN, SETTLE

RELEASED = (
    "b4d256411ef255e2", "47d5e807911cdb44", "513fc89b97b1bc9b", "e57180a0f769bde7",
    "3b1175f0b936354f", "cf94721d7080ead9", "90de823ea84f71f4", "0d0930bb72299d55",
    "857a29f7300bbacb", "48ca931bffd39bc0", "b5e7d3bfdcbf4d26", "9a47c6e493578a1f",
    "37e04441ac5d0ee2",
)  # fmt: skip
"""Digests of the steps that files out there have had."""


def blank(path=":memory:"):
    return sqlite3.connect(path, isolation_level=None)


@pytest.mark.parametrize("version", range(len(MIGRATIONS) + 1))
async def test_from_blank_and_from_each_older_version(tmp_path, version):
    path = tmp_path / "ledger.sqlite"
    old = blank(path)
    assert migrate(old, MIGRATIONS[:version]) == version
    if version:
        known = {row[1] for row in old.execute("PRAGMA table_info (attempts)")}
        begins = dict(zip(OPENED, opened_values(opened("old")), strict=True))
        columns = [name for name in OPENED if name in known]
        old.execute(
            f"INSERT INTO attempts ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",  # noqa: S608 - constants
            [begins[name] for name in columns],
        )
        ends = dict(zip(SETTLED, settled_values(settled("old")), strict=True))
        columns = [name for name in SETTLED if name in known]
        old.execute(
            f"UPDATE attempts SET {', '.join(f'{name} = ?' for name in columns)}",  # noqa: S608 - constants
            [ends[name] for name in columns],
        )
    old.close()
    ledger = await SqliteLedger.open_at(path, ManualClock())
    await ledger.open(opened("new"))
    assert await ledger.settle(settled("new")) is True
    assert await ledger.settle(settled("old")) is False
    await ledger.close()
    report = audit(path)
    assert report.ok, report
    assert report.attempts == 1 + bool(version)
    now = blank(path)
    assert read_schema(now) == expected_schema()
    now.close()


def test_a_released_step_never_changes():
    """A new one is appended, and its digest with it when it is released."""
    digests = [hashlib.sha256("\0".join(step).encode()).hexdigest()[:16] for step in MIGRATIONS]
    assert tuple(digests[: len(RELEASED)]) == RELEASED


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "ledger.sqlite"
    newer = blank(path)
    migrate(newer, (*MIGRATIONS, ("CREATE TABLE future (x)",)))
    newer.close()
    before = path.read_bytes()
    with pytest.raises(Exception, match=r"version \d+ .* knows up to \d+; run the newer wattline"):
        await SqliteLedger.open_at(path, ManualClock())
    assert path.read_bytes() == before


async def test_another_programs_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "ledger.sqlite"
    other = blank(path)
    other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(Exception, match="another program"):
        await SqliteLedger.open_at(path, ManualClock())
    assert path.read_bytes() == before


def test_a_step_that_fails_changes_nothing():
    connection = blank()
    migrate(connection)
    steps = (*MIGRATIONS, ("CREATE TABLE a (x)", "CREATE TABLE a (x)"))
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, steps)
    assert not connection.in_transaction
    assert read_schema(connection) == expected_schema()
    assert check_schema(connection) == len(MIGRATIONS)
    assert migrate(connection) == 0
    connection.close()


def test_a_version_without_our_mark_is_foreign():
    connection = blank()
    connection.execute("PRAGMA user_version = 1")
    with pytest.raises(ForeignSchema, match="another program"):
        check_schema(connection)
    connection.close()


@pytest.fixture
def books():
    connection = blank()
    migrate(connection)
    for name in ("sent", "done"):
        connection.execute(OPEN, opened_values(opened(name, hold=10))).fetchall()
    connection.execute(SETTLE, (*settled_values(settled("done")), "done")).fetchall()
    yield connection
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET micro = 0",
        "UPDATE entries SET reason = ''",
        "DELETE FROM entries",
        "DELETE FROM attempts",
        "DELETE FROM attempts WHERE attempt = 'sent'",
        "UPDATE attempts SET energy = 0 WHERE attempt = 'done'",
        "UPDATE attempts SET state = 'sent', settled_at = NULL WHERE attempt = 'done'",
        "UPDATE attempts SET state = 'failed' WHERE attempt = 'done'",
        "UPDATE attempts SET error = 'x' WHERE attempt = 'sent'",
        "UPDATE attempts SET hold = 0 WHERE attempt = 'sent'",
        "UPDATE attempts SET state = 'complete' WHERE attempt = 'sent'",
        "UPDATE attempts SET state = 'lost', settled_at = 1 WHERE attempt = 'sent'",
        "UPDATE attempts SET state = 'complete', settled_at = 1, energy = -1 WHERE attempt = 'sent'",
        "UPDATE attempts SET state = 'failed', settled_at = 1, energy = 5 WHERE attempt = 'sent'",
        "UPDATE attempts SET state = 'complete', settled_at = 1, prompt = 5 WHERE attempt = 'sent'",
        "UPDATE attempts SET state = 'complete', settled_at = 1, principal = 'eve' WHERE attempt = 'sent'",
        "UPDATE accounts SET held = -1",
        "UPDATE accounts SET balance = 1.5",
        "UPDATE accounts SET balance = balance + 9223372036854775807 + 9223372036854775807",
        (
            "INSERT INTO entries (at, kind, principal, attempt, micro, reason)"
            " VALUES (1, 'debit', 'local', 'done', 625, 'again')"
        ),
        "INSERT INTO entries (at, kind, principal, micro, reason) VALUES (1, 'debit', 'local', 5, '')",
        "INSERT INTO entries (at, kind, principal, micro, reason) VALUES (1, 'gift', 'local', 5, '')",
    ],
)
def test_the_file_itself_refuses(books, statement):
    """I6: append-only, one transition, whatever program writes."""
    before = list(books.iterdump())
    with pytest.raises(sqlite3.IntegrityError):
        books.execute(statement)
    assert list(books.iterdump()) == before


def test_an_attempt_can_not_begin_as_settled(books):
    columns, values = (
        ", ".join((*OPENED, *SETTLED)),
        (
            *opened_values(opened("x")),
            *settled_values(settled("x")),
        ),
    )
    with pytest.raises(sqlite3.IntegrityError, match="begins as sent"):
        books.execute(
            f"INSERT INTO attempts ({columns}) VALUES ({', '.join('?' * len(values))})",  # noqa: S608 - constants
            values,
        )
