"""Who speaks at `/ws`: keys of messages and of upgrades, pages of others."""

from __future__ import annotations

import pytest

from kit.books import rows
from kit.chat_socket import Refused, chatting, connect
from kit.sidecars import Running, running
from wattline.web.ws import session
from wattline.web.ws.session import MAX_BAD

KEYS = """
auth:
  mode: keys
  keys: {ann: {key: "${ANN}", tier: gold}, bob: "${BOB}"}
"""
ENV = {"ANN": "key-of-ann-0123456789", "BOB": "key-of-bob-0123456789"}


async def test_the_chat_protocols_auth(tmp_path):
    """B-180: nothing works before it, a wrong key is told, and the caller is who has the key."""
    async with running(tmp_path, 1, extra=KEYS, env=ENV) as sidecar, chatting(sidecar) as chat:
        await chat.ask("early")
        error = await chat.hear()
        assert (error["code"], error["requestId"]) == ("auth_required", "early")
        await chat.infer("early")
        error = await chat.hear()
        assert (error["id"], error["error"]["code"]) == ("early", 401)
        for frame in ({"type": "ping"}, {"type": "heartbeat"}):
            await chat.send(**frame)
            assert (await chat.hear())["code"] == "auth_required"
        for wrong in ("sk-of-nobody", "", None, 7, ["x"], "x" * 10_000):
            await chat.send(type="auth", apiKey=wrong)
            error = await chat.hear()
            assert error["code"] in ("invalid_api_key", "invalid_message")
        await chat.send(type="auth", apiKey="sk-of-nobody")
        error = await chat.hear()
        assert error["code"] == "invalid_api_key"
        assert "nobody" not in str(error)
        await chat.send(type="auth", apiKey=ENV["ANN"])
        assert await chat.hear() == {"type": "auth.ok"}
        await chat.ask()
        await chat.until("chat.complete")
    (row,) = rows(sidecar.state)
    assert row["principal"] == "ann"


async def test_the_key_of_the_upgrade(tmp_path):
    """As for HTTP, in its headers; a key that nobody has is none."""
    async with running(tmp_path, 1, extra=KEYS, env=ENV) as sidecar:
        told = [("authorization", f"Bearer {ENV['BOB']}")]
        async with chatting(sidecar, headers=told) as chat:
            await chat.ask()
            await chat.until("chat.complete")
        async with chatting(sidecar, headers=[("x-api-key", "sk-of-nobody")]) as chat:
            await chat.ask()
            assert (await chat.hear())["code"] == "auth_required"
    (row,) = rows(sidecar.state)
    assert row["principal"] == "bob"
    sent = sidecar.upstreams[0].journal.requests[0]
    assert sent.header("authorization") == "Bearer sk-secret-of-upstream-0000"


async def test_guesses_of_keys_are_bounded(tmp_path):
    async with running(tmp_path, 1, extra=KEYS, env=ENV) as sidecar, chatting(sidecar) as chat:
        for guess in range(MAX_BAD):
            await chat.send(type="auth", apiKey=f"guess-{guess}")
        assert (await chat.closed())[0] == 1008


async def test_a_key_in_a_message_goes_nowhere(sidecar: Running):
    async with chatting(sidecar) as chat:
        await chat.ask(apiKey="sk-of-mine")
        await chat.until("chat.complete")
    assert b"sk-of-mine" not in sidecar.upstreams[0].journal.requests[0].body


async def test_foreign_pages_are_refused(sidecar: Running):
    """Cross-site WebSocket hijacking; a name that was made to point here is none of ours."""
    for headers, host, status in (
        ([("origin", "https://evil.test")], "localhost", 403),
        ([("origin", "null")], "localhost", 403),
        ([], "evil.test", 421),
    ):
        with pytest.raises(Refused) as refused:
            await connect(sidecar, headers=headers, host=host)
        assert refused.value.status == status
    async with chatting(sidecar, headers=[("origin", "http://localhost:3000")]) as chat:
        await chat.send(type="ping")
        assert await chat.hear() == {"type": "pong"}


async def test_a_key_is_not_waited_for_without_end(tmp_path, monkeypatch):
    """Who shows one stays; who does not is closed."""
    monkeypatch.setattr(session, "KEY_SECONDS", 0.3)
    async with (
        running(tmp_path, 1, extra=KEYS, env=ENV) as sidecar,
        chatting(sidecar) as known,
        chatting(sidecar) as unknown,
    ):
        await known.send(type="auth", apiKey=ENV["ANN"])
        assert await known.hear() == {"type": "auth.ok"}
        assert await unknown.closed() == (1008, "no key was sent")
        await known.send(type="ping")
        assert await known.hear() == {"type": "pong"}
