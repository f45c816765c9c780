"""I6: whatever is changed by hand, `audit` finds."""

from __future__ import annotations

import sqlite3
import time

import pytest

from kit.ledgers import dump, opened, settled
from wattline.base.clock import ManualClock
from wattline.store.audit import LISTED, audit
from wattline.store.base import LedgerDown, State
from wattline.store.migrations.schema import migrate, read_schema
from wattline.store.rows import opened_values, settled_values
from wattline.store.sqlite import SqliteLedger
from wattline.store.writer import OPEN, SETTLE
from wattline.wire.usage import Usage, UsageSource


@pytest.fixture
async def path(tmp_path):
    made = tmp_path / "state" / "ledger.sqlite"
    ledger = await SqliteLedger.open_at(made, ManualClock())
    await ledger.open(opened("crashed", principal="bob", hold=10))
    await ledger.close()
    ledger = await SqliteLedger.open_at(made, ManualClock())
    await ledger.credit("ann", 10_000, "gift")
    for name in ("a", "b", "c", "failed", "open", "free"):
        await ledger.open(opened(name, principal="ann", hold=100))
    for name in ("a", "b", "c"):
        await ledger.settle(settled(name))
    await ledger.settle(settled("failed", state=State.FAILED, usage=None, energy=None))
    await ledger.settle(settled("free", usage=None, energy=None))
    await ledger.close()
    return made


def edit(path, *statements, ignore_checks=False):
    """Change rows as somebody with an editor would: rules dropped first, put back after."""
    connection = sqlite3.connect(path, isolation_level=None)
    rules = {
        name: sql
        for name, sql in read_schema(connection).items()
        if sql.startswith(("CREATE TRIGGER", "CREATE UNIQUE INDEX"))
    }
    for name, sql in rules.items():
        connection.execute(f"DROP {sql.split()[1].replace('UNIQUE', 'INDEX')} {name}")
    if ignore_checks:
        connection.execute("PRAGMA ignore_check_constraints = 1")
    for statement in statements:
        assert connection.execute(statement).rowcount > 0
    for sql in rules.values():
        if "Twice" not in statements[0]:
            connection.execute(sql)
    connection.close()


async def test_an_honest_ledger_has_no_difference(path):
    before = dump(path)
    report = audit(path)
    assert report.ok, report.differences
    assert (report.attempts, report.entries, report.accounts) == (7, 5, 2)
    assert report.under_way == 1
    assert dump(path) == before


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE attempts SET energy = 624 WHERE attempt = 'a'", "does not match attempt a (624"),
        ("UPDATE attempts SET energy = NULL WHERE attempt = 'a'", "does not match attempt a (None"),
        (
            "UPDATE attempts SET energy = 5 WHERE attempt = 'free'",
            "attempt free cost 5 and has no debit",
        ),
        ("UPDATE attempts SET principal = 'bob' WHERE attempt = 'a'", "does not match attempt a"),
        ("UPDATE attempts SET principal = 'eve' WHERE attempt = 'failed'", "principal eve has"),
        (
            "UPDATE attempts SET attempt = 'z' WHERE attempt = 'a'",
            "for attempt a, which does not exist",
        ),
        (
            "UPDATE attempts SET hold = 99 WHERE attempt = 'open'",
            "has 100 held, its open attempts hold 99",
        ),
        (
            "UPDATE attempts SET state = 'failed' WHERE attempt = 'a'",
            "attempt a failed, yet cost 625",
        ),
        (
            (
                "UPDATE attempts SET state = 'sent', settled_at = NULL, energy = NULL, source = NULL,"
                " prompt = NULL, completion = NULL, cached = NULL, reasoning = NULL WHERE attempt = 'a'"
            ),
            "does not match attempt a (None",
        ),
        (
            "UPDATE attempts SET state = 'sent', settled_at = NULL WHERE attempt = 'failed'",
            "its open attempts hold 200",
        ),
        (
            "UPDATE attempts SET state = 'failed', settled_at = 1 WHERE attempt = 'open'",
            "has 100 held, its open attempts hold 0",
        ),
        ("UPDATE attempts SET prompt = 2000000000 WHERE attempt = 'a'", "2000000000 tokens"),
        ("UPDATE attempts SET prompt = -1 WHERE attempt = 'a'", "impossible usage: -1"),
        (
            "UPDATE attempts SET completion = NULL WHERE attempt = 'a'",
            "impossible usage: 400 + None",
        ),
        ("UPDATE attempts SET source = 'guess' WHERE attempt = 'a'", "source guess"),
        ("UPDATE attempts SET energy = -625 WHERE attempt = 'a'", "impossible energy: -625"),
        ("UPDATE attempts SET state = 'lost' WHERE attempt = 'a'", "attempt a is lost"),
        ("UPDATE attempts SET settled_at = NULL WHERE attempt = 'a'", "end time None"),
        (
            "UPDATE attempts SET energy = 1 WHERE attempt = 'open'",
            "open is sent, yet has an energy (1)",
        ),
        ("UPDATE attempts SET hold = -1 WHERE attempt = 'a'", "negative hold (-1)"),
        ("UPDATE attempts SET prompt = 1 WHERE attempt = 'crashed'", "1 tokens for 500"),
        (
            "UPDATE attempts SET estimate_energy = 1 WHERE attempt = 'crashed'",
            "for an estimate of 1",
        ),
        ("DELETE FROM attempts WHERE attempt = 'a'", "for attempt a, which does not exist"),
        ("DELETE FROM attempts WHERE attempt = 'failed'", "some are missing"),
        (
            "DELETE FROM attempts WHERE attempt = 'free'",
            "numbers were given up to 7, the last is 6",
        ),
        ("UPDATE attempts SET seq = 70 WHERE attempt = 'free'", "attempt number 70 follows 6"),
        (
            "UPDATE entries SET micro = 626 WHERE attempt = 'a'",
            "(626 of ann) does not match attempt a",
        ),
        ("UPDATE entries SET micro = 9999 WHERE kind = 'credit'", "its entries sum up to 8124"),
        ("UPDATE entries SET principal = 'bob' WHERE attempt = 'a'", "does not match attempt a"),
        ("UPDATE entries SET principal = 'bob' WHERE kind = 'credit'", "account bob is limited: 0"),
        (
            "UPDATE entries SET attempt = 'zz' WHERE attempt = 'a'",
            "attempt zz, which does not exist",
        ),
        ("UPDATE entries SET kind = 'credit' WHERE attempt = 'a'", "is a credit with attempt a"),
        ("UPDATE entries SET kind = 'debit' WHERE kind = 'credit'", "is a debit with attempt None"),
        ("UPDATE entries SET seq = 60 WHERE seq = 5", "entry 60 follows 4"),
        ("DELETE FROM entries WHERE attempt = 'a'", "attempt a cost 625 and has no debit"),
        ("DELETE FROM entries WHERE seq = 5", "numbers were given up to 5, the last is 4"),
        ("DELETE FROM entries WHERE kind = 'credit'", "entries between them are missing"),
        ("UPDATE accounts SET balance = balance + 1 WHERE principal = 'ann'", "sum up to 8125"),
        (
            "UPDATE accounts SET held = 0 WHERE principal = 'ann'",
            "has 0 held, its open attempts hold 100",
        ),
        ("UPDATE accounts SET limited = 0 WHERE principal = 'ann'", "account ann is limited: 0"),
        ("UPDATE accounts SET limited = 1 WHERE principal = 'bob'", "account bob is limited: 1"),
        (
            "UPDATE accounts SET principal = 'eve' WHERE principal = 'bob'",
            "account eve has balance",
        ),
        (
            "DELETE FROM accounts WHERE principal = 'bob'",
            "bob has entries or attempts and no account",
        ),
        ("INSERT INTO accounts (principal, balance) VALUES ('eve', 7)", "eve has balance 7"),
        (
            "INSERT INTO entries (at, kind, principal, micro, reason) VALUES (1,'credit','bob',5,'')",
            "account bob has balance -625, its entries sum up to -620",
        ),
        (
            (
                "INSERT INTO entries (at, kind, principal, attempt, micro, reason)"
                " VALUES (1, 'debit', 'ann', 'open', 5, '')"
            ),
            "(5 of ann) does not match attempt open (None of ann)",
        ),
    ],
)
async def test_an_edit_by_hand_is_found(path, statement, sentence):
    edit(path, statement, ignore_checks=True)
    report = audit(path)
    assert not report.ok
    assert any(sentence in line for line in report.differences), report.differences


async def test_a_second_debit_for_an_attempt_is_found(path):
    edit(
        path,
        "INSERT INTO entries (at, kind, principal, attempt, micro, reason)"
        " VALUES (1, 'debit', 'ann', 'a', 625, 'Twice')",
    )
    assert "attempt a was debited 2 times" in audit(path).differences


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DROP TRIGGER entries_fixed", "entries_fixed is missing"),
        ("DROP INDEX entries_debit", "entries_debit is missing"),
        ("CREATE TABLE notes (x)", "notes is not part of the schema"),
        (
            "CREATE TRIGGER gift AFTER INSERT ON attempts BEGIN SELECT 1; END",
            "gift is not part of the schema",
        ),
    ],
)
async def test_a_changed_schema_is_found(path, statement, sentence):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.close()
    assert any(sentence in line for line in audit(path).differences)


async def test_a_weakened_rule_is_found(path):
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER entries_fixed")
    connection.execute("CREATE TRIGGER entries_fixed BEFORE UPDATE ON entries BEGIN SELECT 1; END")
    connection.close()
    assert audit(path).differences == ("the schema's entries_fixed was changed",)


async def test_a_sum_beyond_64_bits_is_a_difference_and_no_crash(path):
    most = 2**63 - 1
    edit(
        path,
        f"UPDATE entries SET micro = {most} WHERE kind = 'credit'",  # noqa: S608 - a number
        f"INSERT INTO entries (at, kind, principal, micro, reason) VALUES (1,'credit','ann',{most},'')",  # noqa: S608 - a number
    )
    assert any("integer overflow" in line for line in audit(path).differences)


async def test_energies_are_recomputed_where_the_rates_are_known(path):
    def rate(priced):
        assert priced.book == "v1"
        return None if priced.attempt == "c" else priced.usage.total * 5 // 4

    assert audit(path, rate).ok
    edit(path, "UPDATE attempts SET prompt = 399 WHERE attempt IN ('a', 'c')")
    assert audit(path).ok
    assert audit(path, rate).differences == ("attempt a cost 625; by its tokens it costs 623",)


async def test_kept_answers_are_not_priced_by_their_tokens(path):
    """E-122: a hit has the original's tokens and costs what the rules say of hits."""
    flagged = "UPDATE attempts SET flags = '[\"cached_answer\"]' WHERE attempt = 'a'"
    edit(path, flagged)
    priced = []

    def rate(one):
        priced.append(one.attempt)
        return one.energy

    assert audit(path, rate).ok
    assert priced == ["b", "c"]


async def test_a_damaged_page_is_found(path):
    content = bytearray(path.read_bytes())
    pages = len(content) // 4096
    for page in range(1, pages):
        content[page * 4096 + 8 : page * 4096 + 40] = bytes(32)
    path.write_bytes(content)
    with pytest.raises(LedgerDown, match="damaged"):
        raise LedgerDown("; ".join(audit(path).differences))


def test_a_long_list_is_cut_and_counted(tmp_path):
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection)
    for number in range(LISTED + 5):
        connection.execute(OPEN, opened_values(opened(f"a{number}"))).fetchall()
        values = settled_values(settled(f"a{number}"))
        connection.execute(SETTLE, (*values, f"a{number}")).fetchall()
    connection.close()
    edit(path, "UPDATE entries SET micro = 1")
    report = audit(path)
    assert sum("does not match" in line for line in report.differences) == LISTED
    assert "… and 5 more of this kind" in report.differences


@pytest.mark.parametrize("content", [None, b"", b"x" * 5_000, bytes(4_096)])
def test_what_is_no_ledger_is_refused(tmp_path, content):
    path = tmp_path / "ledger.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LedgerDown, match=r"ledger .*sqlite: "):
        audit(path)
    assert path.exists() is (content is not None)


async def test_it_can_run_beside_a_writer(tmp_path):
    path = tmp_path / "ledger.sqlite"
    ledger = await SqliteLedger.open_at(path, ManualClock())
    await ledger.credit("ann", 10**9, "gift")
    for number in range(20):
        await ledger.open(opened(f"a{number}", principal="ann", hold=5))
        if number % 3:
            await ledger.settle(settled(f"a{number}"))
        assert audit(path).ok
    await ledger.close()


@pytest.mark.slow
def test_start_and_audit_of_many_rows_are_quick(tmp_path):
    """4.3: here 20,000 rows; the bound is generous, for a busy machine."""
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection)
    connection.execute("BEGIN")
    usage = Usage(1, 2, source=UsageSource.COUNTED)
    for number in range(20_000):
        name = f"a{number}"
        connection.execute(
            OPEN, opened_values(opened(name, principal=f"p{number % 50}"))
        ).fetchall()
        connection.execute(SETTLE, (*settled_values(settled(name, usage=usage)), name)).fetchall()
    connection.execute("COMMIT")
    connection.close()
    begin = time.process_time()
    assert audit(path).ok
    assert time.process_time() - begin < 20
