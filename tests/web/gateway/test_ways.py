"""Tokens and own keys on the other ways in: the proxy port, streams, WebSockets."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from contextlib import asynccontextmanager

import pytest

from kit.books import rows
from kit.chat_socket import connect
from kit.clients import REVERSE, H1Client
from kit.gateway_pages import ENV, chat, gateway, post, registered
from kit.sidecars import running
from kit.socket_provider import dialled, rules, socket_providers, told

OWN = "sk-own-key-of-ann-0123456789xyz"
OPERATOR = "sk-secret-of-upstream-0000"
HOST = "api.openai.com"


def bearer(token):
    return [("authorization", f"Bearer {token}")]


@asynccontextmanager
async def tunnel(sidecar, header):
    """The status line of a CONNECT, and the connection."""
    reader, writer = await asyncio.open_connection(*sidecar.address)
    try:
        head = f"CONNECT {HOST}:443 HTTP/1.1\r\nhost: {HOST}:443\r\nproxy-authorization: {header}\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        yield answer.split(b"\r\n", 1)[0], reader, writer
    finally:
        writer.close()


async def test_a_token_opens_a_tunnel_until_it_ends(tmp_path):
    """Also as the password of a proxy URL; a tunnel's next call asks again who its user is."""
    async with gateway(tmp_path) as sidecar:
        user, token = await registered(sidecar)
        basic = base64.b64encode(f"any:{token}".encode()).decode()
        async with tunnel(sidecar, f"Basic {basic}") as (status, _, _):
            assert b" 200 " in status
        context = ssl.create_default_context(cafile=str(sidecar.sidecar.ca.certificate))
        async with tunnel(sidecar, f"Bearer {token}") as (status, reader, writer):
            assert b" 200 " in status
            await writer.start_tls(context, server_hostname=HOST)
            client = H1Client(reader, writer)
            pairs = [("host", HOST), ("content-type", "application/json")]
            for expected in (200, 401):
                await client.send(
                    "POST", "/v1/chat/completions", pairs, json.dumps(chat()).encode()
                )
                assert [piece async for piece in client.pieces()]
                assert client.reply.status == expected
                await sidecar.sidecar.parts.callers.accounts.disable_user(user)
        async with tunnel(sidecar, f"Bearer {token}") as (status, _, _):
            assert b" 407 " in status


async def test_chats_over_a_websocket(tmp_path):
    async with gateway(tmp_path) as sidecar:
        user, token = await registered(sidecar)
        named = await connect(sidecar)
        await named.send(type="auth", apiKey=token + "x")
        assert (await named.hear())["code"] == "invalid_api_key"
        await named.send(type="auth", apiKey=token)
        assert await named.hear() == {"type": "auth.ok"}
        shown = await connect(sidecar, headers=bearer(token))
        clients = (named, shown)
        for client in clients:
            await client.ask()
            await client.until("chat.complete")
        await sidecar.sidecar.parts.callers.accounts.disable_user(user)
        for client in (named, shown):
            await client.ask("r2")
            heard = await client.hear()
            assert heard["type"] == "error"
            assert heard["code"] == "invalid_api_key"
            client.socket.close()


@pytest.mark.parametrize("own", [True, False])
async def test_a_realtime_session_takes_the_own_key(tmp_path, own):
    """E-085: also where a connection outlives the key: what was begun with it is the user's own."""
    async with socket_providers(1) as (provider,):
        text = rules([await provider.start()]) + "auth: {mode: jwt}\n"
        async with running(tmp_path, 0, text=text, env={**ENV, "KEY_0": OPERATOR}) as sidecar:
            _, token = await registered(sidecar)
            if own:
                body = {"provider": "p0", "apiKey": OWN}
                key = (await post(sidecar, "/api/v1/keys", body, token=token)).json()["id"]
            headers = {"authorization": f"Bearer {token}"}
            async with dialled(
                sidecar, "/v1/realtime?model=m", REVERSE, additional_headers=headers
            ) as socket:
                for _ in range(2):
                    create = {"type": "response.create", "response": {"instructions": "Say hello."}}
                    await socket.send(json.dumps(create))
                    await told(socket, "response.done")
                    if own:
                        await sidecar.sidecar.parts.callers.own_keys.store.drop(
                            key, await user_of(sidecar, token)
                        )
            (upgrade,) = provider.upgrades
            assert upgrade.values("authorization") == [f"Bearer {OWN if own else OPERATOR}"]
    for row in rows(tmp_path / "state"):
        assert ("own_key" in row["flags"]) == own
        assert bool(row["energy"]) != own


async def user_of(sidecar, token):
    return sidecar.sidecar.parts.callers.sessions.find(token).id


async def test_a_stream_with_an_own_key(tmp_path):
    """Its usage event says what it cost: nothing."""
    async with gateway(tmp_path, count=1) as sidecar:
        _, token = await registered(sidecar)
        await post(sidecar, "/api/v1/keys", {"provider": "p0", "apiKey": OWN}, token=token)
        reply = await sidecar.call({**chat(), "stream": True}, headers=bearer(token))
        assert (reply.status, reply.events[-1]) == (200, "[DONE]")
        (usage,) = [
            event["usage"]
            for event in reply.events
            if isinstance(event, dict) and event.get("usage")
        ]
        assert usage["energy"] == 0
        assert usage["total_tokens"] > 0
    ((row),) = rows(tmp_path / "state")
    assert (row["hold"], row["estimate_energy"], row["energy"]) == (0, 0, 0)


async def test_an_empty_balance_is_no_obstacle_to_an_own_key(tmp_path):
    """Decision 10 is about what is owed here."""
    async with gateway(tmp_path, count=1) as sidecar:
        user, token = await registered(sidecar)
        accounts = sidecar.sidecar.parts.callers.accounts
        await accounts.subtract(user, accounts.balance(user))
        reply = await sidecar.call(chat(), headers=bearer(token))
        assert (reply.status, reply.json()["error"]["code"]) == (429, "insufficient_balance")
        await post(sidecar, "/api/v1/keys", {"provider": "p0", "apiKey": OWN}, token=token)
        assert (await sidecar.call(chat(), headers=bearer(token))).status == 200
        assert accounts.balance(user) == 0


async def test_an_unknown_model_tells_the_known_ones(tmp_path):
    """E-110: details with provider, model and available_models, and a trace id."""
    text = (
        "auth: {mode: jwt}\n"
        "providers: {p0: {url: https://p0.test/v1, key: '${KEY_0}', models: [{id: good}]}}\n"
        "rules: [{name: by-model, try: model}]\n"
    )
    async with running(tmp_path, 0, text=text, env={**ENV, "KEY_0": OPERATOR}) as sidecar:
        _, token = await registered(sidecar)
        body = {"provider": "p0", "model": "invalid-model", "messages": chat()["messages"]}
        told_of = (await post(sidecar, "/api/v1/chat", body, token=token)).json()["error"]
        assert told_of["details"]["provider"] == "p0"
        assert told_of["details"]["model"] == "invalid-model"
        assert told_of["details"]["available_models"] == ["good"]
        reply = await post(sidecar, "/api/v1/chat", {**body, "provider": "nobody"}, token=token)
        told_of = reply.json()["error"]
        assert told_of["type"] == "validation_error"
        assert told_of["details"]["available_providers"] == ["p0"]
        assert told_of["trace_id"].startswith("req_")
        for wrong, field in (({"temperature": 3}, "temperature"), ({"messages": 1}, "messages")):
            reply = await post(sidecar, "/api/v1/chat", {**body, **wrong}, token=token)
            assert reply.status == 400
            assert reply.json()["error"]["details"]["field"] == field
