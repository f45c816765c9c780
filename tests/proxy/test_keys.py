"""Keys made at run time, through the whole sidecar: who may call, what, and how much."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter

import pytest

from kit.books import check_books, rows
from kit.clients import H1Client
from kit.sidecars import running
from wattline.base.settings import SettingsError
from wattline.wire.call import Budgets, Role

BODY = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
KEYED = "auth: {mode: keys}\n"
ENOUGH = 10**9


def ask(sidecar, secret, body=BODY, **more):
    return sidecar.call(body, headers=[("authorization", f"Bearer {secret}")], **more)


async def issue(sidecar, user="ann", *, start=None, **bounds):
    accounts = sidecar.sidecar.parts.callers.accounts
    if accounts.store.user(user) is None:
        await accounts.create_user(user, start=start)
    return await accounts.create_key(user, **bounds)


async def test_only_a_known_key_may_call(tmp_path):
    """B-060, B-065: rows name the user, whose account it is, and the key."""
    async with running(tmp_path, 1, extra=KEYED) as sidecar:
        issued = await issue(sidecar)
        assert (await ask(sidecar, issued.secret)).status == 200
        for wrong in ("0" * 32, issued.key.id, issued.key.hash, "ann", issued.secret[:31]):
            reply = await ask(sidecar, wrong)
            assert (reply.status, reply.json()["error"]["code"]) == (401, "invalid_api_key")
        assert (await sidecar.call(BODY)).status == 401
    (row,) = rows(sidecar.state)
    assert (row["principal"], row["key"]) == ("ann", issued.key.id)
    check_books(sidecar)


@pytest.mark.parametrize("verb", ["rotate_key", "disable_key", "delete_key"])
async def test_a_key_that_was_taken_back_is_refused_on_the_next_call(tmp_path, verb):
    """A-026."""
    async with running(tmp_path, 1, extra=KEYED) as sidecar:
        accounts, issued = sidecar.sidecar.parts.callers.accounts, await issue(sidecar)
        assert (await ask(sidecar, issued.secret)).status == 200
        changed = await getattr(accounts, verb)(issued.key.id)
        assert (await ask(sidecar, issued.secret)).status == 401
        if verb == "rotate_key":
            assert (await ask(sidecar, changed.secret)).status == 200
        if verb == "disable_key":
            await accounts.enable_key(issued.key.id)
            assert (await ask(sidecar, issued.secret)).status == 200
    check_books(sidecar)


async def tunnel(sidecar, secret):
    """A connection to a provider's host that showed its key at its CONNECT."""
    reader, writer = await asyncio.open_connection(*sidecar.address)
    head = "CONNECT api.openai.com:443 HTTP/1.1\r\nhost: api.openai.com:443\r\n"
    writer.write(f"{head}proxy-authorization: Bearer {secret}\r\n\r\n".encode())
    assert b" 200 " in (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n", 1)[0]
    context = ssl.create_default_context(cafile=str(sidecar.ca))
    await writer.start_tls(context, server_hostname="api.openai.com")
    return H1Client(reader, writer)


async def test_a_tunnel_does_not_outlive_its_key(tmp_path):
    """A connection that was let in asks again for each call."""
    data = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
    headers = [("host", "api.openai.com"), ("content-type", "application/json")]
    async with running(tmp_path, 1, extra=KEYED) as sidecar:
        issued = await issue(sidecar)
        client = await tunnel(sidecar, issued.secret)
        statuses = []
        for turn in range(3):
            if turn == 2:
                await sidecar.sidecar.parts.callers.accounts.rotate_key(issued.key.id)
            await client.send("POST", "/v1/chat/completions", headers, data)
            async for _ in client.pieces():
                pass
            statuses.append(client.reply.status)
        assert statuses == [200, 200, 401]
        client.writer.close()
    check_books(sidecar)


async def test_an_expired_key_is_refused(tmp_path):
    async with running(tmp_path, 1, extra=KEYED) as sidecar:
        accounts = sidecar.sidecar.parts.callers.accounts
        issued = await issue(sidecar, expires=accounts.now_ms() + 3_600_000)
        assert (await ask(sidecar, issued.secret)).status == 200
        await accounts.change_key(issued.key.id, expires=accounts.now_ms())
        assert (await ask(sidecar, issued.secret)).status == 401
    check_books(sidecar)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/chat/completions", BODY, lambda told: told["error"]["code"]),
        ("/v1/messages", BODY, lambda told: told["error"]["type"]),
        ("/api/chat", BODY, lambda told: told["error"]),
        ("/v1/embeddings", {"model": "m", "input": "hi"}, lambda told: told["error"]["code"]),
    ],
)
async def test_a_model_that_the_key_is_not_for(tmp_path, path, body, code):
    """403 in the client's dialect, which names the model; nothing is sent or booked."""
    async with running(tmp_path, 2, extra=KEYED) as sidecar:
        issued = await issue(sidecar, models=("m0", "gpt-*"))
        reply = await ask(sidecar, issued.secret, body, path=path)
        assert reply.status == 403
        assert "'m'" in reply.body.decode()
        assert code(reply.json())
        assert (await ask(sidecar, issued.secret, {**BODY, "model": "m0"})).status == 200
        assert (await ask(sidecar, issued.secret, {**BODY, "model": "p1/m0"})).status == 403
        assert [one.journal.count for one in sidecar.upstreams] == [1, 0]
    check_books(sidecar)


async def test_a_budget_refuses_with_a_time_and_survives_a_restart(tmp_path):
    """E-083: energy of an hour, of settled calls and of those under way."""
    async with running(tmp_path, 1, extra=KEYED) as sidecar:
        free = await issue(sidecar, "bob")
        assert (await ask(sidecar, free.secret)).status == 200
        (row,) = rows(sidecar.state)
        hold, cost = row["hold"], row["energy"]
        issued = await issue(sidecar, budgets=Budgets(hour=hold + cost, day=ENOUGH))
        assert (await ask(sidecar, issued.secret)).status == 200
        assert sidecar.sidecar.parts.callers.accounts.spent(issued.key.id).hour == cost
        both = await asyncio.gather(*(ask(sidecar, issued.secret) for _ in range(2)))
        assert Counter(reply.status for reply in both) == {200: 1, 429: 1}
        reply = await ask(sidecar, issued.secret)
        assert (reply.status, reply.json()["error"]["code"]) == (429, "budget_exceeded")
        assert 3_500 <= int(reply.headers["retry-after"]) <= 3_660
        assert (await ask(sidecar, free.secret)).status == 200
    check_books(sidecar)
    before = len(rows(sidecar.state))
    async with running(tmp_path, 1, extra=KEYED) as sidecar:
        assert sidecar.sidecar.parts.callers.accounts.spent(issued.key.id).day == 2 * cost
        reply = await ask(sidecar, issued.secret)
        assert (reply.status, reply.json()["error"]["code"]) == (429, "budget_exceeded")
        await sidecar.sidecar.parts.callers.accounts.change_key(
            issued.key.id, budgets=Budgets(hour=ENOUGH)
        )
        assert (await ask(sidecar, issued.secret)).status == 200
    check_books(sidecar, before)


async def test_a_failed_call_spends_no_budget(tmp_path):
    async with running(tmp_path, 1, extra=KEYED) as sidecar:
        issued = await issue(sidecar)
        sidecar.upstreams[0].always("500")
        assert (await ask(sidecar, issued.secret)).status == 500
        async with asyncio.timeout(30):
            while sidecar.sidecar.parts.callers.accounts.spent(issued.key.id) != (0, 0, 0):
                await asyncio.sleep(0.01)
    check_books(sidecar)


TIERS = """
auth: {mode: keys}
tiers:
  free: {rpm: 3, rpd: 100}
  small: {tpm: 10}
  gold: {rps: 1000}
"""


async def test_the_windows_of_a_tier(tmp_path):
    """B-061, decision 10: each user of the tier has its own, however many keys it has."""
    async with running(tmp_path, 1, extra=TIERS) as sidecar:
        ann = [await issue(sidecar, tier="free") for _ in range(2)]
        bob = await issue(sidecar, "bob", tier="free")
        gold = await issue(sidecar, "eve", tier="gold")
        small = await issue(sidecar, "sam", tier="small")
        replies = [await ask(sidecar, one.secret) for one in (*ann, *ann)]
        assert [reply.status for reply in replies] == [200, 200, 200, 429]
        refused = replies[-1]
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert "free per minute" in refused.json()["error"]["message"]
        assert 50 <= int(refused.headers["retry-after"]) <= 60
        assert (await ask(sidecar, bob.secret)).status == 200
        assert {(await ask(sidecar, gold.secret)).status for _ in range(5)} == {200}
        assert [(await ask(sidecar, small.secret)).status for _ in range(2)][-1] == 429
    check_books(sidecar)
    before = len(rows(sidecar.state))
    async with running(tmp_path, 1, extra=TIERS) as sidecar:
        assert (await ask(sidecar, ann[1].secret)).status == 429
        assert (await ask(sidecar, bob.secret)).status == 200
        await sidecar.sidecar.parts.callers.accounts.change_key(ann[0].key.id, tier="gold")
        assert (await ask(sidecar, ann[0].secret)).status == 200
    check_books(sidecar, before)


async def test_a_failed_call_takes_no_tokens_of_a_window(tmp_path):
    """That it was made counts, what it would have used does not."""
    tiers = "auth: {mode: keys}\ntiers:\n  small: {rpm: 3, tpm: 10}\n"
    async with running(tmp_path, 1, extra=tiers) as sidecar:
        issued = await issue(sidecar, tier="small")
        sidecar.upstreams[0].script(["500"])
        statuses = [(await ask(sidecar, issued.secret)).status for _ in range(3)]
        assert statuses == [500, 200, 429]
    check_books(sidecar)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_of_50_concurrent_calls_a_balance_for_3_admits_3(tmp_path, stream):
    """A-134, A-153, T28: with a key of the directory."""
    body = {**BODY, "stream": stream}
    async with running(tmp_path, 1, extra=KEYED) as sidecar:
        upstream, accounts = sidecar.upstreams[0], sidecar.sidecar.parts.callers.accounts
        free = await issue(sidecar, "bob")
        assert (await ask(sidecar, free.secret, body)).status == 200
        hold, cost = (rows(sidecar.state)[-1][name] for name in ("hold", "energy"))
        issued = await issue(sidecar, start=3 * hold + hold // 2)
        upstream.always("stall_head")
        asked = [asyncio.ensure_future(ask(sidecar, issued.secret, body)) for _ in range(50)]
        async with asyncio.timeout(20):
            while sum(task.done() for task in asked) < 47:
                waiting = [task for task in asked if not task.done()]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await upstream.journal.wait_for(lambda entry: entry.stalled, count=3)
        upstream.release()
        replies = await asyncio.gather(*asked)
        assert Counter(reply.status for reply in replies) == {200: 3, 429: 47}
        codes = {r.json()["error"]["code"] for r in replies if r.status == 429}
        assert codes == {"insufficient_balance"}
        assert accounts.balance("ann") == 3 * hold + hold // 2 - 3 * cost
        assert accounts.spent(issued.key.id).hour == 3 * cost  # the refused ones hold nothing
    check_books(sidecar)


async def test_the_bonus_account_is_free_while_it_is_rich(tmp_path):
    """A-119."""
    extra = KEYED + "accounts: {bonus_user: '666', bonus_above: 100}\n"
    async with running(tmp_path, 1, extra=extra) as sidecar:
        accounts = sidecar.sidecar.parts.callers.accounts
        issued = await issue(sidecar, "666", start=100_000_000 + 10**9)
        reply = await ask(sidecar, issued.secret)
        assert (reply.status, reply.json()["usage"]["energy"]) == (200, 0)
        assert accounts.balance("666") == 100_000_000 + 10**9
        await accounts.subtract("666", 10**9)
        assert (await ask(sidecar, issued.secret)).json()["usage"]["energy"] > 0
        assert accounts.balance("666") < 100_000_000
    assert [row["flags"] for row in rows(sidecar.state)] == ['["bonus"]', "[]"]
    check_books(sidecar)


ADMIN = {"DEFAULT_ADMIN_API_KEY": "c81f0b7e52a94d63", "DEFAULT_ADMIN_USER_ID": "boss"}


async def test_the_admin_of_the_environment(tmp_path):
    """B-064, B-126: made once; another key in the environment ends the old one."""
    async with running(tmp_path, 1, extra=KEYED, env=ADMIN) as sidecar:
        assert (await ask(sidecar, ADMIN["DEFAULT_ADMIN_API_KEY"])).status == 200
        (key,) = sidecar.sidecar.parts.callers.accounts.store.keys_of("boss")
        assert sidecar.sidecar.parts.callers.directory.principal(key.id).role is Role.ADMIN
        assert sidecar.sidecar.parts.callers.accounts.balance("boss") is None
    other = {**ADMIN, "DEFAULT_ADMIN_API_KEY": "5d0e9c3b71fa2684"}
    for env in (other, other):
        async with running(tmp_path, 1, extra=KEYED, env=env) as sidecar:
            assert (await ask(sidecar, other["DEFAULT_ADMIN_API_KEY"])).status == 200
            assert (await ask(sidecar, ADMIN["DEFAULT_ADMIN_API_KEY"])).status == 401


@pytest.mark.parametrize("name", ["ADMIN_FIRST", "DEFAULT_ADMIN_API_KEY"])
@pytest.mark.parametrize("secret", ["", "  ", "admin", "sk-1234", "changeme", "short", "a" * 40])
async def test_a_weak_secret_does_not_start(tmp_path, name, secret):
    """A-130, A-161, decision 5, T24: with an error that names the variable and not its value."""
    with pytest.raises(SettingsError, match=name) as caught:
        async with running(tmp_path, 1, env={name: secret}, check=False):
            pass
    assert not secret.strip() or f" {secret} " not in str(caught.value)


async def test_the_master_token_is_no_key(tmp_path):
    """A-130: it manages; no model is called with it."""
    env = {"ADMIN_FIRST": "9f8e7d6c5b4a39281706f5e4d3c2b1a0"}
    async with running(tmp_path, 1, extra=KEYED, env=env) as sidecar:
        master = sidecar.sidecar.parts.callers.master
        assert master.matches(env["ADMIN_FIRST"])
        for wrong in (None, "", env["ADMIN_FIRST"][:-1], env["ADMIN_FIRST"] + "0"):
            assert not master.matches(wrong)
        assert env["ADMIN_FIRST"] not in repr(master)
        assert (await ask(sidecar, env["ADMIN_FIRST"])).status == 401
