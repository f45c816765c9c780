"""Rows of other gateways into the ledger, as the command line sends them."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.accounts import accounts_at
from kit.outages import read_only
from wattline.base.ids import hash_secret
from wattline.service.accounts.control import Control
from wattline.service.importing.imports import Imports

KEY, OTHER = "5c4b810d2772c0377beb1d13aeca4abc", "dbec5c79410210f5f3fedaf4cdfba8b4"
RULES = 'auth: {mode: keys, keys: {alice: "${ALICE}"}}\ntiers: {free: {rpm: 1}}\n'


@pytest.fixture
async def desk(tmp_path):
    async with accounts_at(tmp_path, RULES, env={"ALICE": "key-of-alice-0123456789"}) as (one, _):
        rules = one._book()
        ledger = one._ledger
        yield Control(one, Imports(one, ledger.dialogs, ledger.referrals, lambda: rules)), one


async def ask(control: Control, what: object, *rows: object, dry: object = False):
    question = {"verb": "import", "what": what, "rows": list(rows), "dry": dry}
    answer = json.loads(await control.handle(json.dumps(question).encode()))
    return answer["result"]["outcomes"] if answer["ok"] else answer["error"]


def person(user: str = "ann", *keys: str, **more: object) -> dict[str, object]:
    return {"user": user, "keys": [{"secret": key} for key in keys], "start": 5} | more


async def done(control: Control, what: str, *rows: object, dry: bool = False) -> list[str]:
    return [one["done"] for one in await ask(control, what, *rows, dry=dry)]


async def test_people(desk):
    """A dry run says the same and changes nothing; a second run finds it all."""
    control, accounts = desk
    rows = [person("ann", KEY), person("bob"), person("a b", OTHER), person("alice", OTHER)]
    rows += [person("local"), person("x" * 65)]
    said = ["made", "made", "refused", "refused", "refused", "refused"]
    assert await done(control, "people", *rows, dry=True) == said
    assert list(accounts.store.users()) == []
    assert await done(control, "people", *rows) == said
    again = ["there", "there", *said[2:]]
    assert await done(control, "people", *rows) == again
    assert accounts.balance("ann") == 5
    assert accounts.store.key_by_hash(hash_secret(KEY)).user == "ann"


async def test_keys_that_are_somebodys(desk):
    control, accounts = desk
    await ask(control, "people", person("ann", KEY))
    (told,) = await ask(control, "people", person("bob", KEY, OTHER))
    assert told["done"] == "made"
    assert told["left"] == ["user made, key not taken: its key is somebody else's here"]
    (told,) = await ask(control, "people", person("eve", "key-of-alice-0123456789"))
    assert "somebody else's" in told["left"][0]
    (told,) = await ask(control, "people", person("bob", OTHER, KEY))
    assert told == {
        "done": "there",
        "told": [],
        "left": ["key not taken: its key is somebody else's here"],
    }
    (told,) = await ask(control, "people", person("bob", KEY))
    assert told["done"] == "refused"
    assert sorted(key.user for key in accounts.store.all_keys()) == ["ann", "bob"]


async def test_a_balance_is_no_other_the_second_time(desk):
    control, accounts = desk
    await ask(control, "people", person("ann", KEY))
    (told,) = await ask(control, "people", person("ann", KEY, start=99))
    assert told == {
        "done": "there",
        "told": ["the user is here already: its balance stays as it is"],
        "left": [],
    }
    assert accounts.balance("ann") == 5


async def test_tiers_and_admins(desk):
    control, accounts = desk
    tiered = {"user": "t", "keys": [{"secret": KEY, "tier": "none"}], "start": None}
    (told,) = await ask(control, "people", tiered)
    assert told["done"] == "made"
    assert told["left"][0].startswith("user made, key not taken: There is no tier 'none'")
    assert accounts.balance("t") is None
    (told,) = await ask(control, "people", person("t", OTHER, admin=True))
    assert told["done"] == "refused"
    assert await done(control, "people", person("root", OTHER, admin=True, start=None)) == ["made"]


async def test_what_belongs_to_users(desk):
    """By their ids or by their keys; without them nothing."""
    control, accounts = desk
    dialog = {"user": "ann", "messages": [["user", "hi"], ["assistant", "ho"]]}
    system = {"user": KEY, "content": "be brief"}
    referral = {"referrer": "ann", "referred": "bob"}
    for what, row in (("dialogs", dialog), ("systems", system), ("referrals", referral)):
        assert await done(control, what, row) == ["refused"]
        assert await done(control, what, {**row, "coming": True}, dry=True) == ["made"]
    await ask(control, "people", person("ann", KEY), person("bob"))
    for what, row in (("dialogs", dialog), ("systems", system), ("referrals", referral)):
        assert await done(control, what, row, dry=True) == ["made"]
        assert await done(control, what, row) == ["made"]
        assert await done(control, what, row) == ["there"]
    kept = accounts._ledger.dialogs.read("ann")
    assert [message.content for message in kept.messages] == ["hi", "ho"]
    assert kept.system == "be brief"
    assert await done(control, "systems", {**system, "content": "other"}) == ["refused"]
    assert await done(control, "referrals", {"referrer": "bob", "referred": "bob"}) == ["refused"]
    await ask(control, "people", person("eve"))
    assert await done(control, "referrals", {"referrer": "eve", "referred": "bob"}) == ["refused"]
    assert accounts.balance("ann") == 5  # no bonus: it is in the balance


async def test_while_the_ledger_is_down(desk):
    control, accounts = desk
    async with read_only(accounts._ledger):
        error = await ask(control, "people", person("ann", KEY))
    assert error["status"] == 503
    assert KEY not in str(error)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["user", "keys", "secret", "start", "messages", "content", "coming", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(["people", "systems", "dialogs", "referrals", "x", None, 5]), ANYTHING)
async def test_whatever_is_asked(desk, what, rows):
    control, _ = desk
    question = {"verb": "import", "what": what, "rows": rows, "dry": True}
    answer = json.loads(await control.handle(json.dumps(question).encode()))
    assert answer["ok"] or answer["error"]["status"] == 400
