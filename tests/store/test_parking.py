"""What is off is kept, and told at its commit."""

from __future__ import annotations

import pytest

from wattline.base.clock import ManualClock
from wattline.store.audit import audit
from wattline.store.base import BadRow, LedgerDown
from wattline.store.offers import MAX_WAITING, Offer, read_offer, read_offers
from wattline.store.parking import ParkedRow, read_parked
from wattline.store.sqlite import SqliteLedger


async def test_the_life_of_a_row(tmp_path):
    path = tmp_path / "ledger.sqlite"
    ledger = await SqliteLedger.open_at(path, ManualClock())
    told = []
    await ledger.parking.park(ParkedRow("b", "", 1, "ann", "why"), lambda: told.append("b"))
    await ledger.parking.park(ParkedRow("a", "x/y:1", 2, "ann", ""), lambda: told.append("a"))
    await ledger.parking.park(ParkedRow("b", "", 3, "bob", "other"), lambda: told.append("b2"))
    assert told == ["b", "a", "b2"]
    rows = [ParkedRow("a", "x/y:1", 2, "ann", ""), ParkedRow("b", "", 3, "bob", "other")]
    assert read_parked(path) == rows
    assert not await ledger.parking.unpark("b", "x", lambda: told.append("never"))
    assert await ledger.parking.unpark("b", "", lambda: told.append("gone"))
    assert told[-1] == "gone"
    for bad in ("\ud800", "x" * 301):
        with pytest.raises(BadRow):
            await ledger.parking.park(ParkedRow("a", bad, 1, "ann", ""), lambda: told.append("bad"))
    await ledger.close()
    assert read_parked(path) == rows[:1]
    assert audit(path).ok
    with pytest.raises(LedgerDown):
        await ledger.parking.park(rows[0], lambda: told.append("closed"))
    assert told[-1] == "gone"


async def test_offers_are_decided_once_and_bounded(tmp_path):
    """B-207."""
    path = tmp_path / "ledger.sqlite"
    ledger = await SqliteLedger.open_at(path, ManualClock())
    for number in range(MAX_WAITING):
        assert await ledger.offers.add(Offer(f"o{number}", number, "p", None, "…", "c2VhbGVk"))
    assert not await ledger.offers.add(Offer("more", 1, "p", None, "…", "x"))
    assert await ledger.offers.accept("o1", 5, "ann")
    assert not await ledger.offers.accept("o1", 6, "bob")
    assert await ledger.offers.add(Offer("more", 9_999, "p", "gold", "…", "x"))
    assert await ledger.offers.reject("o1", 7, "bob")
    assert not await ledger.offers.reject("o1", 8, "bob")
    assert not await ledger.offers.accept("none", 5, "ann")
    found = read_offer(path, "o1")
    assert (found.state, found.sealed, found.decided, found.decided_by) == (
        "rejected",
        None,
        7,
        "bob",
    )
    assert read_offer(path, "none") is None
    page, total = read_offers(path, None, 2, 1)
    assert [offer.id for offer in page] == [f"o{MAX_WAITING - 1}", f"o{MAX_WAITING - 2}"]
    assert total == MAX_WAITING + 1
    assert [offer.id for offer in read_offers(path, "rejected")[0]] == ["o1"]
    assert "sealed" not in repr(found)
    await ledger.close()
    assert audit(path).ok
