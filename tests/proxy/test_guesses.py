"""Wrong credentials through real sockets: calls, pages, CONNECT and WebSockets count together."""

from __future__ import annotations

import asyncio
import re

import pytest

from kit.chat_socket import Refused, chatting, connect
from kit.gateway_pages import PASSWORD, gateway, post, registered
from kit.sidecars import running
from wattline.base.clock import ManualClock

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
MASTER = "master-token-0f3a9c2b7d1e"
ANN = "key-of-ann-0123456789"
BOB = "key-of-bob-0123456789"
KEYED = """
auth:
  mode: keys
  wrong_per_minute: 3
  keys: {ann: "${ANN}", bob: "${BOB}"}
"""
ENV = {"ANN": ANN, "BOB": BOB, "ADMIN_FIRST": MASTER}
TOO_MANY = (429, "60")


@pytest.fixture
def clock():
    return ManualClock()


def sidecar_with(tmp_path, clock, extra=KEYED, **more):
    return running(tmp_path, 1, extra=extra, env=ENV, clock=clock, **more)


def told(reply):
    return reply.status, reply.headers.get("retry-after")


def key(secret):
    return [("authorization", f"Bearer {secret}")]


def ask(sidecar, secret, **more):
    return sidecar.call(CHAT, headers=key(secret), **more)


def page(sidecar, path, headers=()):
    return sidecar.call(b"", method="GET", path=path, headers=list(headers))


def token(sidecar, secret):
    return page(sidecar, f"/token?masterToken={secret}&userId=user_7")


async def issued(sidecar, user):
    """The key of a new user of the ledger."""
    accounts = sidecar.sidecar.parts.callers.accounts
    await accounts.create_user(user)
    return (await accounts.create_key(user)).secret


async def connects(sidecar, secret):
    """The status of a CONNECT."""
    reader, writer = await asyncio.open_connection(*sidecar.address)
    writer.write(
        b"CONNECT api.openai.com:443 HTTP/1.1\r\nhost: api.openai.com:443\r\n"
        b"proxy-authorization: Bearer " + secret.encode() + b"\r\n\r\n"
    )
    line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    return int(line.split()[1])


async def test_an_address_that_guesses_is_not_answered_any_more(tmp_path, clock):
    """T23: the right key neither, if it comes then for the first time; that of others still works."""
    async with sidecar_with(tmp_path, clock) as sidecar:
        assert (await ask(sidecar, BOB)).status == 200
        for number in range(3):
            assert (await ask(sidecar, f"wrong-key-{number}-0123456789")).status == 401
        for secret in ("wrong-key-9-0123456789", ANN):
            reply = await ask(sidecar, secret)
            assert told(reply) == TOO_MANY
            assert reply.json()["error"]["code"] == "too_many_attempts"
        assert (await ask(sidecar, BOB)).status == 200
        assert (await sidecar.call(CHAT)).status == 401
        clock.advance(60.0)
        assert (await ask(sidecar, ANN)).status == 200


@pytest.mark.parametrize(
    "header", ["x-api-key", "api-key", "x-goog-api-key", "authorization", "query", "subprotocol"]
)
async def test_each_place_of_a_key_counts(tmp_path, clock, header):
    async with sidecar_with(tmp_path, clock) as sidecar:
        headers, path = [(header, "wrong-key-0123456789")], "/v1/chat/completions"
        if header == "authorization":
            headers = key("wrong-key-0123456789")
        elif header == "query":
            headers, path = [], f"{path}?key=wrong-key-0123456789"
        elif header == "subprotocol":
            headers = [("sec-websocket-protocol", "openai-insecure-api-key.wrong-key-0123456789")]
        for _ in range(3):
            assert (await sidecar.call(CHAT, path=path, headers=headers)).status == 401
        assert told(await ask(sidecar, ANN)) == TOO_MANY


async def test_without_a_key_nothing_is_guessed(tmp_path, clock):
    """A client that was not set up yet must not lock others out."""
    async with sidecar_with(tmp_path, clock) as sidecar:
        for _ in range(30):
            assert (await sidecar.call(CHAT)).status == 401
            assert (await page(sidecar, "/v1/models")).status == 401
        assert (await ask(sidecar, ANN)).status == 200


async def test_the_master_token_can_not_be_guessed(tmp_path, clock):
    """A-130, T23: not in the query, not in the header, in open mode neither."""
    for number, extra in enumerate((KEYED, "auth: {wrong_per_minute: 3}\n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with sidecar_with(folder, clock, extra) as sidecar:
            assert (await token(sidecar, "wrong-master-1")).status == 401
            assert (await token(sidecar, "wrong-master-2")).status == 401
            reply = await page(sidecar, "/token?userId=user_7", key("wrong-master-3"))
            assert reply.status == 401
            assert told(await token(sidecar, "wrong-master-4")) == TOO_MANY
            assert told(await token(sidecar, MASTER)) == TOO_MANY
            reply = await page(sidecar, "/token?userId=user_7", key(MASTER))
            assert told(reply) == TOO_MANY
            assert (await page(sidecar, "/health")).status == 200
            clock.advance(60.0)
            assert (await token(sidecar, MASTER)).status == 200
            for _ in range(3):
                assert (await token(sidecar, "wrong-master-5")).status == 401
            assert (await token(sidecar, MASTER)).status == 200


async def test_nobody_logs_in_while_an_address_guesses(tmp_path, clock):
    """E-041: a password is a credential too."""
    async with sidecar_with(tmp_path, clock, KEYED) as sidecar:
        for number in range(3):
            assert (await ask(sidecar, f"wrong-key-{number}-0123456789")).status == 401
        body = {"email": "ann@example.test", "password": "a-long-password-1"}
        assert told(await sidecar.call(body, path="/api/v1/auth/login")) == TOO_MANY
        assert (await page(sidecar, "/api/v1/nothing")).status != 429


async def test_connects_count(tmp_path, clock):
    async with sidecar_with(tmp_path, clock) as sidecar:
        assert await connects(sidecar, ANN) == 200
        for _ in range(3):
            assert await connects(sidecar, "wrong-key-0123456789") == 407
        assert await connects(sidecar, "wrong-key-0123456789") == 429
        assert await connects(sidecar, BOB) == 429
        assert await connects(sidecar, ANN) == 200


async def test_keys_in_messages_count(tmp_path, clock):
    """On `/ws` a key may come in a message."""
    async with sidecar_with(tmp_path, clock) as sidecar, chatting(sidecar) as chat:
        for number in range(4):
            await chat.send(type="auth", apiKey=f"wrong-key-{number}-0123456789")
            code = (await chat.hear())["code"]
            assert code == ("too_many_attempts" if number == 3 else "invalid_api_key")
        await chat.send(type="auth", apiKey=ANN)
        assert (await chat.hear())["code"] == "too_many_attempts"
        clock.advance(60.0)
        await chat.send(type="auth", apiKey=ANN)
        assert await chat.hear() == {"type": "auth.ok"}


async def test_keys_of_upgrades_count(tmp_path, clock):
    """The connection is accepted, and asks for a key."""
    async with sidecar_with(tmp_path, clock) as sidecar:
        for number in range(3):
            async with chatting(sidecar, headers=key(f"wrong-key-{number}-0123456789")):
                pass
        with pytest.raises(Refused) as caught:
            await connect(sidecar, headers=key(ANN))
        assert caught.value.status == 429


async def test_clients_of_a_proxy_are_told_apart(tmp_path, clock):
    """Without `trusted_proxies` one guesser would shut the door for all new ones."""
    extra = KEYED + "listen: {trusted_proxies: [127.0.0.1]}\n"
    async with sidecar_with(tmp_path, clock, extra) as sidecar:
        for address, secret in (("198.51.100.1", "wrong-key-0123456789"), ("198.51.100.2", ANN)):
            headers = [("x-forwarded-for", address), *key(secret)]
            for _ in range(4):
                reply = await sidecar.call(CHAT, headers=headers)
            assert reply.status == (200 if secret == ANN else 429)


async def test_a_password_can_not_be_guessed(tmp_path, clock):
    """E-041, T23: whoever is logged in stays so, nobody new logs in from there for a minute."""
    extra = "auth: {mode: jwt, wrong_per_minute: 3}\n"
    async with gateway(tmp_path, extra=extra, clock=clock) as sidecar:
        _, logged_in = await registered(sidecar)
        assert (await ask(sidecar, logged_in)).status == 200
        body = {"email": "ann@example.com", "password": PASSWORD}
        for number in range(3):
            wrong = {**body, "password": f"wrong password {number}"}
            assert (await post(sidecar, "/api/v1/auth/login", wrong)).status == 401
        reply = await post(sidecar, "/api/v1/auth/login", body)
        assert told(reply) == TOO_MANY
        assert reply.json()["error"]["type"] == "rate_limit_error"
        assert (await ask(sidecar, logged_in)).status == 200
        clock.advance(60.0)
        assert (await post(sidecar, "/api/v1/auth/login", body)).status == 200


async def test_the_master_token_can_not_be_guessed_beside_a_valid_key(tmp_path, clock):
    """A-130: the page's answer to a user is 403, and its key goes on working."""
    async with sidecar_with(tmp_path, clock) as sidecar:
        ann = key(await issued(sidecar, "ann-of-the-ledger"))
        for number in range(3):
            path = f"/token?masterToken=wrong-master-{number}&userId=user_7"
            assert (await page(sidecar, path, ann)).status == 403
        assert told(await token(sidecar, MASTER)) == TOO_MANY
        path = f"/token?masterToken={MASTER}&userId=user_7"
        assert told(await page(sidecar, path, ann)) == TOO_MANY
        assert (await page(sidecar, "/v1/models", ann)).status == 200


async def test_the_master_token_can_not_be_guessed_within_a_tunnel(tmp_path, clock):
    """The key was shown with CONNECT, so whatever the requests show is a guess."""
    async with sidecar_with(tmp_path, clock) as sidecar:
        user = await issued(sidecar, "user_7")
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(
            b"CONNECT wattline.local:80 HTTP/1.1\r\nhost: wattline.local:80\r\n"
            b"proxy-authorization: Bearer " + user.encode() + b"\r\n\r\n"
        )
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        statuses = []
        for secret in (user, user, user, user, "guess-1", "guess-2", "guess-3", "guess-4"):
            writer.write(
                b"GET /token?userId=user_7 HTTP/1.1\r\nhost: wattline.local\r\n"
                b"authorization: Bearer " + secret.encode() + b"\r\n\r\n"
            )
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            length = re.search(rb"content-length: (\d+)", head.lower())
            await reader.readexactly(int(length[1]))
            statuses.append(int(head.split()[1]))
        writer.close()
        assert statuses == [403] * 7 + [429]


async def test_a_users_key_on_a_page_for_admins_is_no_guess(tmp_path, clock):
    async with sidecar_with(tmp_path, clock) as sidecar:
        ann = key(await issued(sidecar, "ann-of-the-ledger"))
        for _ in range(5):
            assert (await page(sidecar, "/api/admin/users", ann)).status == 403
            assert (await page(sidecar, "/api/admin/users", key(BOB))).status == 403
        assert (await ask(sidecar, ANN)).status == 200


async def test_the_right_master_token_is_no_guess_where_it_counts_for_nothing(tmp_path, clock):
    """Models can't be called with it, but whoever has it guesses at nothing."""
    async with sidecar_with(tmp_path, clock) as sidecar:
        for _ in range(2):
            assert (await page(sidecar, "/metrics", key(MASTER))).status == 401
            assert (await page(sidecar, f"/v1/models?masterToken={MASTER}")).status == 401
            assert (await ask(sidecar, MASTER)).status == 401
        assert (await ask(sidecar, ANN)).status == 200


async def test_a_token_that_has_ended_is_no_guess(tmp_path, clock):
    """Clients of somebody who was logged in yesterday lock nobody out: pages, calls, CONNECT, `/ws`."""
    extra = "auth: {mode: jwt, wrong_per_minute: 3}\n"
    async with gateway(tmp_path, extra=extra, clock=clock) as sidecar:
        _, ended = await registered(sidecar)
        clock.advance(86_400.0)
        for _ in range(2):
            assert (await ask(sidecar, ended)).status == 401
            assert (await page(sidecar, "/api/v1/audit", key(ended))).status == 401
            assert (await page(sidecar, "/api/v1/audit?a=1", [("x-api-key", ended)])).status == 401
            assert (await post(sidecar, "/api/v1/auth/refresh", token=ended)).status == 401
            assert await connects(sidecar, ended) == 407
            async with chatting(sidecar, headers=key(ended)) as chat:
                await chat.send(type="auth", apiKey=ended)
                assert (await chat.hear())["code"] == "invalid_api_key"
        body = {"email": "ann@example.com", "password": PASSWORD}
        assert (await post(sidecar, "/api/v1/auth/login", body)).status == 200
        forged = ended[:-4] + ("AAAA" if ended[-4:] != "AAAA" else "BBBB")
        for _ in range(3):
            assert (await page(sidecar, "/api/v1/audit", key(forged))).status == 401
        assert told(await post(sidecar, "/api/v1/auth/login", body)) == TOO_MANY
        assert told(await ask(sidecar, ended)) == TOO_MANY


@pytest.mark.parametrize("verb", ["rotate_key", "disable_key", "delete_key"])
async def test_a_key_that_was_taken_back_is_no_guess(tmp_path, clock, verb):
    """While a key is rolled some programs still send the old one: those that come with another are let in."""
    async with sidecar_with(tmp_path, clock) as sidecar:
        old = await issued(sidecar, "carol")
        accounts = sidecar.sidecar.parts.callers.accounts
        (key,) = accounts.store.keys_of("carol")
        await getattr(accounts, verb)(key.id)
        for _ in range(5):
            assert (await ask(sidecar, old)).status == 401
        assert (await ask(sidecar, await issued(sidecar, "dave"))).status == 200
        for number in range(3):
            assert (await ask(sidecar, f"wrong-key-{number}-0123456789")).status == 401
        assert told(await ask(sidecar, old)) == TOO_MANY
