"""Rows of users' own keys for providers."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from kit.accounts import accounts_at
from kit.ledgers import query
from wattline.base.clock import ManualClock
from wattline.base.origin import Origin
from wattline.store.base import BadRow
from wattline.store.migrations.logins import MAX_OF_USER
from wattline.store.people import User
from wattline.store.provider_keys import ProviderKey
from wattline.store.sqlite import SqliteLedger
from wattline.wire.call import Role

ORIGIN = Origin("https", "p.test", 443)


def key(key_id="k1", user="ann", created=1, **changes):
    made = ProviderKey(key_id, user, "p", *ORIGIN, "Mine", "sk-...xyz", "c2VhbGVk", created)
    return replace(made, **changes)


@asynccontextmanager
async def ledger_at(folder):
    ledger = await SqliteLedger.open_at(folder / "ledger.sqlite", ManualClock())
    try:
        yield ledger
    finally:
        await ledger.close()


async def with_users(ledger, *users):
    for user in users:
        await ledger.accounts.create_user(User(user, "", Role.USER, 0))


async def test_what_was_added_is_there_after_a_restart(tmp_path):
    keys = [
        key(),
        key("k2", created=2, name="é", host="h", port=8443),
        key("k3", "bob", scheme="http"),
    ]
    async with ledger_at(tmp_path) as ledger:
        await with_users(ledger, "ann", "bob")
        for one in keys:
            await ledger.provider_keys.add(one)
        assert ledger.provider_keys.of("ann") == keys[:2]
    async with ledger_at(tmp_path) as ledger:
        found = ledger.provider_keys
        assert (found.of("ann"), found.of("bob"), found.of("eve")) == (keys[:2], keys[2:], [])
        assert sorted(one.id for one in found.all()) == ["k1", "k2", "k3"]
        assert "c2VhbGVk" not in repr(found.of("ann"))


async def test_the_newest_for_an_origin(tmp_path):
    async with ledger_at(tmp_path) as ledger:
        await with_users(ledger, "ann", "bob")
        keys = ledger.provider_keys
        await keys.add(key("k1"))
        await keys.add(key("k2", created=2))
        await keys.add(key("k3", created=3, port=444))
        assert keys.latest("ann", "p", ORIGIN).id == "k2"
        assert keys.latest("ann", "q", ORIGIN) is None
        assert keys.latest("bob", "p", ORIGIN) is None
        assert keys.latest("ann", "p", Origin("http", "p.test", 443)) is None
        assert await keys.drop("k2", "ann")
        assert keys.latest("ann", "p", ORIGIN).id == "k1"


async def test_nobody_drops_anothers(tmp_path):
    async with ledger_at(tmp_path) as ledger:
        await with_users(ledger, "ann", "bob")
        told = []
        ledger.provider_keys.changed = told.append
        await ledger.provider_keys.add(key())
        assert not await ledger.provider_keys.drop("k1", "bob")
        assert not await ledger.provider_keys.drop("k2", "ann")
        assert ledger.provider_keys.of("ann") == [key()]
        assert await ledger.provider_keys.drop("k1", "ann")
        assert not await ledger.provider_keys.drop("k1", "ann")
        assert told == ["ann", "ann"]


async def test_sealing_anew_takes_the_row_that_was_read(tmp_path):
    async with ledger_at(tmp_path) as ledger:
        await with_users(ledger, "ann")
        await ledger.provider_keys.add(key())
        assert await ledger.provider_keys.reseal(key(), "YW5ldw==")
        assert not await ledger.provider_keys.reseal(key(), "bGF0ZQ==")
        assert ledger.provider_keys.of("ann")[0].sealed == "YW5ldw=="


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": "nobody"},
        {"id": ""},
        {"id": "i" * 201},
        {"provider": ""},
        {"scheme": "ftp"},
        {"host": ""},
        {"port": 0},
        {"port": 65_536},
        {"sealed": ""},
        {"sealed": "s" * 5_000},
        {"name": "n" * 301},
        {"name": "\ud800"},
        {"created": -1},
    ],
)
async def test_rows_that_can_not_be(tmp_path, wrong):
    async with ledger_at(tmp_path) as ledger:
        await with_users(ledger, "ann")
        with pytest.raises(BadRow):
            await ledger.provider_keys.add(key(**wrong))
        assert list(ledger.provider_keys.all()) == []


async def test_the_file_keeps_the_bound_whoever_comes_first(tmp_path):
    async with ledger_at(tmp_path) as ledger:
        await with_users(ledger, "ann")
        adding = (ledger.provider_keys.add(key(f"k{n}", created=n)) for n in range(MAX_OF_USER + 5))
        done = await asyncio.gather(*adding, return_exceptions=True)
        assert sum(isinstance(one, BadRow) for one in done) == 5
        assert len(ledger.provider_keys.of("ann")) == MAX_OF_USER


async def test_the_owner_and_the_origin_never_change(tmp_path):
    async with ledger_at(tmp_path) as ledger:
        await with_users(ledger, "ann")
        await ledger.provider_keys.add(key())
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    try:
        for column in ("user", "provider", "scheme", "host", "port", "id"):
            with pytest.raises(sqlite3.IntegrityError, match="does not change its owner"):
                connection.execute(f"UPDATE provider_keys SET {column} = {column}")  # noqa: S608
    finally:
        connection.close()


async def test_a_session_counts_on_in_the_file(tmp_path):
    async with accounts_at(tmp_path) as (accounts, _):
        await accounts.create_user("ann", password="a")
        both = (accounts.change_user("ann", password=word) for word in ("b", "c"))
        await asyncio.gather(*both)
        assert accounts.user("ann").session == 2
        assert query(tmp_path / "ledger.sqlite", "SELECT session FROM users") == [(2,)]
