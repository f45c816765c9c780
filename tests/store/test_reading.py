from __future__ import annotations

import sqlite3

import pytest

from kit.ledgers import AT, opened, settled
from wattline.base.clock import ManualClock
from wattline.store.base import LedgerDown, State
from wattline.store.reading import (
    Seed,
    UsageRow,
    attempt_counts,
    reading,
    recent,
    usage,
    window_seed,
)
from wattline.store.sqlite import SqliteLedger
from wattline.wire.usage import Usage, UsageSource

DAY = 86_400_000


@pytest.fixture
async def path(tmp_path):
    made = tmp_path / "a folder?#%" / "ledger.sqlite"
    ledger = await SqliteLedger.open_at(made, ManualClock())
    rows = [
        (opened("a", call="r1", provider="x", model="m1"), None),
        (opened("b", call="r1", number=2, provider="y", model="m1", at=AT + 1), Usage(10, 5)),
        (
            opened(
                "c", call="r2", provider="y", model="m2", at=AT + DAY, principal="ann", rule="big"
            ),
            Usage(30, 5, source=UsageSource.ESTIMATED),
        ),
        (opened("d", call="r3", provider="y", model="m2", at=AT + DAY, estimate=77), None),
    ]
    for row, used in rows:
        await ledger.open(row)
        if row.attempt == "a":
            await ledger.settle(
                settled(
                    "a", state=State.FAILED, usage=None, energy=None, error="http_503", status=503
                )
            )
        elif used:
            await ledger.settle(settled(row.attempt, usage=used, energy=used.total * 10))
    yield made
    await ledger.close()


def test_usage_by_provider(path):
    assert usage(path, "provider").rows == (
        UsageRow("y", 3, 3, 0, 40, 10, 500, 0.7),
        UsageRow("x", 1, 1, 1, 0, 0, 0, 0.0),
    )


def test_usage_by_model_counts_a_call_once(path):
    """A-055: tokens are accounted for each model."""
    assert usage(path, "model").rows == (
        UsageRow("m2", 2, 2, 0, 30, 5, 350, 1.0),
        UsageRow("m1", 1, 2, 1, 10, 5, 150, 0.0),
    )


@pytest.mark.parametrize("by", ["model", "provider", "principal", "rule", "day"])
def test_the_whole_is_the_same_however_it_is_grouped(path, by):
    """A call that touched two providers is one call; all else adds up."""
    found = usage(path, by)
    assert found.whole == UsageRow("all", 3, 4, 1, 40, 10, 500, 0.7)
    for name in ("attempts", "failed", "prompt", "completion", "energy_micro"):
        assert sum(getattr(row, name) for row in found.rows) == getattr(found.whole, name)


def test_the_whole_of_a_span_without_calls(path):
    found = usage(path, "day", since=AT + 2 * DAY)
    assert found.rows == ()
    assert found.whole == UsageRow("all", 0, 0, 0, 0, 0, 0, 0.0)


@pytest.mark.parametrize(
    ("by", "labels"),
    [
        ("principal", ["ann", "local"]),
        ("rule", ["big", "default"]),
        ("day", ["2023-11-15", "2023-11-14"]),
    ],
)
def test_usage_by_other_labels(path, by, labels):
    assert [row.label for row in usage(path, by).rows] == labels


def test_a_span_has_its_begin_and_not_its_end(path):
    assert [row.attempts for row in usage(path, "day", since=AT, until=AT + 1).rows] == [1]
    assert [row.attempts for row in usage(path, "day", since=AT + 1, until=AT + DAY).rows] == [1]


def test_by_something_else_is_no_sql(path):
    with pytest.raises(KeyError):
        usage(path, "1; DROP TABLE attempts")


def test_recent_are_the_newest_first(path):
    rows = recent(path, 3)
    assert [row.attempt for row in rows] == ["d", "c", "b"]
    assert rows[0].state is State.SENT
    assert rows[0].prompt is None
    assert (rows[2].prompt, rows[2].energy, rows[2].source) == (10, 150, "provider")
    assert recent(path, 100)[3].error == "http_503"
    assert recent(path, 0) == recent(path, -5) == []


def test_counts_name_every_state(path):
    assert attempt_counts(path) == {
        State.SENT: 1,
        State.COMPLETE: 2,
        State.ABORTED: 0,
        State.TRUNCATED: 0,
        State.FAILED: 1,
        State.UNSETTLED: 0,
    }


def test_windows_are_rebuilt_from_the_latest_attempts(path):
    assert window_seed(path, AT + 1) == [
        Seed("y", "local", AT + 1, 15, State.COMPLETE),
        Seed("y", "ann", AT + DAY, 35, State.COMPLETE),
        Seed("y", "local", AT + DAY, 77, State.SENT),
    ]


def test_a_reader_can_not_write(path):
    with pytest.raises(LedgerDown, match="read-only"), reading(path) as connection:
        connection.execute("DELETE FROM accounts")
    sly = "PRAGMA query_only = 0", "DELETE FROM accounts"
    with pytest.raises(LedgerDown, match="read-only"), reading(path) as connection:
        list(map(connection.execute, sly))


def test_a_reader_sees_one_moment(path):
    with reading(path) as connection:
        (before,) = connection.execute("SELECT count(*) FROM accounts").fetchone()
        other = sqlite3.connect(path)
        with other:
            other.execute("INSERT INTO accounts (principal) VALUES ('new')")
        other.close()
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (before,)


@pytest.mark.parametrize("question", [attempt_counts, recent, lambda p: usage(p, "day")])
@pytest.mark.parametrize("content", [None, b"", b"SQLite format 3\x00", b"junk" * 2_000])
def test_what_is_no_ledger_is_refused(tmp_path, question, content):
    path = tmp_path / "ledger.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LedgerDown, match=r"ledger .*sqlite: "):
        question(path)
    assert path.exists() is (content is not None)
