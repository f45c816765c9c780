"""Every page of the gateway's accounts, asked by everybody."""

from __future__ import annotations

from kit.gateway_pages import ADMIN_KEY, PASSWORD, ask, gateway, registered
from kit.sidecars import running
from wattline.web.gateway.pace import Pace

MASTER = "0c9a4be2f1d84370a6b5c3d2e1f09876"
KEY = {"provider": "p0", "apiKey": "sk-own-key-of-somebody-0123"}
NEW = {"email": "new@example.com", "password": PASSWORD}
CHANGE = {"currentPassword": PASSWORD, "newPassword": "never reached by the others"}
NONE = "/api/v1/keys/pkey_0123456789abcdef"

# Who asks: nobody, somebody wrong, a user's token, a user's key, an admin's key, the master token.
WHO = ("nobody", "wrong", "expired", "token", "key", "admin", "master")
EXPECTED = {
    ("GET", "/api/v1/health", None): (401, 401, 401, 200, 200, 200, 401),
    ("GET", "/api/v1/providers", None): (401, 401, 401, 200, 200, 200, 401),
    ("GET", "/api/v1/audit", None): (401, 401, 401, 200, 200, 200, 200),
    ("GET", "/api/v1/audit?user=somebody", None): (401, 401, 401, 403, 403, 200, 200),
    ("GET", "/api/v1/keys", None): (401, 401, 401, 200, 200, 200, 401),
    ("POST", "/api/v1/keys", "key"): (401, 401, 401, 201, 201, 201, 401),
    ("DELETE", NONE, None): (401, 401, 401, 404, 404, 404, 401),
    ("POST", "/api/v1/keys/validate", "key"): (401, 401, 401, 200, 200, 200, 401),
    ("POST", "/api/v1/auth/register", "new"): (403, 403, 403, 403, 403, 201, 409),
    ("POST", "/api/v1/auth/refresh", None): (401, 401, 401, 200, 401, 401, 401),
    ("POST", "/api/v1/auth/password", "other"): (401, 401, 401, 403, 403, 404, 404),
    ("PUT", "/api/v1/keys", "key"): (405,) * 7,
    ("GET", "/api/v1/auth/login", None): (405,) * 7,
}
BODIES = {"key": KEY, "new": NEW, "other": {**CHANGE, "email": "nobody@example.com"}, None: None}


async def test_each_page_for_each_role(tmp_path, monkeypatch):
    """E-006, E-111, decision 11: who may do what; what is wrong is not half done."""
    monkeypatch.setattr(Pace, "take", lambda *_: None)
    monkeypatch.setattr("wattline.service.accounts.key_check._is_public", _not_public)
    rules = "\nauth: {mode: jwt, wrong_per_minute: 1000}\naccounts: {register: closed}\n"
    async with gateway(tmp_path, extra=rules, env={"ADMIN_FIRST": MASTER}) as sidecar:
        accounts = sidecar.sidecar.parts.callers.accounts
        await ask(
            sidecar,
            "POST",
            "/api/v1/auth/register",
            {"email": "ann@example.com", "password": PASSWORD},
            token=ADMIN_KEY,
        )
        user = accounts.store.user_by_email("ann@example.com")
        issued = await accounts.create_key(user.id)
        expired = await accounts.create_key(user.id, expires=1)
        shown = {
            "nobody": None,
            "wrong": "f" * 32,
            "expired": expired.secret,
            "token": sidecar.sidecar.parts.callers.tokens.issue(user),
            "key": issued.secret,
            "admin": ADMIN_KEY,
            "master": MASTER,
        }
        for (method, path, body), statuses in EXPECTED.items():
            for who, status in zip(WHO, statuses, strict=True):
                reply = await ask(sidecar, method, path, BODIES[body], token=shown[who])
                assert reply.status == status, (method, path, who, reply.status, reply.body)
                if status >= 400:
                    told = reply.json()["error"]
                    assert set(told) >= {"type", "message", "details", "trace_id"}


async def _not_public(*_):
    return False


async def test_a_wrong_login_counts_as_a_guess(tmp_path, monkeypatch):
    """What is guessed at by logins is told with what is guessed at by keys."""
    monkeypatch.setattr(Pace, "take", lambda *_: None)
    rules = "\nauth: {mode: jwt, wrong_per_minute: 3}\n"
    async with running(tmp_path, extra=rules) as sidecar:
        await registered(sidecar)
        login = {"email": "ann@example.com", "password": "wrong password"}
        statuses = [
            (await ask(sidecar, "POST", "/api/v1/auth/login", login)).status for _ in range(5)
        ]
        assert statuses == [401, 401, 401, 429, 429]
