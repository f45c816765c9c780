"""What an operator, a command or a page does with users, keys and balances."""

from __future__ import annotations

import pytest

from kit.accounts import accounts_at, book
from wattline.base.clock import ManualClock
from wattline.base.errors import ClientFault, Fault
from wattline.base.settings import SettingsError
from wattline.engine.spending import Spending
from wattline.service.accounts.accounts import Accounts
from wattline.service.accounts.default_admin import API_KEY, USER_ID, ensure_admin
from wattline.service.accounts.key_facts import energy, key_facts, moment, user_facts
from wattline.store.base import LedgerDown
from wattline.store.sqlite import SqliteLedger
from wattline.wire.call import Budgets, Role

SECRET = "c81f0b7e52a94d63"


async def refused(work, status, code):
    with pytest.raises(Fault) as caught:
        await work
    assert (caught.value.status, caught.value.code) == (status, code)
    return caught.value


async def test_a_new_user_begins_with_the_start_balance(tmp_path):
    """A-120: 10,000 energy unless configured; admins have no limit."""
    async with accounts_at(tmp_path) as (accounts, _):
        john = await accounts.create_user("john")
        nobody = await accounts.create_user()
        boss = await accounts.create_user("boss", role=Role.ADMIN)
        assert accounts.balance(john.id) == accounts.balance(nobody.id) == 10_000_000_000
        assert accounts.balance(boss.id) is None
        assert nobody.id.startswith("usr_")
        assert user_facts(accounts, john)["balance"] == 10_000
    for text, start in (
        ("accounts: {start_balance: 2.5}\n", 2_500_000),
        ("accounts: {start_balance: null}\n", None),
    ):
        folder = tmp_path / str(start)
        async with accounts_at(folder, text) as (accounts, _):
            await accounts.create_user("john")
            assert accounts.balance("john") == start


async def test_what_is_added_and_taken_adds_up(tmp_path):
    """A-025: add and subtract; never below zero."""
    async with accounts_at(tmp_path) as (accounts, _):
        await accounts.create_user("john", start=100)
        assert await accounts.credit("john", 50) == 150
        assert await accounts.subtract("john", 150) == 0
        await refused(accounts.subtract("john", 1), 409, "balance_too_low")
        await refused(accounts.credit("nobody", 1), 404, "user_not_found")
        for amount in (0, -1):
            await refused(accounts.credit("john", amount), 400, "invalid_value")
            await refused(accounts.subtract("john", amount), 400, "invalid_value")
        await refused(accounts.credit("john", 10**18 + 1), 400, "invalid_value")
        await accounts.create_user("boss", role=Role.ADMIN)
        await refused(accounts.subtract("boss", 1), 409, "balance_too_low")
        assert await accounts.credit("boss", 1) == 1


@pytest.mark.parametrize(
    "name",
    ["", " ", "-x", "../x", "a b", "a\x00", "é", "x" * 65, "'; DROP TABLE users; --", "%", "a/b"],
)
async def test_an_id_that_can_not_be_one(tmp_path, name):
    """T22."""
    async with accounts_at(tmp_path) as (accounts, _):
        await refused(accounts.create_user(name), 400, "invalid_value")
        assert list(accounts.store.users()) == []


async def test_callers_of_rules_yaml_keep_their_accounts(tmp_path):
    text = "auth: {mode: keys, keys: {carl: '${CARL}'}}\n"
    async with accounts_at(tmp_path, text, env={"CARL": "of-carl-0123456789"}) as (accounts, _):
        for name in ("carl", "local"):
            await refused(accounts.create_user(name), 409, "user_exists")


async def test_what_is_somebodys(tmp_path):
    async with accounts_at(tmp_path) as (accounts, _):
        await accounts.create_user("ann", email=" Ann@X.test ")
        assert accounts.user("ann").email == "ann@x.test"
        await refused(accounts.create_user("ann"), 409, "user_exists")
        await refused(accounts.create_user("bob", email="ANN@x.test"), 409, "email_exists")
        await refused(accounts.create_user("bob", email="no address"), 400, "invalid_value")
        await accounts.create_key("ann", secret=SECRET)
        await refused(accounts.create_key("ann", secret=SECRET), 409, "key_exists")


async def test_what_does_not_exist(tmp_path):
    async with accounts_at(tmp_path) as (accounts, _):
        for verb in ("rotate_key", "disable_key", "enable_key", "delete_key"):
            await refused(getattr(accounts, verb)("%"), 404, "key_not_found")
        for verb in ("disable_user", "enable_user", "create_key"):
            await refused(getattr(accounts, verb)("nobody"), 404, "user_not_found")


async def test_a_ledger_that_is_down_is_told(tmp_path):
    clock = ManualClock()
    ledger = await SqliteLedger.open_at(tmp_path / "ledger.sqlite", clock)
    rules = book()
    accounts = Accounts(ledger.accounts, ledger, clock, lambda: rules, Spending())
    await accounts.create_user("ann")
    await ledger.close()
    for work in (
        accounts.create_user("bob"),
        accounts.create_key("ann"),
        accounts.credit("ann", 5),
    ):
        fault = await refused(work, 503, "ledger_down")
        assert isinstance(fault.__cause__, LedgerDown)
    assert accounts.store.user("bob") is None


async def test_facts_hold_no_secret_and_no_hash(tmp_path):
    """E-087: keys are masked in answers."""
    async with accounts_at(tmp_path) as (accounts, clock):
        await accounts.create_user("ann", start=1_500_000, password="$argon2id$secret")
        issued = await accounts.create_key(
            "ann", budgets=Budgets(day=2_000_000), models=("a*",), expires=accounts.now_ms() + 1
        )
        facts = key_facts(accounts, issued.key)
        assert facts["key"] == f"{issued.secret[:6]}…{issued.secret[-3:]}"
        assert facts["budgets"] == {"hour": None, "day": 2, "month": None}
        assert (facts["balance"], facts["active"], facts["models"]) == (1.5, True, ["a*"])
        clock.advance(1)
        assert key_facts(accounts, issued.key)["active"] is False
        told = str(facts) + str(user_facts(accounts, accounts.user("ann")))
        for hidden in (issued.secret, issued.key.hash, "argon2id"):
            assert hidden not in told


def test_amounts_and_moments():
    assert [energy(micro) for micro in (None, 0, 1, 15_750_000, -500_000)] == [
        None,
        0,
        1e-06,
        15.75,
        -0.5,
    ]
    assert isinstance(energy(10**12), int)
    assert moment(None) is None
    assert moment(0) == "1970-01-01T00:00:00+00:00"
    assert moment(10**14).startswith("5138-")


async def test_the_admin_of_the_environment(tmp_path):
    """B-064, B-126: what somebody changed since is put right again."""
    async with accounts_at(tmp_path) as (accounts, _):
        await ensure_admin(accounts, {})
        await ensure_admin(accounts, {USER_ID: "boss"})
        assert list(accounts.store.users()) == []
        env = {API_KEY: SECRET}
        await ensure_admin(accounts, env)
        (key,) = accounts.store.keys_of("admin")
        await accounts.disable_key(key.id)
        await accounts.change_user("admin", role=Role.USER, disabled=1)
        await ensure_admin(accounts, env)
        assert accounts.key(key.id) == key
        assert (accounts.user("admin").role, accounts.user("admin").disabled) == (Role.ADMIN, None)
        other = await accounts.create_key("admin")
        await ensure_admin(accounts, {API_KEY: "5d0e9c3b71fa2684"})
        assert key.id not in [one.id for one in accounts.store.all_keys()]
        assert other.key in accounts.store.all_keys()


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({API_KEY: "admin"}, "well-known"),
        ({API_KEY: ""}, "empty"),
        ({API_KEY: SECRET, USER_ID: "a/b"}, "A user's id has"),
        ({API_KEY: SECRET, USER_ID: "local"}, "caller of rules.yaml"),
    ],
)
async def test_an_admin_that_can_not_be(tmp_path, env, told):
    async with accounts_at(tmp_path) as (accounts, _):
        with pytest.raises(SettingsError, match=told):
            await ensure_admin(accounts, env)


async def test_the_admins_key_can_not_be_another_users(tmp_path):
    async with accounts_at(tmp_path) as (accounts, _):
        await accounts.create_user("ann")
        await accounts.create_key("ann", secret=SECRET)
        with pytest.raises(SettingsError, match="another user"):
            await ensure_admin(accounts, {API_KEY: SECRET})


@pytest.mark.parametrize(
    ("text", "tier", "told"),
    [
        ("", None, ["mode: open"]),
        ("auth: {mode: keys}\ntiers: {free: {rpm: 1}}\n", "free", []),
        ("auth: {mode: keys}\n", "free", ["no tier 'free' any more, so it bounds nothing"]),
        ("auth: {mode: keys}\ntiers: {fee: {rpm: 1}}\n", "free", ["no tier 'free' any more"]),
    ],
)
async def test_bounds_without_effect_are_told(tmp_path, text, tier, told):
    async with accounts_at(tmp_path, "tiers: {free: {rpm: 1}}\n") as (accounts, _):
        await accounts.create_user("ann")
        key = (await accounts.create_key("ann", tier=tier)).key
        later = book(text)
        accounts._book = lambda: later
        notes = accounts.notes(key)
        assert len(notes) == len(told)
        assert all(part in note for part, note in zip(told, notes, strict=True))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tiers: {free: {rpm: 1}, gold: {rpm: 2}}\n", "rules.yaml has free, gold"),
        ("", "rules.yaml has none"),
    ],
)
async def test_a_tier_that_is_none_is_refused(tmp_path, text, said):
    """B-061: with the names that there are; a key keeps what it had."""
    async with accounts_at(tmp_path, text) as (accounts, _):
        await accounts.create_user("ann")
        with pytest.raises(ClientFault) as refused:
            await accounts.create_key("ann", tier="fre")
        assert (refused.value.status, refused.value.code) == (400, "unknown_tier")
        assert said in refused.value.message
        assert accounts.store.keys_of("ann") == []
        key = (await accounts.create_key("ann")).key
        with pytest.raises(ClientFault, match="no tier 'fre'"):
            await accounts.change_key(key.id, tier="fre")
        assert (await accounts.change_key(key.id, tier=None)).tier is None


async def test_what_was_done_is_logged_without_secrets(tmp_path, caplog):
    """E-086, T15."""
    caplog.set_level("INFO")
    async with accounts_at(tmp_path) as (accounts, _):
        await accounts.create_user("ann", password="$argon2id$secret", email="a@x.test")
        issued = await accounts.create_key("ann")
        again = await accounts.rotate_key(issued.key.id)
        await accounts.credit("ann", 5)
        await accounts.delete_key(issued.key.id)
    for hidden in (
        issued.secret,
        again.secret,
        issued.key.hash,
        again.key.hash,
        "argon2id",
        "x.test",
    ):
        assert hidden not in caplog.text
    assert caplog.text.count(issued.key.id) == 3


async def test_the_log_says_in_words_what_was_done(tmp_path, caplog):
    caplog.set_level("INFO", "wattline.tokens")
    async with accounts_at(tmp_path) as (accounts, _):
        await accounts.create_user("ann", start=0)
        key = (await accounts.create_key("ann")).key.id
        caplog.clear()
        await accounts.disable_key(key)
        await accounts.enable_key(key)
        await accounts.rotate_key(key)
        await accounts.change_key(key, label="x", models=None)
        await accounts.disable_user("ann")
        await accounts.credit("ann", 5_000_000)
        await accounts.subtract("ann", 1_500_000)
    assert [one.getMessage() for one in caplog.records if one.name == "wattline.tokens"] == [
        f"key {key} was disabled",
        f"key {key} was enabled",
        f"key {key} got another secret",
        f"key {key} was changed: label, models",
        "user ann was disabled",
        "user ann: 5 energy added",
        "user ann: 1.5 energy taken",
    ]
