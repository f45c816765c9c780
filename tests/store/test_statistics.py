"""Questions about keys and providers, out of a ledger."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from kit.ledgers import AT, opened, query, settled
from wattline.base.clock import ManualClock
from wattline.store.base import LedgerDown, State
from wattline.store.people import Key, User
from wattline.store.sqlite import SqliteLedger
from wattline.store.statistics import performance, used
from wattline.wire.call import Role


@asynccontextmanager
async def ledger_at(path):
    ledger = await SqliteLedger.open_at(path, ManualClock())
    try:
        yield ledger
    finally:
        await ledger.close()


async def put(ledger, state=State.COMPLETE, *, at=AT, total=300, error=None, **more):
    row = opened(at=at, **more)
    await ledger.open(row)
    changes = {"state": state, "total_ms": total, "error": error}
    if state is State.FAILED:
        changes |= {"usage": None, "energy": None, "status": 500}
    await ledger.settle(settled(row.attempt, **changes))
    return row


async def test_what_a_key_used(tmp_path):
    """B-065: its own calls only, and those of a caller of rules.yaml without the keys of its name."""
    path = tmp_path / "ledger.sqlite"
    async with ledger_at(path) as ledger:
        await ledger.accounts.create_user(User("ann", "", Role.USER, 0))
        await ledger.accounts.create_key(Key("key_1", "ann", "0" * 64, "…", Role.USER, 0))
        for _ in range(3):
            await put(ledger, principal="ann", key="key_1")
        await put(ledger, State.FAILED, principal="ann", key="key_1", call="req_x")
        await put(ledger, principal="ann", key="key_1", call="req_x", number=2)
        await put(ledger, principal="ann", key="key_2")
        await put(ledger, principal="ann")
        await put(ledger, principal="local")
        found = used(path, key="key_1")
        assert (found.attempts, found.calls, found.failed) == (5, 4, 1)
        assert (found.prompt, found.completion, found.energy_micro) == (1600, 400, 2500)
        assert (found.first, found.last, found.whole) == (AT, AT, True)
        assert used(path, caller="ann").calls == 1
        assert used(path, caller="local").calls == 1
        assert used(path, key="key_1", most=2).attempts == 2
        assert used(path, key="key_1", since=AT + 1).attempts == 0
        nothing = used(path, key="none")
        assert (nothing.calls, nothing.first, nothing.energy_micro) == (0, None, 0)


async def test_the_index_is_used(tmp_path):
    path = tmp_path / "ledger.sqlite"
    async with ledger_at(path):
        for whose, index in (
            ("key = 'k'", "attempts_by_key"),
            ("principal = 'p' AND key IS NULL AND principal <> 'local'", "attempts_by_caller"),
        ):
            sql = "EXPLAIN QUERY PLAN SELECT at FROM attempts WHERE %s AND at >= 5 ORDER BY at DESC"
            assert index in str(query(path, sql % whose))


async def test_how_providers_and_models_did(tmp_path):
    """B-080, B-085."""
    path = tmp_path / "ledger.sqlite"
    async with ledger_at(path) as ledger:
        for total in range(100, 2_100, 100):
            await put(ledger, provider="a", model="x", total=total)
        await put(ledger, State.FAILED, provider="a", model="y", error="http_503")
        await put(ledger, State.FAILED, provider="a", model="y", error="http_503")
        await put(
            ledger, State.TRUNCATED, provider="a", model="x", error="idle_timeout", total=9_999
        )
        await put(ledger, State.ABORTED, provider="a", model="x", error="client_gone", total=9_999)
        await put(ledger, provider="b", model="x", total=7)
        await ledger.open(opened(provider="c"))  # under way
        whole, other = performance(path, "provider")
        assert (whole.provider, whole.model, whole.attempts, whole.calls) == ("a", "", 24, 24)
        assert (whole.complete, whole.aborted, whole.truncated) == (20, 1, 1)
        assert (whole.median_ms, whole.slow_ms, whole.total_ms) == (1_000, 1_900, 1_050.0)
        assert whole.first_byte_ms == 12
        assert whole.errors == (("http_503", 2), ("idle_timeout", 1))
        assert (other.provider, other.attempts, other.median_ms, other.slow_ms) == ("b", 1, 7, 7)
        found = {(row.provider, row.model): row for row in performance(path, "model")}
        assert set(found) == {("a", "x"), ("a", "y"), ("b", "x")}
        assert found["a", "y"].errors == (("http_503", 2),)
        assert (found["a", "y"].median_ms, found["a", "y"].total_ms) == (None, None)
        assert performance(path, "model", since=AT + 1) == []
        assert sum(row.attempts for row in performance(path, "provider", most=5)) == 5


def test_no_ledger(tmp_path):
    for question in (lambda: used(tmp_path / "x", key="k"), lambda: performance(tmp_path / "x", "model")):  # fmt: skip
        with pytest.raises(LedgerDown):
            question()
