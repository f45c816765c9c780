"""`/referral`, through real sockets."""

from __future__ import annotations

import asyncio
from collections import Counter

from kit.assistant import assisting, told
from kit.outages import read_only


async def refer(assistant, referrer, referred):
    body = {"referrerId": referrer, "referredId": referred}
    return await assistant.ask("POST", "/referral", body)


async def test_a_referral_gives_both_a_bonus(assistant):
    """A-036, A-037, A-136, A-137."""
    assert (await assistant.get("/referral", "user_123")).json() == {"count": 0}
    made = await refer(assistant, "user_123", "user_456")
    assert made.status == 200
    assert made.json() == {
        "referrer_id": "user_123",
        "referred_id": "user_456",
        "bonus": 5000,
    }
    for user in ("user_123", "user_456"):
        assert (await assistant.token(user))["tokens_gpt"] == 15_000
    assert (await refer(assistant, "user_123", 789)).status == 200
    assert (await assistant.get("/referral", "user_123")).json() == {"count": 2}
    assert (await assistant.get("/referral", "user_456")).json() == {"count": 0}
    assert (await assistant.token("user_123"))["tokens_gpt"] == 20_000


async def test_nobody_refers_itself(assistant):
    """A-136: nor by another way to write its id."""
    for referrer, referred in (("ann", "ann"), (7, "7"), ("7", 7)):
        reply = await refer(assistant, referrer, referred)
        assert told(reply) == (400, "self_referral")
    assert (await assistant.get("/token/has", "ann")).json() == {"hasUser": False}


async def test_each_user_is_referred_once(assistant):
    """Of many at one time one counts, and only that one pays."""
    referrers = [f"user_{number}" for number in range(20)]
    replies = await asyncio.gather(*(refer(assistant, one, "new") for one in referrers))
    assert Counter(reply.status for reply in replies) == {200: 1, 409: 19}
    assert {told(reply)[1] for reply in replies if reply.status == 409} == {"already_referred"}
    assert (await assistant.token("new"))["tokens_gpt"] == 15_000
    balances = Counter([(await assistant.token(one))["tokens_gpt"] for one in referrers])
    assert balances == {10_000: 19, 15_000: 1}
    counts = [(await assistant.get("/referral", one)).json()["count"] for one in referrers]
    assert sum(counts) == 1


async def test_the_bonus_can_be_spent_at_once(assistant):
    """What `/token` says is what a call may cost: both balances are known as of the commit."""
    accounts = assistant.running.sidecar.parts.callers.accounts
    for user in ("ann", "bob"):
        await accounts.create_user(user, start=0)
        assert told(await assistant.say(user))[1] == "insufficient_balance"
    await refer(assistant, "ann", "bob")
    for user in ("ann", "bob"):
        assert accounts.balance(user) == 5_000_000_000
        assert (await assistant.say(user)).status == 200


async def test_who_has_no_limit_gets_none(tmp_path):
    """A credit would limit it."""
    extra = "accounts: {referral_bonus: 0.5}\n"
    async with assisting(tmp_path, extra=extra) as assistant:
        assert (await refer(assistant, "boss", "ann")).json()["bonus"] == 0.5
        assert (await assistant.token("boss"))["tokens_gpt"] is None
        assert (await assistant.token("ann"))["tokens_gpt"] == 10_000.5


async def test_nobody_refers_its_own_referrer(assistant):
    """Two that refer each other would get the bonus twice."""
    assert (await refer(assistant, "ann", "bob")).status == 200
    balance = (await assistant.token("ann"))["tokens_gpt"]
    assert told(await refer(assistant, "bob", "ann")) == (409, "mutual_referral")
    assert (await assistant.token("ann"))["tokens_gpt"] == balance
    assert (await assistant.get("/referral", "bob")).json() == {"count": 0}
    assert (await refer(assistant, "bob", "eve")).status == 200


async def test_at_the_same_time_only_one_refers_the_other(assistant):
    both = (refer(assistant, "ann", "bob"), refer(assistant, "bob", "ann"))
    assert sorted(reply.status for reply in await asyncio.gather(*both)) == [200, 409]


async def test_no_bonus(tmp_path):
    async with assisting(tmp_path, extra="accounts: {referral_bonus: 0}\n") as assistant:
        assert (await refer(assistant, "ann", "bob")).json()["bonus"] == 0
        assert (await assistant.token("ann"))["tokens_gpt"] == 10_000
        assert (await assistant.get("/referral", "ann")).json() == {"count": 1}


async def test_bad_referrals(assistant):
    """A-151."""
    for body, param in [
        ({}, "referrerId"),
        ({"referrerId": "ann"}, "referredId"),
        ({"referredId": "ann"}, "referrerId"),
        ({"referrerId": None, "referredId": "ann"}, "referrerId"),
        ({"referrerId": ["ann"], "referredId": "bob"}, "referrerId"),
        ({"referrerId": "", "referredId": "bob"}, "referrerId"),
        ({"referrerId": "a%", "referredId": "bob"}, "user"),
        ({"referrerId": "ann", "referredId": "x" * 65}, "referredId"),
    ]:
        reply = await assistant.ask("POST", "/referral", body)
        assert told(reply)[0] == 400, body
        assert reply.json()["param"] == param
    assert (await assistant.get("/token/has", "bob")).json() == {"hasUser": False}


async def test_while_the_ledger_is_down(assistant):
    await assistant.token("ann")
    await assistant.token("bob")
    async with read_only(assistant.running.sidecar.ledger):
        assert told(await refer(assistant, "ann", "bob")) == (503, "ledger_down")
    assert (await assistant.get("/referral", "ann")).json() == {"count": 0}
