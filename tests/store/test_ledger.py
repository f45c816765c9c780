"""One suite for every ledger: what each store must do alike."""

from __future__ import annotations

import asyncio
from types import MappingProxyType

import pytest

from kit.ledgers import opened, settled
from wattline.base.clock import ManualClock
from wattline.store.base import BadRow, InsufficientBalance, LedgerDown, State
from wattline.store.memory import MemoryLedger
from wattline.store.sqlite import SqliteLedger
from wattline.wire.usage import MAX_TOKENS, Usage, UsageSource


@pytest.fixture(params=["memory", "sqlite", "sqlite in its thread"])
async def ledger(request, tmp_path):
    if request.param == "memory":
        made = MemoryLedger(ManualClock())
    else:
        path = tmp_path / "state" / "ledger.sqlite"
        made = await SqliteLedger.open_at(path, ManualClock(), at_once=request.param == "sqlite")
    yield made
    await made.close()


async def use(ledger, principal, hold, energy, **changes):
    row = opened(principal=principal, hold=hold)
    await ledger.open(row)
    assert await ledger.settle(settled(row.attempt, energy=energy, **changes))


async def test_a_settled_attempt_costs_its_energy_and_not_its_hold(ledger):
    """A-054: the balance is deducted after completion."""
    await ledger.credit("ann", 1_000, "gift")
    row = opened(principal="ann", hold=700)
    await ledger.open(row)
    assert ledger.balance("ann") == 300
    assert await ledger.settle(settled(row.attempt, energy=625)) is True
    assert ledger.balance("ann") == 375


async def test_a_principal_without_credit_has_no_limit(ledger):
    """A-054: null is not 0."""
    assert ledger.balance("ann") is None
    await use(ledger, "ann", 10**12, 10**12)
    assert ledger.balance("ann") is None


async def test_a_credit_of_nothing_limits(ledger):
    await ledger.credit("ann", 0, "begin")
    assert ledger.balance("ann") == 0
    with pytest.raises(InsufficientBalance):
        await ledger.open(opened(principal="ann", hold=1))
    await ledger.open(opened(principal="ann", hold=0))


async def test_debits_from_before_the_first_credit_count(ledger):
    await use(ledger, "ann", 0, 400)
    await ledger.credit("ann", 1_000, "gift")
    assert ledger.balance("ann") == 600


async def test_a_hold_of_exactly_the_balance_is_admitted(ledger):
    await ledger.credit("ann", 625, "gift")
    with pytest.raises(InsufficientBalance):
        await ledger.open(opened(principal="ann", hold=626))
    await ledger.open(opened(principal="ann", hold=625))
    assert ledger.balance("ann") == 0


async def test_fifty_at_once_on_a_balance_for_three_admit_three(ledger):
    """T28: check and hold are one step."""
    await ledger.credit("ann", 3 * 625 + 624, "gift")
    rows = [opened(principal="ann", hold=625) for _ in range(50)]
    done = await asyncio.gather(*map(ledger.open, rows), return_exceptions=True)
    assert sum(result is True for result in done) == 3
    assert sum(isinstance(result, InsufficientBalance) for result in done) == 47
    assert ledger.balance("ann") == 624


async def test_a_refused_open_leaves_nothing(ledger):
    await ledger.credit("ann", 1, "gift")
    row = opened(principal="ann", hold=2)
    with pytest.raises(InsufficientBalance):
        await ledger.open(row)
    assert await ledger.settle(settled(row.attempt)) is False
    assert ledger.balance("ann") == 1


async def test_others_do_not_share_a_balance(ledger):
    await ledger.credit("ann", 1, "gift")
    await ledger.credit("bob", 1_000, "gift")
    await use(ledger, "bob", 625, 625)
    assert (ledger.balance("ann"), ledger.balance("bob")) == (1, 375)


async def test_the_second_settlement_changes_nothing(ledger):
    await ledger.credit("ann", 1_000, "gift")
    row = opened(principal="ann", hold=100)
    await ledger.open(row)
    first, second = (
        ledger.settle(settled(row.attempt)),
        ledger.settle(settled(row.attempt, energy=9)),
    )
    assert (await first, await second) == (True, False)
    assert await ledger.settle(settled(row.attempt, state=State.ABORTED, energy=9)) is False
    assert ledger.balance("ann") == 375


async def test_settling_what_was_never_opened_changes_nothing(ledger):
    await ledger.credit("ann", 5, "gift")
    assert await ledger.settle(settled("att_nobody")) is False
    assert ledger.balance("ann") == 5


async def test_an_unknown_energy_debits_nothing(ledger):
    await ledger.credit("ann", 1_000, "gift")
    await use(ledger, "ann", 600, None, usage=None)
    assert ledger.balance("ann") == 1_000


async def test_a_debit_may_exceed_its_hold_and_the_balance(ledger):
    await ledger.credit("ann", 10, "gift")
    await use(ledger, "ann", 10, 35)
    assert ledger.balance("ann") == -25
    with pytest.raises(InsufficientBalance):
        await ledger.open(opened(principal="ann", hold=0))
    await ledger.credit("ann", 100, "gift")
    assert ledger.balance("ann") == 75


async def test_a_failed_attempt_gives_its_hold_back(ledger):
    await ledger.credit("ann", 1_000, "gift")
    await use(ledger, "ann", 600, None, state=State.FAILED, usage=None, status=503)
    await use(ledger, "ann", 600, 0, state=State.FAILED, usage=None, status=None)
    assert ledger.balance("ann") == 1_000


async def test_a_settlement_that_nobody_awaits_is_booked(ledger):
    """LiteLLM #33736: the client went away, the row is there."""
    await ledger.credit("ann", 1_000, "gift")
    row = opened(principal="ann", hold=100)
    await ledger.open(row)
    ledger.settle(settled(row.attempt, state=State.ABORTED))
    await ledger.credit("ann", 0, "what is queued later is committed later")
    assert ledger.balance("ann") == 375


async def test_a_negative_credit_takes_back(ledger):
    await ledger.credit("ann", 100, "gift")
    await ledger.credit("ann", -130, "mistake")
    assert ledger.balance("ann") == -30


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": ""},
        {"attempt": "a" * 201},
        {"attempt": "\ud800"},
        {"call": ""},
        {"principal": ""},
        {"principal": "\udfff"},
        {"principal": None},
        {"hold": -1},
        {"hold": True},
        {"hold": 1.5},
        {"hold": 10**18 + 1},
        {"hold": 2**63},
        {"estimate": -1},
        {"estimate": MAX_TOKENS + 1},
        {"estimate_energy": -1},
        {"number": 0},
        {"at": -1},
        {"at": 10**30},
        {"features": {"self": (loop := [])}},
    ],
)
async def test_an_impossible_attempt_is_refused(ledger, changes):
    loop.clear()
    loop.append(loop)
    await ledger.credit("local", 1_000, "gift")
    with pytest.raises(BadRow):
        await ledger.open(opened(**({"attempt": "att_x"} | changes)))
    assert ledger.balance("local") == 1_000
    assert ledger.down is None


@pytest.mark.parametrize(
    "changes",
    [
        {"state": State.SENT},
        {"state": State.FAILED},
        {"energy": -1},
        {"energy": True},
        {"energy": 0.1},
        {"energy": 2**64},
        {"usage": Usage(-1, 0)},
        {"usage": Usage(0, MAX_TOKENS + 1)},
        {"usage": Usage(0, 0, cached=-1)},
        {"usage": Usage(0, 0, reasoning=2**63)},
        {"usage": Usage(float("nan"), 0)},
        {"at": -5},
        {"status": 2**70},
        {"total_ms": -1},
    ],
)
async def test_an_impossible_settlement_is_refused_and_the_attempt_stays_open(ledger, changes):
    await ledger.credit("local", 1_000, "gift")
    row = opened(hold=100)
    await ledger.open(row)
    with pytest.raises(BadRow):
        await ledger.settle(settled(row.attempt, **changes))
    assert ledger.balance("local") == 900
    assert await ledger.settle(settled(row.attempt, usage=Usage(0, 0), energy=0)) is True
    assert ledger.balance("local") == 1_000


@pytest.mark.parametrize("micro", [True, 1.0, 10**18 + 1, -(10**18) - 1, 2**63])
async def test_an_impossible_credit_is_refused(ledger, micro):
    with pytest.raises(BadRow):
        await ledger.credit("ann", micro, "gift")
    assert ledger.balance("ann") is None


async def test_an_id_can_be_used_once(ledger):
    """LiteLLM #6633: a repeated id must not swallow a row silently."""
    await ledger.credit("local", 1_000, "gift")
    row = opened(hold=100)
    await ledger.open(row)
    with pytest.raises(BadRow):
        await ledger.open(row)
    assert ledger.balance("local") == 900


@pytest.mark.parametrize(
    "changes",
    [
        {"requested": "\ud800 model"},
        {"requested": "x" * 1_000_000},
        {"requested": "a\x00b\x1b[31m"},
        {"rule": "ц" * 1_000},
        {"features": {"tags": ["\ud800"]}},
        {"features": {"tag": "x" * 1_000_000}},
        {"features": {"fill": float("inf")}},
        {"features": MappingProxyType({"a": 1})},
        {"features": {}},
    ],
)
async def test_strange_texts_do_not_stop_a_call(ledger, changes):
    row = opened(**changes)
    await ledger.open(row)
    flags = ("\ud800",) * 1_000
    assert await ledger.settle(settled(row.attempt, error="\udc00" * 10_000, flags=flags))


@pytest.mark.parametrize("state", [s for s in State if s is not State.SENT])
@pytest.mark.parametrize("source", UsageSource)
async def test_every_end_is_accepted(ledger, state, source):
    energy = None if state is State.FAILED else 1
    await use(ledger, "ann", 0, energy, state=state, usage=Usage(1, 2, 1, 2, source))


async def test_closed_is_down(ledger):
    row = opened()
    await ledger.open(row)
    assert ledger.down is None
    await ledger.close()
    assert "closed" in ledger.down
    with pytest.raises(LedgerDown, match="closed"):
        await ledger.open(opened())
    with pytest.raises(LedgerDown, match="closed"):
        await ledger.settle(settled(row.attempt))
    with pytest.raises(LedgerDown, match="closed"):
        await ledger.credit("ann", 1, "gift")
    await ledger.close()
