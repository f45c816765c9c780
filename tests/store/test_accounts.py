"""Users and keys in the ledger's file."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager

import pytest

from kit.ledgers import opened, query
from wattline.base.clock import ManualClock
from wattline.base.ids import hash_secret
from wattline.store.accounts import Taken
from wattline.store.audit import audit
from wattline.store.base import BadRow, InsufficientBalance, LedgerDown
from wattline.store.people import MAX_MODELS, Key, User
from wattline.store.sqlite import SqliteLedger
from wattline.wire.call import Budgets, Role

NOW = 1_700_000_000_000


def user(owner="ann", /, **changes):
    return User(**{"id": owner, "name": owner, "role": Role.USER, "created": NOW, **changes})


def key(name="k1", owner="ann", /, **changes):
    plain = {
        "id": name, "user": owner, "hash": hash_secret(name), "mask": "…", "role": Role.USER, "created": NOW,
    }  # fmt: skip
    return Key(**{**plain, **changes})


@asynccontextmanager
async def ledger_at(folder, **more):
    path = folder / "ledger.sqlite"
    ledger = await SqliteLedger.open_at(path, ManualClock(), **more)
    try:
        yield ledger
    finally:
        await ledger.close()
    assert audit(path).ok, audit(path)


def everybody(ledger):
    store = ledger.accounts
    return {u.id: u for u in store.users()}, store.all_keys()


async def test_what_was_written_is_there_after_a_restart(tmp_path):
    """B-065, E-083: every field of a user and a key."""
    people = [
        user(email="Ann@x.test", password="$argon2id$…", start=10_000),
        user("bob", role=Role.ADMIN, disabled=NOW, name="Bob 🦆"),
    ]
    keys = [
        key(
            tier="gold",
            expires=NOW + 1,
            budgets=Budgets(1, None, 3),
            models=("gpt-*", "é"),
            label="a",
        ),
        key("k2", "bob", role=Role.ADMIN, disabled=NOW, models=()),
    ]
    async with ledger_at(tmp_path) as ledger:
        for one in people:
            await ledger.accounts.create_user(one)
        for one in keys:
            await ledger.accounts.create_key(one)
        before = everybody(ledger)
        assert before == ({one.id: one for one in people}, keys)
        assert ledger.balance("ann") == 10_000
    async with ledger_at(tmp_path) as ledger:
        assert everybody(ledger) == before
        assert ledger.balance("ann") == 10_000
        assert ledger.balance("bob") is None
        assert ledger.accounts.user_by_email("ANN@X.TEST") == people[0]
        assert ledger.accounts.key_by_hash(hash_secret("k2")) == keys[1]


async def test_the_secret_is_nowhere_in_the_file(tmp_path):
    """A-131: only the hash is stored."""
    async with ledger_at(tmp_path) as ledger:
        await ledger.accounts.create_user(user())
        await ledger.accounts.create_key(key(hash=hash_secret("the-very-secret")))
    for file in tmp_path.iterdir():
        assert b"the-very-secret" not in file.read_bytes()


async def test_changes_touch_only_what_they_name(tmp_path):
    async with ledger_at(tmp_path) as ledger:
        store = ledger.accounts
        await store.create_user(user())
        await store.create_key(key())
        both = (
            store.change_key("k1", tier="gold", budgets=Budgets(day=5)),
            store.change_key("k1", disabled=NOW, models=("a",)),
        )
        assert await asyncio.gather(*both) == [True, True]
        wanted = key(tier="gold", budgets=Budgets(day=5), disabled=NOW, models=("a",))
        assert store.key("k1") == wanted
        assert await store.change_user("ann", email="a@x.test") is True
        assert await store.change_user("ann", email="b@x.test") is True
        assert store.user_by_email("a@x.test") is None
        assert await store.change_key("none", tier="x") is False
        assert await store.change_user("none", name="x") is False
    async with ledger_at(tmp_path) as ledger:
        assert ledger.accounts.key("k1") == wanted
        assert ledger.accounts.user("ann") == user(email="b@x.test")


async def test_a_rotated_key_has_another_hash(tmp_path):
    """A-026: the old secret is nobody's."""
    async with ledger_at(tmp_path) as ledger:
        store = ledger.accounts
        await store.create_user(user())
        await store.create_key(key())
        await store.change_key("k1", hash=hash_secret("new"), mask="n")
        assert store.key_by_hash(hash_secret("k1")) is None
        assert store.key_by_hash(hash_secret("new")).id == "k1"


async def test_a_deleted_key_is_gone(tmp_path):
    async with ledger_at(tmp_path) as ledger:
        store = ledger.accounts
        await store.create_user(user())
        await store.create_key(key())
        assert await store.delete_key("k1") is True
        assert await store.delete_key("k1") is False
        assert (store.key("k1"), store.keys_of("ann")) == (None, [])
        assert store.key_by_hash(hash_secret("k1")) is None


@pytest.mark.parametrize("at_once", [True, False], ids=["in the loop", "in the thread"])
async def test_what_is_somebodys_is_refused(tmp_path, at_once):
    async with ledger_at(tmp_path, at_once=at_once) as ledger:
        store = ledger.accounts
        await store.create_user(user(email="a@x.test", start=5))
        await store.create_key(key())
        with pytest.raises(Taken, match=r"users\.id"):
            await store.create_user(user(start=5))
        with pytest.raises(Taken, match=r"users\.email"):
            await store.create_user(user("bob", email="A@x.test"))
        with pytest.raises(Taken, match=r"keys\.hash"):
            await store.create_key(key("k2", hash=hash_secret("k1")))
        with pytest.raises(BadRow, match="no such user"):
            await store.create_key(key("k3", "nobody"))
        assert ledger.balance("ann") == 5
        assert [one.id for one in store.all_keys()] == ["k1"]


@pytest.mark.parametrize(
    "broken",
    [
        user(""),
        user("x" * 201),
        user(name="\ud800"),
        user(start=-1),
        user(start=10**18 + 1),
        user(start=True),
        user(created=-1),
        user(email="x" * 301),
        key(""),
        key(hash="short"),
        key(budgets=Budgets(0)),
        key(budgets=Budgets(day=-5)),
        key(models=("x",) * (MAX_MODELS + 1)),
        key(models=(5,)),
        key(expires=1.5),
        key(label=None),
    ],
    ids=lambda row: repr(row)[:60],
)
async def test_what_can_not_be_kept_is_refused_whole(tmp_path, broken):
    async with ledger_at(tmp_path) as ledger:
        store = ledger.accounts
        if isinstance(broken, Key):
            await store.create_user(user())
        with pytest.raises(BadRow):
            await (store.create_key if isinstance(broken, Key) else store.create_user)(broken)
        assert everybody(ledger)[1] == []


async def test_only_what_may_change_can_be_changed(tmp_path):
    async with ledger_at(tmp_path) as ledger:
        await ledger.accounts.create_user(user())
        await ledger.accounts.create_key(key())
        for name in ("id", "user", "created", "id = 'x' --"):
            with pytest.raises(BadRow, match="can't be changed"):
                await ledger.accounts.change_key("k1", **{name: "x"})
        with pytest.raises(BadRow, match="can't be changed"):
            await ledger.accounts.change_user("ann", start=99)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM users",
        "UPDATE users SET id = 'eve'",
        "UPDATE users SET start = 0",
        "UPDATE keys SET user = 'eve'",
        "UPDATE keys SET id = 'x'",
        "INSERT INTO keys (id, user, hash, mask, role, created, label) SELECT 'x', 'nobody', hash, '', role, 1, '' FROM keys",
        "UPDATE keys SET role = 'root'",
        "UPDATE attempts SET key = 'other'",
    ],
)
async def test_the_file_itself_refuses(tmp_path, statement):
    """Whatever program tries."""
    async with ledger_at(tmp_path) as ledger:
        await ledger.accounts.create_user(user())
        await ledger.accounts.create_key(key())
        await ledger.open(opened("a", key="k1"))
        other = sqlite3.connect(tmp_path / "ledger.sqlite")
        with pytest.raises(sqlite3.IntegrityError):
            other.execute(statement)
        other.close()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP TRIGGER entries_kept; DELETE FROM entries WHERE seq = 1", "user ann began with 5"),
        ("DROP TRIGGER users_kept; DELETE FROM users", "key k1 belongs to ann, who does not exist"),
    ],
)
async def test_audit_sees_people_that_do_not_add_up(tmp_path, statement, told):
    """I6."""
    async with ledger_at(tmp_path) as ledger:
        await ledger.accounts.create_user(user(start=5))
        await ledger.accounts.create_key(key())
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    connection.executescript(statement)
    connection.close()
    assert any(told in line for line in audit(tmp_path / "ledger.sqlite").differences)


async def test_nothing_is_taken_beyond_the_free_balance(tmp_path):
    """A-025, I5: what is on hold can't be taken, and of two at once only one can have the rest."""
    async with ledger_at(tmp_path) as ledger:
        store = ledger.accounts
        await store.create_user(user(start=100))
        await ledger.open(opened("a", principal="ann", hold=30))
        assert await store.take("ann", 71, "x", NOW) is False
        assert sorted(await asyncio.gather(*(store.take("ann", 40, "x", NOW) for _ in range(3)))) == [
            False, False, True,
        ]  # fmt: skip
        assert ledger.balance("ann") == 30
        with pytest.raises(InsufficientBalance):
            await ledger.open(opened("b", principal="ann", hold=31))
        assert await store.take("free", 1, "x", NOW) is False
        for amount in (0, -5):
            with pytest.raises(BadRow):
                await store.take("ann", amount, "x", NOW)


async def test_a_verb_counts_though_its_caller_left(tmp_path):
    """What was committed is known here, or a disabled key would go on."""
    async with ledger_at(tmp_path, at_once=False) as ledger:
        store, told = ledger.accounts, []
        await store.create_user(user())
        await store.create_key(key())
        store.changed = told.append
        leaving = asyncio.ensure_future(store.change_key("k1", disabled=NOW))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await store.change_user("ann", name="later")
        assert store.key("k1").disabled == NOW
        assert told == ["ann", "ann"]
    assert query(tmp_path / "ledger.sqlite", "SELECT disabled FROM keys") == [(NOW,)]


@pytest.mark.parametrize("point", ["before_begin", "mid_batch", "before_commit"])
async def test_what_was_not_committed_did_not_happen(tmp_path, point):
    """A verb is whole or not there: a user without its start balance is never seen."""
    armed = []

    def crash_at(where):
        if armed and where == point:
            raise sqlite3.OperationalError("disk I/O error")

    async with ledger_at(tmp_path, crash_at=crash_at) as ledger:
        store = ledger.accounts
        await store.create_user(user())
        await store.create_key(key())
        before = everybody(ledger)
        for verb in (
            lambda: store.create_user(user("bob", start=5)),
            lambda: store.change_key("k1", hash=hash_secret("new")),
            lambda: store.delete_key("k1"),
        ):
            armed.append(1)
            ledger._groups._outage.end()  # each in an outage of its own
            with pytest.raises(LedgerDown):
                await verb()
            armed.clear()
            assert everybody(ledger) == before
            assert ledger.balance("bob") is None
        ledger._groups._outage.end()
    async with ledger_at(tmp_path) as ledger:
        assert everybody(ledger) == before


async def test_a_user_and_its_key_are_one_row(tmp_path):
    """Both or neither; the start balance too."""
    both = (user(start=500, email="a@x.test", tier="gold"), key(tier="x", budgets=Budgets(1, 2, 3)))
    async with ledger_at(tmp_path) as ledger:
        await ledger.accounts.create_user_with_key(*both)
        refused = [
            (user("bob", start=1), key("k1", "bob"), Taken),  # the key's id
            (user("bob", start=1), key("k2", "bob", hash=hash_secret("k1")), Taken),
            (user("bob", email="A@X.test"), key("k2", "bob"), Taken),
            (user(start=1), key("k2"), Taken),
            (user("bob", start=1), key("k2", "ann"), BadRow),
            (user("bob", start=-1), key("k2", "bob"), BadRow),
            (user("bob", start=1), key("k2", "bob", label="x" * 10_000), BadRow),
        ]
        for someone, its, error in refused:
            with pytest.raises(error):
                await ledger.accounts.create_user_with_key(someone, its)
            assert everybody(ledger) == ({"ann": both[0]}, [both[1]])
        assert (ledger.balance("ann"), ledger.balance("bob")) == (500, None)
    async with ledger_at(tmp_path) as ledger:
        assert everybody(ledger) == ({"ann": both[0]}, [both[1]])
