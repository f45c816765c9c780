"""The audit trail's pages."""

from __future__ import annotations

import pytest

from kit.ledgers import AT, opened, query, settled
from wattline.base.clock import ManualClock
from wattline.store.base import LedgerDown, State
from wattline.store.sqlite import SqliteLedger
from wattline.store.trail import _ALL, _OF_CALLER, LAST, trail


@pytest.fixture
async def path(tmp_path):
    made = tmp_path / "ledger.sqlite"
    ledger = await SqliteLedger.open_at(made, ManualClock())
    for number in range(12):
        who = ("ann", "bob", "local")[number % 3]
        key = "k1" if number % 2 else None
        at = AT + number // 4
        await ledger.open(
            opened(f"a{number}", at=at, principal=who, key=None if who == "local" else key)
        )
        if number % 5:
            await ledger.settle(settled(f"a{number}", flags=("own_key",)))
    await ledger.close()
    return made


def ids(rows):
    return [row.attempt for row in rows]


def test_the_latest_first(path):
    """E-086."""
    assert ids(trail(path, None, 100)) == [f"a{n}" for n in range(11, -1, -1)]
    assert ids(trail(path, "ann", 100)) == ["a9", "a6", "a3", "a0"]
    assert ids(trail(path, "local", 100)) == ["a11", "a8", "a5", "a2"]
    assert trail(path, "nobody", 100) == []
    assert trail(path, "%", 100) == []
    row = trail(path, "ann", 1)[0]
    assert (row.state, row.key, row.prompt, row.energy, row.flags) == (
        State.COMPLETE, "k1", 400, 625, '["own_key"]',
    )  # fmt: skip
    assert trail(path, "ann", 100)[-1].state is State.SENT


@pytest.mark.parametrize("who", [None, "ann", "bob", "local"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_pages_are_the_whole(path, who, size):
    seen, place = [], LAST
    while found := trail(path, who, size, place):
        seen += found
        place = found[-1].at, found[-1].seq
    assert seen == trail(path, who, 100)


def test_questions_have_their_indexes(path):
    """No page reads the whole ledger."""
    for sql, values in ((_ALL, (*LAST, 10)), (_OF_CALLER, (*LAST, 10, "ann"))):
        numbered = sql
        for number, value in enumerate(values, 1):
            numbered = numbered.replace(f"?{number}", repr(value))
        plan = " ".join(str(row[3]) for row in query(path, f"EXPLAIN QUERY PLAN {numbered}"))
        assert "SCAN attempts" not in plan.replace("SCAN attempts USING INDEX", ""), plan
        if sql is _OF_CALLER:
            assert "attempts_by_user" in plan
            assert "attempts_by_caller" in plan
        assert "TEMP B-TREE FOR ORDER BY" not in plan, plan


def test_no_ledger(tmp_path):
    with pytest.raises(LedgerDown):
        trail(tmp_path / "none.sqlite", None, 1)
