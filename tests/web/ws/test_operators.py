"""Providers managed, and figures pushed, over `/ws` (B-186)."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest

from kit.admins import desk
from kit.chat_socket import chatting
from kit.sidecars import running
from wattline.web.ws.operating import PAUSE
from wattline.web.ws.session import MAX_BAD

FAST = {"type": "stats.subscribe", "intervalMs": 500}


def bearer(asked, who):
    return [("authorization", f"Bearer {asked.keys[who]}")]


async def test_an_operator_switches_a_provider_off_and_on(tmp_path):
    """B-186: over the connection that chats go over, by who the key's pages would let do it."""
    async with desk(tmp_path) as asked, chatting(asked.sidecar) as chat:
        await chat.send(type="auth", apiKey=asked.keys["admin"])
        assert await chat.hear() == {"type": "auth.ok"}
        await chat.send(type="providers.list", requestId="l")
        listed = await chat.hear()
        assert (listed["type"], listed["requestId"]) == ("providers", "l")
        assert [(one["id"], one["status"]) for one in listed["providers"]] == [
            ("p0", "active"),
            ("p1", "active"),
        ]
        assert "sk-secret-of-upstream" not in str(listed)
        await chat.send(type="providers.disable", requestId=7, provider="p0", reason="too dear")
        told = await chat.hear()
        assert (told["type"], told["requestId"]) == ("providers.changed", 7)
        assert told["provider"]["status"] == "parked"
        assert told["provider"]["disabled"]["by"] == "admin"
        await chat.ask("c")
        assert (await chat.until("chat.complete"))[-1]["providerId"] == "p1"
        await chat.send(type="providers.disable", provider="p1", model="up1")
        assert (await chat.hear())["provider"]["disabledModels"]["up1"]["by"] == "admin"
        await chat.send(type="providers.enable", provider="p0")
        assert (await chat.hear())["provider"]["status"] == "active"
        await chat.send(type="providers.enable", requestId="again", provider="p0")
        error = await chat.hear()
        assert (error["type"], error["code"], error["requestId"]) == (
            "error",
            "not_disabled",
            "again",
        )
        await chat.send(type="providers.disable", provider="nobody")
        assert (await chat.hear())["code"] == "provider_not_found"
        await chat.send(type="providers.disable", provider="p0", colour="red")
        assert (await chat.hear())["code"] == "invalid_value"


@pytest.mark.parametrize("who", ["user", "carol"])
async def test_nobody_else_does(tmp_path, who):
    """B-186: and who goes on asking is shown out."""
    async with desk(tmp_path) as asked, chatting(asked.sidecar, headers=bearer(asked, who)) as chat:
        for kind in ("list", "disable", "enable"):
            await chat.send(type=f"providers.{kind}", requestId=kind, provider="p0")
            error = await chat.hear()
            assert (error["code"], error["requestId"]) == ("not_an_admin", kind)
        listed = (await asked.get("/api/admin/providers"))["entries"]
        assert [one["status"] for one in listed] == ["active", "active"]
        for _ in range(MAX_BAD):
            await chat.send(type="providers.disable", provider="p0")
        assert (await chat.closed())[0] == 1008


async def test_an_operator_of_yesterday(tmp_path):
    """A connection lasts longer than a key."""
    async with (
        desk(tmp_path) as asked,
        chatting(asked.sidecar, headers=bearer(asked, "admin")) as chat,
    ):
        await chat.send(**FAST, requestId="s")
        assert (await chat.hear())["type"] == "stats"
        (key,) = asked.accounts.store.keys_of("admin")
        await asked.accounts.disable_key(key.id)
        error = (await chat.until("error"))[-1]
        assert (error["code"], error["requestId"]) == ("invalid_api_key", "s")
        await chat.send(type="providers.disable", provider="p0")
        assert (await chat.hear())["code"] == "invalid_api_key"


async def test_open_mode_has_no_operators_but_figures(tmp_path):
    async with running(tmp_path, 1) as sidecar, chatting(sidecar) as chat:
        await chat.send(type="providers.list")
        assert (await chat.hear())["code"] == "invalid_api_key"
        await chat.send(**FAST)
        told = await chat.hear()
        assert (told["usage"]["user"], told["providers"][0]["id"]) == ("local", "p0")


async def test_figures_are_pushed_when_they_change(tmp_path):
    """B-186: the caller's own use, and how providers are; nothing while nothing changes."""
    async with desk(tmp_path) as asked:
        async with chatting(asked.sidecar, headers=bearer(asked, "user")) as chat:
            await chat.send(**FAST, requestId="s")
            first = await chat.hear()
            assert (first["type"], first["requestId"]) == ("stats", "s")
            assert (first["usage"]["userId"], first["usage"]["requestCount"]) == ("ann", 0)
            assert [one["status"] for one in first["providers"]] == ["active", "active"]
            assert "health" not in first["providers"][0]
            heard = [first]
            await asked.post("/api/admin/providers/p0/disable")
            heard.append(await chat.hear())
            assert [one["status"] for one in heard[-1]["providers"]] == ["parked", "active"]
            await asked.call("user")
            while heard[-1]["usage"]["requestCount"] == 0:
                heard.append(await chat.hear())
            assert heard[-1]["usage"]["balance"] < 10_000
            assert all(one != other for one, other in pairwise(heard))
            await chat.send(type="stats.unsubscribe", requestId="u")
            assert (await chat.until("stats.end"))[-1] == {"type": "stats.end", "requestId": "u"}
        assert asked.keys["user"] not in json.dumps(heard)


async def test_an_operator_sees_scores(tmp_path):
    """B-186."""
    async with desk(tmp_path) as asked:
        await asked.call("user")
        async with chatting(asked.sidecar, headers=bearer(asked, "admin")) as chat:
            await chat.send(**FAST)
            told = await chat.hear()
            health = told["providers"][0]["health"]
            assert (health["calls"], health["breaker"]) == (1, "closed")


async def test_pages_for_operators_can_be_switched_off(tmp_path):
    """B-124: over a WebSocket too."""
    async with (
        desk(tmp_path, env={"ENABLE_ADMIN_ROUTES": "false"}) as asked,
        chatting(asked.sidecar, headers=bearer(asked, "admin")) as chat,
    ):
        await chat.send(type="providers.disable", provider="p0")
        assert (await chat.hear())["code"] == "unknown_type"
        await chat.send(**FAST)
        assert "health" not in (await chat.hear())["providers"][0]


async def test_before_a_key(tmp_path):
    async with desk(tmp_path) as asked, chatting(asked.sidecar) as chat:
        for frame in ({"type": "providers.list", "requestId": 1}, {**FAST, "requestId": 1}):
            await chat.send(**frame)
            error = await chat.hear()
            assert (error["code"], error["requestId"]) == ("auth_required", 1)


async def test_pages_have_their_pace(tmp_path):
    """No window counts messages: who asks again and again waits, and takes nobody's time."""
    async with running(tmp_path, 1) as sidecar, chatting(sidecar) as chat:
        began = time.monotonic()
        for name in range(4):
            await chat.send(**FAST, requestId=name)
        for name in range(4):
            assert (await chat.until("stats"))[-1]["requestId"] == name
        assert time.monotonic() - began > 7 * PAUSE - 0.01  # two pages each
