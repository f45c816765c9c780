"""Referrals and their bonus in the ledger's file."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from wattline.base.clock import ManualClock
from wattline.store.accounts import Taken
from wattline.store.audit import audit
from wattline.store.base import BadRow
from wattline.store.people import User
from wattline.store.referrals import Referral
from wattline.store.rows import MAX_MICRO
from wattline.store.sqlite import SqliteLedger
from wattline.wire.call import Role


@pytest.fixture
async def ledger(tmp_path):
    path = tmp_path / "ledger.sqlite"
    found = await SqliteLedger.open_at(path, ManualClock())
    for name, start in (("ann", 10), ("bob", 0), ("eve", None)):
        await found.accounts.create_user(User(name, name, Role.USER, 1, start=start))
    yield found
    await found.close()
    assert audit(path).ok


async def test_both_get_the_bonus(ledger):
    """A-136: and their free balances are known at once."""
    await ledger.referrals.add(Referral("ann", "bob", 5, 100))
    assert [ledger.balance(name) for name in ("ann", "bob", "eve")] == [110, 100, None]
    assert ledger.referrals.count("ann") == 1
    assert ledger.referrals.count("bob") == 0
    assert ledger.referrals.referrer_of("bob") == "ann"
    assert ledger.referrals.referrer_of("ann") is None


async def test_who_has_no_limit_keeps_none(ledger):
    await ledger.referrals.add(Referral("eve", "ann", 5, 100))
    assert [ledger.balance(name) for name in ("ann", "eve")] == [110, None]


@pytest.mark.parametrize(
    "referral",
    [
        Referral("ann", "ann", 5, 100),
        Referral("ann", "nobody", 5, 100),
        Referral("nobody", "ann", 5, 100),
        Referral("ann", "bob", 5, -1),
        Referral("ann", "bob", 5, MAX_MICRO + 1),
    ],
)
async def test_what_is_no_referral(ledger, referral):
    with pytest.raises(BadRow):
        await ledger.referrals.add(referral)
    assert [ledger.balance(name) for name in ("ann", "bob")] == [10, 0]
    assert ledger.referrals.count("ann") == 0


async def test_one_way_only(ledger):
    """Two calls at once too: one statement decides."""
    pairs = (("ann", "bob"), ("bob", "ann"))
    both = (ledger.referrals.add(Referral(one, other, 5, 100)) for one, other in pairs)
    assert await asyncio.gather(*both) == [True, False]
    assert [ledger.balance(name) for name in ("ann", "bob")] == [110, 100]


async def test_once(ledger):
    both = (ledger.referrals.add(Referral(name, "bob", 5, 100)) for name in ("ann", "eve"))
    first, second = await asyncio.gather(*both, return_exceptions=True)
    assert first is True
    assert isinstance(second, Taken)
    assert [ledger.balance(name) for name in ("ann", "bob")] == [110, 100]


async def test_it_stays(ledger, tmp_path):
    """The bonus was paid: who was referred can't be referred again by deleting the row."""
    await ledger.referrals.add(Referral("ann", "bob", 5, 100))
    connection = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    try:
        for change in ("DELETE FROM referrals", "UPDATE referrals SET referrer = 'eve'"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(change)
    finally:
        connection.close()
