"""What only the in-memory twin has; test_ledger.py holds what it shares."""

from __future__ import annotations

import pytest

from kit.ledgers import opened, settled
from wattline.base.clock import ManualClock
from wattline.store.base import LedgerDown
from wattline.store.memory import Entry, MemoryLedger


async def test_its_books_can_be_looked_at():
    ledger = MemoryLedger(ManualClock())
    await ledger.credit("ann", 1_000, "gift")
    await ledger.open(opened("a", principal="ann", hold=5))
    await ledger.settle(settled("a"))
    assert ledger.entries == [
        Entry(1, 1_700_001_000_000, "ann", None, 1_000, "gift"),
        Entry(2, settled("a").at, "ann", "a", 625, "complete"),
    ]
    assert list(ledger.opened) == list(ledger.settled) == ["a"]


async def test_a_made_outage_keeps_settlements_as_a_real_one_does():
    ledger = MemoryLedger(ManualClock())
    await ledger.credit("ann", 1_000, "gift")
    await ledger.open(opened("a", principal="ann", hold=5))
    ledger.outage = "disk full"
    assert ledger.down == "disk full"
    for energy in (1, 999):
        with pytest.raises(LedgerDown, match="disk full"):
            await ledger.settle(settled("a", energy=energy))
    with pytest.raises(LedgerDown):
        await ledger.open(opened())
    ledger.outage = None
    await ledger.credit("ann", 0, "again")
    assert ledger.balance("ann") == 999
    assert await ledger.settle(settled("a")) is False
