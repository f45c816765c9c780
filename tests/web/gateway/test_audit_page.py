"""`GET /api/v1/audit`, through real sockets."""

from __future__ import annotations

import pytest

from kit.gateway_pages import ADMIN_KEY, chat, gateway, get, registered
from kit.sidecars import running

PATH = "/api/v1/audit"
MASTER = "0c9a4be2f1d84370a6b5c3d2e1f09876"


async def called(sidecar, token, model="m", times=1):
    for _ in range(times):
        await sidecar.call(chat(model), headers=[("authorization", f"Bearer {token}")])


async def test_who_sees_what(tmp_path):
    """E-003, E-086: user, provider, model, tokens, response time, status; one's own, and an admin all."""
    async with gateway(tmp_path, env={"ADMIN_FIRST": MASTER}) as sidecar:
        ann, token = await registered(sidecar)
        bob, other = await registered(sidecar, "bob@example.com")
        issued = await sidecar.sidecar.parts.callers.accounts.create_key(ann)
        await called(sidecar, token)
        await called(sidecar, issued.secret)
        await called(sidecar, other)
        await called(sidecar, other, "unknown")

        reply = await get(sidecar, PATH, token=token)
        assert reply.status == 200
        told = reply.json()
        assert told["next"] is None
        assert [row["user_id"] for row in told["data"]] == [ann, ann]
        by_key, row = told["data"]
        assert (by_key["key_id"], row["key_id"]) == (issued.key.id, None)
        assert (row["provider"], row["model"], row["requested_model"]) == ("p0", "up0", "m")
        assert row["tokens"]["total"] == row["tokens"]["prompt"] + row["tokens"]["completion"] > 0
        assert row["response_time_ms"] >= 0
        assert (row["status"], row["http_status"], row["own_key"]) == ("success", 200, False)
        assert (await get(sidecar, PATH, token=issued.secret)).json() == told

        assert (await get(sidecar, f"{PATH}?user={ann}", token=token)).json() == told
        reply = await get(sidecar, f"{PATH}?user={bob}", token=token)
        assert (reply.status, reply.json()["error"]["type"]) == (403, "authorization_error")
        for admin in (ADMIN_KEY, MASTER):
            rows = (await get(sidecar, PATH, token=admin)).json()["data"]
            assert [row["user_id"] for row in rows] == [bob, ann, ann]
            rows = (await get(sidecar, f"{PATH}?user={bob}", token=admin)).json()["data"]
            assert [row["user_id"] for row in rows] == [bob]
        assert (await get(sidecar, PATH)).status == 401
        assert (await get(sidecar, f"{PATH}?masterToken={MASTER}")).status == 200


async def test_what_failed_is_told_too(tmp_path):
    """E-086: success or error, of each attempt; T15: nothing of what was said."""
    async with gateway(tmp_path) as sidecar:
        user, token = await registered(sidecar)
        sidecar.sidecar.parts.memory.resting.clear()
        sidecar.upstreams[0].script(["500"])
        await called(sidecar, token)
        reply = await get(sidecar, PATH, token=token)
        second, first = reply.json()["data"]
        assert (first["user_id"], first["provider"], first["model"]) == (user, "p0", "up0")
        assert (first["status"], first["http_status"], first["error"]) == ("error", 500, "http_500")
        assert (first["tokens"], first["energy"]) == (None, None)
        assert first["response_time_ms"] >= 0
        assert (second["provider"], second["status"], second["error"]) == ("p1", "success", None)
        assert second["request_id"] == first["request_id"]


async def test_pages_of_one_moment_leave_nothing_out(tmp_path, monkeypatch):
    """E-086: paged by time, also when all was in one millisecond."""
    async with running(tmp_path) as sidecar:
        monkeypatch.setattr(sidecar.sidecar.clock, "wall", lambda: 1_700_000_000.0)
        for _ in range(5):
            assert (await sidecar.call(chat())).status == 200
        monkeypatch.undo()
        assert (await sidecar.call(chat())).status == 200
        seen, place = [], ""
        for _ in range(4):
            told = (await get(sidecar, f"{PATH}?limit=2{place}")).json()
            seen += [row["id"] for row in told["data"]]
            if told["next"] is None:
                break
            place = f"&before={told['next']}"
        whole = [row["id"] for row in (await get(sidecar, PATH)).json()["data"]]
        assert seen == whole
        assert len(set(whole)) == 6
        assert len((await get(sidecar, f"{PATH}?before=1700000000001")).json()["data"]) == 5
        assert (await get(sidecar, f"{PATH}?before=1700000000000")).json()["data"] == []


@pytest.mark.parametrize("asked", ["limit=0", "limit=501", "limit=x", "before=-1", "before=x", "before=1-",
    "before=" + "9" * 15, "before=1-" + "9" * 16, "user=", "limit=1&limit=2", "before=1%00"])  # fmt: skip
async def test_bad_parameters(tmp_path, asked):
    async with running(tmp_path) as sidecar:
        reply = await get(sidecar, f"{PATH}?{asked}")
        assert (reply.status, reply.json()["error"]["type"]) == (400, "validation_error")


async def test_a_ledger_that_is_gone(tmp_path):
    async with running(tmp_path, check=False) as sidecar:
        await sidecar.call(chat())
        path = sidecar.state / "ledger.sqlite"
        path.rename(sidecar.state / "elsewhere.sqlite")
        reply = await get(sidecar, PATH)
        assert reply.status == 503
        assert str(sidecar.state) not in reply.body.decode()
