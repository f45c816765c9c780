"""Providers: shown, switched off and on, never rewritten, through real sockets."""

from __future__ import annotations

import pytest

from kit.admins import CHAT, desk
from wattline.cli.parked import parked_lines, parking_of

DOWN = "  gone: {url: 'https://gone.test/v1', key: '${GONE_KEY}', models: [{id: x}]}\n"


async def test_what_is_shown(tmp_path):
    """B-003, B-041, B-080, B-085: masked keys, whether they can be used and why not, windows, models, how they did."""
    extra = "windows: {w: {calls: 2, per: 1h, scope: provider}}\n"
    async with desk(tmp_path, extra=extra) as asked:
        text = asked.sidecar.rules.read_text()
        text = text.replace("providers:\n", f"providers:\n{DOWN}").replace(
            "  p0:\n", "  p0:\n    window: w\n"
        )
        asked.sidecar.rules.write_text(text)
        assert (await asked.call()).status == 200
        told = await asked.get("/api/admin/providers")
        found = {entry["id"]: entry for entry in told["entries"]}
        assert set(found) == {"p0", "p1", "gone"}
        assert (found["p0"]["key"], found["p0"]["status"]) == ("sk-sec…000", "active")
        assert (found["gone"]["status"], found["gone"]["available"]) == ("unavailable", False)
        assert "GONE_KEY" in found["gone"]["reason"] or "No API key" in found["gone"]["reason"]
        assert "sk-secret-of-upstream" not in str(told)
        one = (await asked.get("/api/admin/providers/p0"))["provider"]
        assert one["windows"][0]["calls"] == {"limit": 2, "used": 1, "left": 1}
        assert [model["id"] for model in one["models"]] == ["up0"]
        health = one["models"][0]["health"]
        assert (health["calls"], health["errorShare"], health["breaker"]) == (1, 0, "closed")
        assert 0 < health["score"] <= 1
        (done,) = one["performance"]["models"]
        assert (done["complete"], done["errorRate"], done["model"]) == (1, 0, "up0")
        await asked.call()
        assert (await asked.call()).headers["x-wattline-provider"] == "p1"
        assert (await asked.get("/api/admin/providers/p0"))["provider"]["status"] == "limited"


async def test_one_that_rests(tmp_path):
    async with desk(tmp_path) as asked:
        asked.sidecar.upstreams[0].script(["401"])
        assert (await asked.call()).status == 200
        one = (await asked.get("/api/admin/providers/p0"))["provider"]
        assert (one["status"], one["resting"]["reason"]) == ("resting", "its key was refused")
        assert 0 < one["resting"]["seconds"] <= 300


async def test_the_health_of_all_and_each_key(tmp_path):
    """B-080, B-145: what decisions know, without asking one by one."""
    async with desk(tmp_path) as asked:
        text = asked.sidecar.rules.read_text()
        text = text.replace("key: ${KEY_0}", 'key: ["${KEY_0}", "${KEY_1}"]')
        text = text.replace("health: {breaker: false}", "health: {failures: 1, cooldown: 5m}")
        asked.sidecar.rules.write_text(text)
        asked.sidecar.upstreams[0].script(["401", "500"])
        assert (await asked.call()).headers["x-wattline-provider"] == "p1"
        told = await asked.get("/api/admin/providers")
        found = {entry["id"]: entry for entry in told["entries"]}
        keys = found["p0"]["keys"]
        assert [(key["number"], key["full"]) for key in keys] == [(1, None), (2, None)]
        assert sum(key["resting"] is not None for key in keys) == 1
        assert found["p0"]["status"] == "active"
        health = found["p0"]["health"]
        assert (health["breaker"], health["calls"], health["score"]) == ("open", 1, 0)
        assert health["models"]["up0"]["triedAgainIn"] > 290
        assert (found["p1"]["keys"], found["p1"]["health"]["breaker"]) == ([], "closed")
        assert "sk-secret-of-upstream" not in str(told)


async def test_switched_off_until_it_is_switched_on(tmp_path):
    """B-082: by an operator; over a restart too, and explain and health know it."""
    async with desk(tmp_path) as asked:
        told = await asked.post("/api/admin/providers/p0/disable", {"reason": "too dear"})
        assert told["provider"]["status"] == "parked"
        assert told["provider"]["disabled"]["by"] == "admin"
        told = await asked.post("/api/admin/providers/p0/disable")
        assert told["provider"]["disabled"]["reason"] == "too dear"
        assert (await asked.call()).headers["x-wattline-provider"] == "p1"
        assert (await asked.call(body={**CHAT, "model": "m0"})).status == 503
        listed = (await asked.get("/api/v1/providers", "user"))["providers"]
        (p0,) = (entry for entry in listed if entry["id"] == "p0")
        assert p0["status"] == "parked"
        assert p0["reason"] == "switched off by an operator: too dear"
        models = {model["id"] for model in (await asked.get("/v1/models", "user"))["data"]}
        assert "m0" not in models
        assert {"m", "m1"} <= models
        ledger = asked.state / "ledger.sqlite"
        assert list(parked_lines(ledger)) == ["p0 is switched off by an operator: too dear"]
        assert parking_of(ledger).of("p0", "up0").reason == "too dear"
    async with desk(tmp_path) as asked:
        assert (await asked.call()).headers["x-wattline-provider"] == "p1"
        told = await asked.post("/admin/providers/p0/enable")
        assert (told["provider"]["status"], told["provider"]["disabled"]) == ("active", None)
        assert (await asked.call()).headers["x-wattline-provider"] == "p0"
        again = await asked.ask("POST", "/admin/providers/p0/enable")
        assert (again.status, again.json()["error"]["code"]) == (409, "not_disabled")


async def test_one_model(tmp_path):
    async with desk(tmp_path) as asked:
        await asked.post("/api/admin/providers/p0/disable", {"model": "up0"})
        assert (await asked.call()).headers["x-wattline-provider"] == "p1"
        one = (await asked.get("/api/admin/providers/p0"))["provider"]
        assert (one["status"], one["models"][0]["disabled"]["by"]) == ("active", "admin")
        summary = await asked.get("/api/admin/metrics/summary")
        assert summary["providers"]["parked"] == 0
        await asked.post("/api/admin/providers/p0/enable", {"model": "up0"})
        assert (await asked.call()).headers["x-wattline-provider"] == "p0"


async def test_one_that_the_rules_have_no_more_can_be_forgotten(tmp_path):
    async with desk(tmp_path) as asked:
        await asked.post("/api/admin/providers/p0/disable", {"model": "up0"})
        text = asked.sidecar.rules.read_text()
        asked.sidecar.rules.write_text(text.replace("up0", "renamed"))
        await asked.call()
        assert (
            await asked.ask("POST", "/api/admin/providers/p0/disable", {"model": "up0"})
        ).status == 404
        await asked.post("/api/admin/providers/p0/enable", {"model": "up0"})
        assert (
            await asked.ask("POST", "/api/admin/providers/p0/enable", {"model": "up0"})
        ).status == 404


BAD = [
    ("/none/disable", {}, 404),
    ("/none/enable", {}, 404),
    ("/p0/disable", {"model": "none"}, 404),
    ("/p0/disable", {"model": 5}, 400),
    ("/p0/disable", {"reason": ["x"]}, 400),
    ("/p0/disable", {"reason": "x" * 301}, 400),
    ("/p0/disable", {"reason": "\ud800"}, 400),
    ("/p0/disable", {"until": "tomorrow"}, 400),
    ("/p0/disable", b"nonsense", 400),
    ("/p0/disable", b"null", 400),
]


async def test_bad_input_switches_nothing_off(tmp_path):
    async with desk(tmp_path) as asked:
        for path, body, status in BAD:
            reply = await asked.ask("POST", f"/api/admin/providers{path}", body)
            assert reply.status == status, (path, body, reply.body)
        assert len(asked.sidecar.sidecar.parts.memory.parking.parking) == 0


WRITES = (
    ("POST", ""), ("PUT", "/p0"), ("PATCH", "/p0"), ("DELETE", "/p0"), ("POST", "/p0"), ("PUT", "/new"),
)  # fmt: skip


async def test_what_they_are_is_in_the_rules_alone(tmp_path):
    """The operator's one file: 409, and where to go instead."""
    async with desk(tmp_path) as asked:
        before = asked.sidecar.rules.read_bytes()
        body = {"id": "p0", "apiKey": "sk-0123456789abcdef", "provider_url": "https://evil.test"}
        for method, path in WRITES:
            for base in ("/api/admin", "/admin"):
                reply = await asked.ask(method, f"{base}/providers{path}", body)
                assert (reply.status, reply.json()["error"]["code"]) == (
                    409,
                    "providers_are_in_rules",
                )
                assert "rules.yaml" in reply.json()["error"]["message"]
        assert asked.sidecar.rules.read_bytes() == before


@pytest.mark.parametrize("path", ["/admin", "/api/admin"])
async def test_refresh(tmp_path, path):
    """B-040, B-084: on both of its paths; providers are asked anew."""
    async with desk(tmp_path) as asked:
        told = await asked.post(f"{path}/models/refresh-provider-counts")
        assert (told["providerCounts"]["m"], told["providerCounts"]["m0"]) == (2, 1)
        await asked.post("/admin/providers/p0/disable")
        told = await asked.post(f"{path}/models/refresh-provider-counts", {})
        assert told["providerCounts"]["m"] == 1
        assert (
            await asked.ask("POST", f"{path}/models/refresh-provider-counts", b"x")
        ).status == 400
        assert (await asked.ask("GET", f"{path}/models/refresh-provider-counts")).status == 405
