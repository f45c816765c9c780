"""`/token`, through real sockets."""

from __future__ import annotations

import asyncio
import re
import sqlite3

from kit.assistant import ADMIN, MASTER, assisting, told
from kit.outages import read_only

KEY = re.compile(r"[0-9a-f]{32}")
ID = re.compile(r"key_[0-9a-f]{16}")


async def test_a_new_user_gets_a_token_and_the_start_balance(assistant):
    """A-023, A-024, A-120, A-131, A-133, A-137."""
    assert (await assistant.get("/token/has", "user_123")).json() == {"hasUser": False}
    made = await assistant.token("user_123")
    assert list(made) == ["id", "user_id", "tokens_gpt"]
    assert KEY.fullmatch(made["id"])
    assert (made["user_id"], made["tokens_gpt"]) == ("user_123", 10_000)
    assert (await assistant.get("/token/has", "user_123")).json() == {"hasUser": True}
    assert (await assistant.chat(made["id"])).status == 200
    after = await assistant.token("user_123")
    assert after["id"] == made["id"]
    assert 0 < after["tokens_gpt"] < 10_000


async def test_what_a_token_goes_through(assistant):
    """A-132: asked for, made, found by its user and by itself, changed, renewed, without balance; and who may."""
    assert (
        await assistant.get("/token/has", "ann", master="no-master-token-of-ours")
    ).status == 401
    assert (
        await assistant.ask("GET", "/token/has", master=None, bearer=ADMIN, userId="ann")
    ).json() == {"hasUser": False}
    old = (await assistant.token("ann"))["id"]
    assert (await assistant.get("/token/has", "ann")).json() == {"hasUser": True}
    assert (await assistant.chat(old)).status == 200
    left = (await assistant.token("ann"))["tokens_gpt"]
    body = {"operation": "subtract", "amount": left}
    assert (await assistant.ask("PUT", "/token", body, userId="ann")).status == 200
    assert (await assistant.chat(old)).status == 429
    new = (await assistant.ask("POST", "/token", userId="ann")).json()["id"]
    assert new != old
    assert (await assistant.chat(old)).status == 401
    body = {"operation": "add", "amount": 5000}
    assert (await assistant.ask("PUT", "/token", body, userId="ann")).status == 200
    assert (await assistant.chat(new)).status == 200


async def test_the_token_is_not_in_the_file(assistant):
    """It is derived again from the master token that the asker shows: nobody else gets it."""
    token = (await assistant.token("ann"))["id"]
    shown = await assistant.token("ann", master=None, bearer=ADMIN)
    assert ID.fullmatch(shown["id"])
    assert (await assistant.chat(shown["id"])).status == 401
    assert (await assistant.token("ann"))["id"] == token
    for file in assistant.running.state.rglob("*"):
        if file.is_file():
            assert token.encode() not in file.read_bytes()


async def test_an_admins_key_is_shown_a_token_once(assistant):
    """What was not made for the master token is drawn, shown once, and by its id afterwards."""
    as_admin = {"master": None, "bearer": ADMIN}
    made = await assistant.token("ann", **as_admin)
    assert KEY.fullmatch(made["id"])
    assert (await assistant.chat(made["id"])).status == 200
    for credential in (as_admin, {}):
        assert ID.fullmatch((await assistant.token("ann", **credential))["id"])
    renewed = (await assistant.ask("POST", "/token", userId="ann")).json()["id"]
    assert (await assistant.token("ann"))["id"] == renewed


async def test_another_master_token_shows_no_old_token(tmp_path):
    async with assisting(tmp_path) as assistant:
        old = (await assistant.token("ann"))["id"]
    other = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
    async with assisting(tmp_path, env={"ADMIN_FIRST": other}) as assistant:
        assert ID.fullmatch((await assistant.token("ann", master=other))["id"])
        assert (await assistant.chat(old)).status == 200
        reply = await assistant.ask("POST", "/token", master=other, userId="ann")
        assert KEY.fullmatch(reply.json()["id"])
        assert (await assistant.chat(old)).status == 401


async def test_a_token_outlives_a_restart(tmp_path):
    async with assisting(tmp_path) as assistant:
        token = await assistant.token("ann")
    async with assisting(tmp_path) as assistant:
        assert await assistant.token("ann") == token
        assert (await assistant.chat(token["id"])).status == 200


async def test_a_key_of_the_command_line_is_the_users_token(assistant):
    """A-135: one user, one token, whoever made it. Its bounds stay."""
    accounts = assistant.running.sidecar.parts.callers.accounts
    await accounts.create_user("john", start=5_000_000_000)
    issued = await accounts.create_key("john", models=("m",))
    assert (await assistant.token("john")) == {
        "id": issued.key.id,
        "user_id": "john",
        "tokens_gpt": 5000,
    }
    renewed = (await assistant.ask("POST", "/token", userId="john")).json()["id"]
    assert (await assistant.chat(issued.secret)).status == 401
    assert (await assistant.chat(renewed)).status == 200
    assert [key.models for key in accounts.store.keys_of("john")] == [("m",)]


async def test_add_and_subtract(assistant):
    """A-025: exact, and never below what is free."""
    await assistant.token("ann")
    steps = [
        ("add", 1000, 200, 11_000),
        ("subtract", 2500, 200, 8500),
        ("add", 0.1, 200, 8500.1),
        ("add", 0.2, 200, 8500.3),
        ("subtract", 0.3, 200, 8500),
        ("add", "0.000001", 200, 8500.000001),
        ("subtract", 8500.000002, 409, 8500.000001),
        ("subtract", 8500.000001, 200, 0),
        ("subtract", 1, 409, 0),
    ]
    for operation, amount, status, left in steps:
        body = {"operation": operation, "amount": amount}
        reply = await assistant.ask("PUT", "/token", body, userId="ann")
        assert reply.status == status, (body, reply.body)
        if status == 200:
            assert reply.json()["tokens_gpt"] == left
        else:
            assert reply.json()["param"] == "amount"
        assert (await assistant.token("ann"))["tokens_gpt"] == left


async def test_large_balances_are_exact(assistant):
    body = {"operation": "add", "amount": "999999999999.123457"}
    reply = await assistant.ask("PUT", "/token", body, userId="ann")
    assert b'"tokens_gpt":1000000009999.123457' in reply.body.replace(b" ", b"")


async def test_put_makes_the_user(assistant):
    """A-133: whoever asks for a user's token finds one."""
    reply = await assistant.ask("PUT", "/token", {"operation": "add", "amount": 5}, userId="new")
    assert reply.json()["tokens_gpt"] == 10_005
    assert KEY.fullmatch(reply.json()["id"])


BAD_CHANGES = [
    ({}, "operation"),
    ({"operation": "add"}, "amount"),
    ({"amount": 1}, "operation"),
    ({"operation": "multiply", "amount": 1}, "operation"),
    ({"operation": ["add"], "amount": 1}, "operation"),
    ({"operation": None, "amount": 1}, "operation"),
    *(
        ({"operation": "add", "amount": bad}, "amount")
        for bad in (0, -1, -0.5, True, None, [], {}, "", "x", "1e3", "-1", 1e300, 10**20, 1e-7)
    ),
]
NO_BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"operation":"add","operation":"add","amount":1}',
    b'{"operation":"add","amount":NaN}',
    b"\xff\xfe{}",
    b"[" * 5000,
    b'{"x":' * 50 + b"1" + b"}" * 50,
]


async def test_changes_that_are_none(assistant):
    """A-151: named, and nothing is made or changed."""
    for body, param in BAD_CHANGES:
        reply = await assistant.ask("PUT", "/token", body, userId="ann")
        assert told(reply)[0] == 400, body
        assert reply.json()["param"] == param
    for body in NO_BODIES:
        assert told(await assistant.ask("PUT", "/token", body, userId="ann"))[0] == 400, body
    assert (await assistant.get("/token/has", "ann")).json() == {"hasUser": False}


ODD = [
    "",
    " ",
    "%",
    "a%",
    "_",
    "a b",
    "a/b",
    "../x",
    "ann\n",
    "é",
    "Аня",
    "a" * 65,
    "'; --",
    "-x",
    "\x00",
]


async def test_odd_ids_of_users(assistant):
    """T22, wildcards included: an id has one form, and means itself."""
    pages = [("GET", "/token"), ("GET", "/token/has"), ("POST", "/token"), ("GET", "/dialog"),
             ("DELETE", "/dialog"), ("GET", "/referral"), ("GET", "/system-message")]  # fmt: skip
    for method, path in pages:
        for user in ODD:
            reply = await assistant.ask(method, path, userId=user)
            assert told(reply)[0] == 400, (method, path, user)
    assert [user.id for user in assistant.running.sidecar.parts.callers.accounts.store.users()] == [
        "boss"
    ]


async def test_ids_mean_themselves(assistant):
    """`_` is no wildcard, case counts."""
    await assistant.token("user_1")
    for other in ("userx1", "User_1", "user_", "user_11"):
        assert (await assistant.get("/token/has", other)).json() == {"hasUser": False}


async def test_an_id_that_is_missing_or_given_twice(assistant):
    for query in ("", "userId=ann&userId=bob", "userid=ann"):
        more = f"{query}&" if query else ""
        reply = await assistant.ask("GET", "/token", raw_query=f"{more}masterToken={MASTER}")
        assert told(reply)[0] == 400


async def test_a_caller_of_the_rules_is_no_user(tmp_path):
    """A user of that name would share its account."""
    async with assisting(tmp_path, env={"TOM": "key-of-tom-0123456789"}) as assistant:
        rules = assistant.running.rules
        text = rules.read_text().replace("mode: keys", 'mode: keys, keys: {tom: "${TOM}"}')
        rules.write_text(text)
        await assistant.running.sidecar.books.fresh()
        for user in ("tom", "local"):
            assert told(await assistant.get("/token", user)) == (409, "user_exists")


async def test_a_hundred_at_once_make_one(assistant):
    """A new user's first requests, side by side: one account, one key, one credit."""
    replies = await asyncio.gather(*(assistant.token("ann") for _ in range(100)))
    assert len({reply["id"] for reply in replies}) == 1
    assert {reply["tokens_gpt"] for reply in replies} == {10_000}
    assert len(assistant.running.sidecar.parts.callers.accounts.store.keys_of("ann")) == 1


async def test_a_hundred_admins_at_once_are_shown_one_key_once(assistant):
    as_admin = {"master": None, "bearer": ADMIN}
    replies = await asyncio.gather(*(assistant.token("ann", **as_admin) for _ in range(100)))
    shown = [reply["id"] for reply in replies if KEY.fullmatch(reply["id"])]
    assert len(shown) == 1
    assert (await assistant.chat(shown[0])).status == 200


async def test_renewals_at_once_leave_one_token(assistant):
    """A-026: of many new tokens the last one counts, everywhere at once."""
    old = (await assistant.token("ann"))["id"]
    asked = (assistant.ask("POST", "/token", userId="ann") for _ in range(50))
    made = [reply.json()["id"] for reply in await asyncio.gather(*asked)]
    assert len(set(made)) == 50
    current = (await assistant.token("ann"))["id"]
    statuses = {key: (await assistant.chat(key)).status for key in (*made, old)}
    assert [key for key, status in statuses.items() if status == 200] == [current]
    assert set(statuses.values()) == {200, 401}


async def test_calls_and_renewals_at_once(assistant):
    """A call goes through or is refused; nothing in between, and every one that went through is paid."""
    token = (await assistant.token("ann"))["id"]
    calls = [asyncio.ensure_future(assistant.chat(token)) for _ in range(20)]
    renewed = await assistant.ask("POST", "/token", userId="ann")
    statuses = [(await one).status for one in calls]
    assert set(statuses) <= {200, 401}
    assert (await assistant.chat(token)).status == 401
    assert (await assistant.chat(renewed.json()["id"])).status == 200


async def test_changes_at_once_add_up(assistant):
    """A-185."""
    await assistant.token("ann")
    add, take = {"operation": "add", "amount": 7}, {"operation": "subtract", "amount": 300}
    asked = [
        assistant.ask("PUT", "/token", body, userId="ann")
        for body in (add, take)
        for _ in range(50)
    ]
    replies = await asyncio.gather(*asked)
    taken = sum(reply.status == 200 for reply in replies[50:])
    assert {reply.status for reply in replies[:50]} == {200}
    assert {reply.status for reply in replies[50:]} <= {200, 409}
    assert (await assistant.token("ann"))["tokens_gpt"] == 10_350 - 300 * taken >= 0


async def test_while_the_ledger_is_down_nothing_changes(assistant):
    """503, and afterwards all is as it was."""
    before = await assistant.token("ann")
    async with read_only(assistant.running.sidecar.ledger):
        body = {"operation": "add", "amount": 1}
        for method, user, sent in (("GET", "new", b""), ("PUT", "ann", body), ("POST", "ann", b"")):
            reply = await assistant.ask(method, "/token", sent, userId=user)
            assert told(reply) == (503, "ledger_down")
        assert (await assistant.token("ann")) == before
    connection = sqlite3.connect(assistant.running.state / "ledger.sqlite")
    try:
        assert connection.execute("SELECT count(*) FROM users WHERE id = 'new'").fetchone() == (0,)
    finally:
        connection.close()


async def test_an_admins_user_has_no_limit(assistant):
    """`tokens_gpt` is null, and no key of an admin is renewed by its user's name."""
    told_ = await assistant.token("boss")
    assert told_["tokens_gpt"] is None
    await assistant.ask("POST", "/token", userId="boss")
    assert (await assistant.get("/token", "ann", master=None, bearer=ADMIN)).status == 200
