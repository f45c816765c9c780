"""Every page of operators, asked by everybody."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import APIRoute

from kit.admins import ADMIN, MASTER, ROLES, desk
from kit.sidecars import running
from wattline.web.admin.pages import admin_routers
from wattline.wire.call import Role

OPEN_TO_CALLERS = {("GET", "/v1/keys/me")}
REFUSED = {"none": 401, "wrong": 401, "expired": 401, "disabled": 401, "user": 403, "other": 403}


def routes(sidecar) -> list[tuple[str, str]]:
    inner = sidecar.sidecar
    found = [
        (method, route.path)
        for router in admin_routers(inner.site.control(), inner.site.admin())
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods)
    ]
    assert len(found) > 60
    return found


async def test_the_matrix(tmp_path):
    """Each page x {none, wrong, expired, disabled, user, other user, admin, master}: who is no admin is told
    nothing, whatever was sent, and nothing is changed.
    """
    async with desk(tmp_path) as asked:
        before = await asked.get("/api/admin/api-keys?limit=500")
        for method, path in routes(asked.sidecar):
            if (method, path) in OPEN_TO_CALLERS:
                continue
            place = path.replace("{key}", asked.ids["user"]).replace("{user}", "ann")
            place = re.sub(r"\{[^}]*\}", "p0", place)
            for who, status in REFUSED.items():
                reply = await asked.ask(method, place, b"{" if method != "GET" else b"", who=who)
                assert reply.status == status, (method, place, who, reply.body)
                code = reply.json()["error"]["code"]
                assert code == ("invalid_api_key" if status == 401 else "not_an_admin")
        after = await asked.get("/api/admin/api-keys?limit=500")
        assert after["entries"] == before["entries"]


async def test_an_admins_key_and_the_master_token(tmp_path):
    """B-063, B-064, B-126, A-130: by header, and the master token in the query too."""
    async with desk(tmp_path) as asked:
        for who in ("admin", "master"):
            for path in ("/api/admin/providers", "/admin/providers", "/api/admin/metrics"):
                assert (await asked.ask("GET", path, who=who)).status == 200
        path = f"/api/admin/users?masterToken={MASTER}"
        assert (await asked.ask("GET", path, who="none")).status == 200
        path = f"/api/admin/users?masterToken={ADMIN}"
        assert (await asked.ask("GET", path, who="none")).status == 401
        for name in ("x-api-key", "api-key"):
            reply = await asked.ask("GET", "/api/admin/users", who="none", headers=[(name, ADMIN)])
            assert reply.status == 200


async def test_an_admin_of_yesterday(tmp_path):
    """A role that was taken back counts from the next request on."""
    async with desk(tmp_path) as asked:
        await asked.accounts.change_user("admin", role=Role.USER)
        assert (await asked.ask("GET", "/api/admin/users")).status == 403
        await asked.accounts.disable_user("admin")
        assert (await asked.ask("GET", "/api/admin/users")).status == 401


async def test_nobody_is_an_admin_in_open_mode(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        reply = await sidecar.call(b"", path="/api/admin/providers", method="GET")
        assert reply.status == 401
        reply = await sidecar.call(b"", path="/v1/keys/me", method="GET")
        assert (reply.status, reply.json()["user"], reply.json()["balance"]) == (200, "local", None)


@pytest.mark.parametrize("who", ROLES)
async def test_a_key_about_itself(tmp_path, who):
    """B-031: who has a key that is valid sees it; the master token is no key."""
    async with desk(tmp_path) as asked:
        reply = await asked.ask("GET", "/v1/keys/me", who=who)
        known = who in {"user", "other", "admin"}
        assert reply.status == (200 if known else 401)
        if known:
            assert reply.json()["userId"] == {"user": "ann", "other": "bob", "admin": "admin"}[who]


async def test_they_can_be_switched_off(tmp_path):
    """B-124."""
    async with desk(tmp_path, env={"ENABLE_ADMIN_ROUTES": "false"}) as asked:
        for method, path in routes(asked.sidecar):
            place = re.sub(r"\{[^}]*\}", "p0", path)
            reply = await asked.ask(method, place)
            expected = 200 if (method, path) in OPEN_TO_CALLERS else 404
            assert reply.status == expected, path
        assert "switched off" in reply.json()["error"]["message"]
    async with desk(tmp_path, env={"ENABLE_OPENAI_ROUTES": "false"}) as asked:
        assert (await asked.ask("GET", "/v1/keys/me")).status == 404
        assert (await asked.ask("GET", "/api/admin/users")).status == 200


async def test_a_web_page_of_another_site_is_refused(tmp_path):
    """T6: with the right key too."""
    async with desk(tmp_path) as asked:
        for headers in ([("origin", "https://evil.test")], [("origin", "null")]):
            reply = await asked.ask("POST", "/api/admin/users", {"id": "eve"}, headers=headers)
            assert reply.status == 403
        assert asked.accounts.store.user("eve") is None


async def test_one_form_of_a_path(tmp_path):
    async with desk(tmp_path) as asked:
        for path in (
            "/api/admin//users", "/API/admin/users", "/api/admin/../admin/users", "/api/admin/%75sers",
            "/api/admin/users/", "/api/admin/users/%61nn", "/api/admin/users/ann/", "/admin/nothing",
            "/api/admin/users/ann%2f", "/api/admin/users/ANN",
        ):  # fmt: skip
            reply = await asked.ask("GET", path)
            assert reply.status in {400, 404}, path
            assert reply.json()["error"]
