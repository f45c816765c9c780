"""`GET /api/v1/health`, through real sockets."""

from __future__ import annotations

from kit.gateway_pages import ADMIN_KEY, gateway, get, registered
from kit.sidecars import running

PATH = "/api/v1/health"


async def test_it_needs_a_credential_outside_open_mode(tmp_path):
    """E-048, decision 14."""
    async with gateway(tmp_path) as sidecar:
        assert (await get(sidecar, PATH)).status == 401
        assert (await get(sidecar, PATH, token="x" * 32)).status == 401
        _, token = await registered(sidecar)
        for known in (token, ADMIN_KEY):
            reply = await get(sidecar, PATH, token=known)
            assert reply.status == 200
            assert reply.json() == {
                "status": "healthy",
                "providers": {"p0": "online", "p1": "online"},
                "database": "connected",
                "redis": "not configured",
            }
    async with running(tmp_path) as sidecar:
        assert (await get(sidecar, PATH)).status == 200
        assert (await get(sidecar, f"{PATH}?a=1&a=2")).status == 400


async def test_what_rests_is_degraded(tmp_path):
    """E-048."""
    async with running(tmp_path) as sidecar:
        resting, now = sidecar.sidecar.parts.memory.resting, sidecar.sidecar.clock.monotonic()
        resting.rest("p0", now + 100, "it asked to wait")
        told = (await get(sidecar, PATH)).json()
        assert (told["status"], told["providers"]) == (
            "degraded",
            {"p0": "degraded", "p1": "online"},
        )
        resting.rest("p1", now + 100, "it asked to wait")
        assert (await get(sidecar, PATH)).json()["status"] == "unhealthy"


async def test_when_all_are_off_every_answer_says_so(tmp_path):
    """`/health` too, which `wattline health` asks; readiness is about the sidecar itself."""
    async with running(tmp_path) as sidecar:
        assert (await get(sidecar, "/health")).json()["status"] == "healthy"
        for name in ("p0", "p1"):
            assert (await get(sidecar, "/health")).json()["status"] == "healthy"
            await sidecar.sidecar.parts.memory.parking.park(name, "", "a secret reason", "admin")
        told = (await get(sidecar, "/health")).json()
        assert (told["status"], "no provider can be used" in told["reason"]) == ("degraded", True)
        assert "secret" not in told["reason"]
        assert (await get(sidecar, PATH)).json()["status"] == "unhealthy"
        assert (await get(sidecar, "/health/ready")).status == 200
        await sidecar.sidecar.parts.memory.parking.unpark("p1", "", "admin")
        assert (await get(sidecar, "/health")).json()["status"] == "healthy"


async def test_a_ledger_that_is_down(tmp_path):
    """E-048: calls are refused then, and the status says so."""
    async with running(tmp_path) as sidecar:
        sidecar.sidecar.ledger._groups.fail("no space left", final=True)
        reply = await get(sidecar, PATH)
        assert reply.status == 503
        assert (reply.json()["status"], reply.json()["database"]) == ("unhealthy", "disconnected")
        assert "space" not in reply.body.decode()
