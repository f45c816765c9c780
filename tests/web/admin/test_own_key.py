"""`GET /v1/keys/me` through a real socket."""

from __future__ import annotations

import pytest

from kit.admins import desk
from wattline.wire.call import Budgets


async def test_everything_that_bounds_a_key(tmp_path):
    """B-031, B-061, B-065: budgets and what is spent, models, expiry, windows, balance, use."""
    async with desk(tmp_path) as asked:
        await asked.issue(
            "rich", "ann", tier="gold", expires=4_000_000_000_000, models=("m", "x*"),
            budgets=Budgets(hour=10**9, day=2 * 10**9), label="for tests",
        )  # fmt: skip
        assert (await asked.call("rich")).status == 200
        told = await asked.get("/v1/keys/me", "rich")
        assert (told["id"], told["userId"], told["role"]) == (asked.ids["rich"], "ann", "user")
        assert (told["models"], told["label"], told["active"]) == (["m", "x*"], "for tests", True)
        assert told["expires"].startswith("2096-")
        assert told["budgets"] == {"hour": 1000, "day": 2000, "month": None}
        energy = told["usage"]["energy"]
        assert energy > 0
        assert told["spent"] == {"hour": energy, "day": energy, "month": energy}
        assert told["balance"] == 10_000 - energy
        assert told["tierLimits"] == {
            "name": "gold", "rps": 50, "rpm": 500, "rpd": 5000, "tpm": 100000, "min_provider_score": None,
        }  # fmt: skip
        windows = {window["seconds"]: window for window in told["windows"]}
        assert windows[86_400]["calls"] == {"limit": 5000, "used": 1, "left": 4999}
        assert windows[60]["tokens"]["used"] == told["tokenUsage"]
        assert (told["requestCount"], told["usage"]["attempts"]) == (1, 1)
        assert (
            told["usage"]["promptTokens"] + told["usage"]["completionTokens"] == told["tokenUsage"]
        )
        assert asked.keys["rich"] not in str(told)
        fresh = await asked.get("/v1/keys/me", "user")
        assert (fresh["requestCount"], fresh["tierLimits"], fresh["windows"]) == (0, None, [])


async def test_when_nothing_is_left(tmp_path):
    """B-031: an empty balance, a budget and a window that are used up."""
    async with desk(tmp_path) as asked:
        await asked.accounts.create_user("poor", start=1)
        await asked.issue("poor", "poor", tier="free", budgets=Budgets(day=1))
        for _ in range(4):
            assert (await asked.call("poor")).status == 429
        told = await asked.get("/v1/keys/me", "poor")
        assert told["balance"] == 0.000001
        (window,) = told["windows"]
        assert window["calls"] == {"limit": 3, "used": 3, "left": 0}
        assert 0 < window["freeAfter"] <= 60


async def test_a_caller_of_the_rules(tmp_path):
    """B-031: without a key in the ledger, with a tier and use all the same."""
    async with desk(tmp_path) as asked:
        assert (await asked.call("carol")).status == 200
        told = await asked.get("/v1/keys/me", "carol")
        assert (told["id"], told["userId"], told["tier"]) == (None, "carol", "gold")
        assert (told["requestCount"], told["tierLimits"]["rps"]) == (1, 50)
        assert told["balance"] is None


@pytest.mark.parametrize("bound", ["rps", "rpm", "rpd", "tpm"])
async def test_each_bound_of_a_tier(tmp_path, bound):
    """B-061: alone it keeps the second call out, and says so before."""
    async with desk(tmp_path, extra=f"tiers: {{one: {{{bound}: 1}}}}\n") as asked:
        await asked.issue("slow", "ann", tier="one")
        first = await asked.call("slow")
        if bound == "tpm":
            assert first.status == 429
            return
        assert first.status == 200
        second = await asked.call("slow")
        assert (second.status, second.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        told = await asked.get("/v1/keys/me", "slow")
        assert told["tierLimits"][bound] == 1
        assert told["windows"][0]["calls"]["left"] == 0


async def test_windows_over_all_and_over_addresses(tmp_path):
    extra = "windows: {everybody: {calls: 9, per: 1h, scope: global}, place: {calls: 8, per: 1h, scope: address}}\n"
    async with desk(tmp_path, extra=extra) as asked:
        await asked.call("user")
        told = await asked.get("/v1/keys/me", "other")
        found = {window["name"]: window["calls"]["left"] for window in told["windows"]}
        assert found == {"everybody": 8, "place": 7}


async def test_a_tier_that_is_no_more(tmp_path):
    async with desk(tmp_path) as asked:
        await asked.issue("old", "ann", tier="free")
        text = asked.sidecar.rules.read_text()
        asked.sidecar.rules.write_text(text.replace(", free: {rpm: 3}", ""))
        await asked.call("old")
        told = await asked.get("/v1/keys/me", "old")
        assert (told["tier"], told["tierLimits"]) == ("free", None)
        assert "no tier 'free' any more" in told["notes"][0]


async def test_the_ledger_can_not_be_read(tmp_path):
    async with desk(tmp_path) as asked:
        reply = await asked.ask("GET", "/v1/keys/me?x=1&x=2", who="user")
        assert (reply.status, reply.json()["error"]["code"]) == (400, "invalid_parameter")
        ledger = asked.state / "ledger.sqlite"
        away = ledger.rename(asked.state / "away")
        try:
            reply = await asked.ask("GET", "/v1/keys/me", who="user")
        finally:
            away.rename(ledger)
        assert (reply.status, reply.json()["error"]["code"]) == (503, "ledger_down")
        assert str(asked.state) not in reply.body.decode()
