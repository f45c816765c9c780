"""Every endpoint, asked by everybody through a socket: who is let in, what the others are told, and that nobody
reads or changes what is another's.

A new page without a line in `PAGES` fails the first test.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from dataclasses import dataclass

import pytest
from fastapi.routing import iter_route_contexts

from kit.raw_http import RawClient
from kit.role_matrix import PASSWORD, WORDS, Asker, Party, party
from wattline.dialects.follow_up import verbs
from wattline.dialects.table import own_paths
from wattline.service.entrance.pages import Pages
from wattline.web.gateway.pace import Pace

UNKNOWN = (
    "nobody", "wrong", "expired", "disabled", "key of a disabled user", "token of a disabled user",
)  # fmt: skip
KNOWN = ("user", "other", "token", "admin")
ROLES = (*UNKNOWN, *KNOWN, "master")

ANYONE = "anyone"
CALLER = "caller"
"""Who has a key that is valid or, where tokens are taken, a token; in open mode everybody."""
ACCOUNT = "account"
"""A caller with an account: nobody's in open mode."""
TRAIL = "trail"
"""A caller, or the master token."""
OPERATOR = "operator"
"""An admin, or the master token, in every mode."""


@dataclass(frozen=True)
class Line:
    """Who is let in, and the status that it gets for a request that changes nothing: with a body that is no
    JSON, or about something that there is not.
    """

    who: str
    status: int
    body: object = None
    query: str = ""


def _lines(who: str, status: int, *names: str) -> dict[tuple[str, str], Line]:
    found = {}
    for name in names:
        method, path = name.split(" ", 1)
        body = None if method in {"GET", "DELETE"} else b"{"
        found[method, path] = Line(who, status, body)
    return found


HEALTH = ("GET /", "GET /version", "GET /health", "GET /health/live", "GET /health/ready")
_MODELS = (
    "/v1", "/openai/v1", "/v1alpha", "/v1beta", "/v2", "/v2/v1", "/v2/v1alpha", "/v2/v1beta", "/v3", "/v3/v1", "/v4", "/v4/openai/v1",
    "/v6", "/v6/v1", "/v6/api/v1", "/api/v1",
)  # fmt: skip
_KEY = "/api/admin/api-keys/{key}"
_USER = "/api/admin/users/{user}"
_PROVIDER = "/api/admin/providers/{name}"
_OFFER = "/api/admin/keys/offered/{offer}"

_ADMIN = (
    _lines(
        OPERATOR, 200, "GET /api/admin/api-keys", "GET /api/admin/cache", "GET /api/admin/errors", "GET /api/admin/keys",
        "GET /api/admin/keys/offered", "GET /api/admin/metrics", "GET /api/admin/metrics/models",
        "GET /api/admin/metrics/providers", "GET /api/admin/metrics/summary", "GET /api/admin/providers",
        "GET /api/admin/users",
    )
    | _lines(
        OPERATOR, 400, "POST /api/admin/api-keys", f"PATCH {_KEY}", f"POST {_KEY}/disable",
        f"POST {_KEY}/enable", f"POST {_KEY}/rotate", "POST /api/admin/keys", f"POST {_OFFER}/accept",
        f"POST {_OFFER}/reject", "POST /api/admin/models/refresh-provider-counts",
        f"POST {_PROVIDER}/disable", f"POST {_PROVIDER}/enable", "POST /api/admin/users",
        "POST /api/admin/users/generate-key", f"POST {_USER}/credit", f"POST {_USER}/disable",
        f"POST {_USER}/enable", f"PATCH {_USER}", f"POST {_USER}/subtract",
    )
    | _lines(OPERATOR, 404, f"DELETE {_KEY}", f"GET {_KEY}", f"GET {_PROVIDER}", f"GET {_USER}")
    | _lines(
        OPERATOR, 409, "POST /api/admin/providers", f"DELETE {_PROVIDER}", f"PUT {_PROVIDER}",
        f"PATCH {_PROVIDER}", f"POST {_PROVIDER}",
    )
)  # fmt: skip

_ASSISTANT = {
    # A token is made for who has none.
    ("GET", "/token"): Line(OPERATOR, 400, query="?userId={new}"),
    ("POST", "/token"): Line(OPERATOR, 400, b"", query="?userId={new}"),
    ("PUT", "/token"): Line(OPERATOR, 400, b"{", query="?userId={new}"),
    ("GET", "/token/has"): Line(OPERATOR, 200, query="?userId={user}"),
    ("GET", "/dialog"): Line(OPERATOR, 200, query="?userId={user}"),
    ("DELETE", "/dialog"): Line(OPERATOR, 200, query="?userId={user}"),
    ("POST", "/completions"): Line(OPERATOR, 400, b"{"),
    ("GET", "/system-message"): Line(OPERATOR, 404, query="?userId={user}"),
    ("PUT", "/system-message"): Line(OPERATOR, 400, b"{"),
    ("POST", "/system-message"): Line(OPERATOR, 400, b"{"),
    ("DELETE", "/system-message"): Line(OPERATOR, 404, query="?userId={user}"),
    ("POST", "/referral"): Line(OPERATOR, 400, b"{"),
    ("GET", "/referral"): Line(OPERATOR, 200, query="?userId={user}"),
}

_NEW = {"email": "no address", "password": PASSWORD}
_OTHERS = {"email": "{email}", "newPassword": "short"}
_GATEWAY = {
    ("GET", "/api/v1/audit"): Line(TRAIL, 200),
    ("GET", "/api/v1/health"): Line(CALLER, 200),
    ("GET", "/api/v1/providers"): Line(CALLER, 200),
    ("GET", "/api/v1/keys"): Line(ACCOUNT, 200),
    ("POST", "/api/v1/keys"): Line(ACCOUNT, 400, b"{"),
    ("POST", "/api/v1/keys/validate"): Line(CALLER, 400, b"{"),
    ("DELETE", "/api/v1/keys/{key}"): Line(ACCOUNT, 404),
    # What they are asked for is a password or a token of its own, not the caller's credential: see below.
    ("POST", "/api/v1/auth/register"): Line("closed", 400, _NEW),
    ("POST", "/api/v1/auth/login"): Line("password", 401, {**_NEW, "password": "wrong"}),
    ("POST", "/api/v1/auth/refresh"): Line("token", 200, b""),
    ("POST", "/api/v1/auth/password"): Line("reset", 400, _OTHERS),
}

PAGES: dict[tuple[str, str], Line] = (
    _lines(ANYONE, 200, *HEALTH, "GET /openapi.json", "GET /api/openapi.json")
    | _lines(ANYONE, 200, "GET /api/version", "GET /v5/api/version", "GET /v1/audio/voices")
    | _lines(ANYONE, 426, "GET /ws")  # a credential is shown at the upgrade: tests/web/ws/test_callers.py
    | _lines(CALLER, 200, *(f"GET {prefix}/models" for prefix in _MODELS))
    | _lines(CALLER, 404, *(f"GET {prefix}/models/{{name:path}}" for prefix in _MODELS))
    | _lines(
        CALLER, 200, "GET /v1/chat/completions/models", "GET /v1/chat/completion/models",
        "GET /v1/audio/models", "GET /v1/keys/me", "GET /metrics", "GET /api/v1/models/providers",
        "GET /api/v1/models/top", *(f"GET {v}/api/{page}" for v in ("", "/v5") for page in ("ps", "tags")),
    )
    | _lines(
        CALLER, 404, "GET /api/v1/models/providers/{provider}", "GET /api/v1/models/{name:path}/parameters",
        "GET /api/v1/models/{name:path}/pricing",
    )
    | _lines(CALLER, 400, "GET /api/v1/models/search", "POST /api/show", "POST /v5/api/show")
    | _ADMIN
    | {(m, p.replace("/api/admin", "/admin", 1)): line for (m, p), line in _ADMIN.items()}
    | _lines(OPERATOR, 400, "POST /v1/generate_key")
    | _ASSISTANT
    | _GATEWAY
)  # fmt: skip

GONE = {
    "{key}": "key_0000000000000000", "{user}": "nobody", "{offer}": "offer_0", "{name:path}": "nothing",
    "{name}": "nothing", "{provider}": "nothing", "{email}": "nobody@example.com", "{new}": "-",
}  # fmt: skip
"""What there is none of, for those who may do it."""
PLACE = re.compile(r"\{[^}]*\}")


def calls() -> dict[tuple[str, str], Line]:
    """Everything in the table of calls; a body that is no JSON is refused after its credential was looked at."""
    found = {
        ("POST", path): Line(CALLER, 400 if route.json or route.either else 415, b"{")
        for path, route in own_paths().items()
    }
    for version in ("/v1", "/v1beta", "/v1alpha", "/v2", "/v2/v1", "/v2/v1beta"):
        for method in ("generateContent", "streamGenerateContent", "embedContent", "countTokens"):
            found["POST", f"{version}/models/m:{method}"] = Line(CALLER, 400, b"{")
    for path in own_paths():
        for rest, methods in verbs(path.rpartition("/")[2]).items():
            for method in methods:
                found[method, f"{path}/made-by-nobody{rest}"] = Line(CALLER, 404)
    return found


def app_routes(party: Party) -> set[tuple[str, str]]:
    """Method and path of each page of the web face."""
    app = party.running.sidecar.web._sockets._app._make()
    return {
        (method, str(found.path))
        for found in iter_route_contexts(app.routes)
        for method in found.methods or ()
    }


def test_every_endpoint_has_its_line(tmp_path):
    """A page that somebody adds must be judged here."""

    async def found():
        async with party(tmp_path, "jwt") as everybody:
            return app_routes(everybody)

    pages = asyncio.run(found())
    assert len(pages) > 140
    health = {tuple(name.split(" ")) for name in HEALTH}
    assert (pages | health) ^ set(PAGES) == set()
    answered = re.findall(r'case "(/[^"]*)"', inspect.getsource(Pages.answer))
    assert {("GET", path) for path in answered} == health


def expected(line: Line, who: str, mode: str) -> int:
    """The status, by the line's rule."""
    token = who == "token" and mode != "keys"
    known = who in {"user", "other", "admin"} or token
    match line.who:
        case "anyone":
            allowed = True
        case "caller":
            allowed = known or mode == "open"
        case "account" if mode == "open" and not known:
            return 403
        case "account":
            allowed = known
        case "trail":
            allowed = known or mode == "open" or who == "master"
        case "operator":
            if who in {"admin", "master"}:
                return line.status
            return 403 if known else 401
        case _:
            return _authentication(line, who, mode, known=known)
    return line.status if allowed else 401


def _authentication(line: Line, who: str, mode: str, *, known: bool) -> int:
    if mode == "keys":
        return 403 if line.who != "reset" or known or who == "master" else 401
    if line.who == "password":
        return 401
    if line.who == "token":
        return 200 if who == "token" else 401
    if who in {"admin", "master"}:
        return line.status
    if line.who == "closed":
        return 403
    return 403 if known else 401


def aimed(line: Line, path: str, names: dict[str, str]) -> tuple[str, object]:
    """The target and the body, with ids in their places."""

    def put(text: str) -> str:
        return PLACE.sub(lambda found: names.get(found[0], GONE.get(found[0], found[0])), text)

    body = line.body
    if isinstance(body, dict):
        body = {name: put(value) for name, value in body.items()}
    return put(path + line.query), body


def targets(everybody: Party, who: str) -> dict[str, str]:
    """Somebody who may not gets the ids of another: bob's, or ann's for bob. The others what there is not."""
    if who in {"admin", "master"}:
        return {}
    ids = everybody.ids["ann" if who == "other" else "bob"]
    return {f"{{{name}}}": value for name, value in ids.items()} | {"{new}": ids["user"]}


ALIASES = ("/v2/", "/v3/", "/v4/", "/v5/", "/v6/", "/openai/v1/", "/v1alpha/", "/admin/")
"""The same routes as elsewhere: asked by all in one mode, by some in the others."""
SOME = ("nobody", "wrong", "user", "token", "master")


def askers(path: str, line: Line, mode: str) -> tuple[str, ...]:
    few = path.startswith(ALIASES) or (mode == "open" and line.who == CALLER)
    return SOME if few and mode != "jwt" else ROLES


@pytest.mark.parametrize("mode", ["keys", "jwt", "open"])
async def test_the_matrix(tmp_path, monkeypatch, mode):
    """A-005, B-005, A-027, A-030, A-130, B-063, E-006, E-111, decision 11, GHSA-qqcv-vg9f-5rr3, CVE-2026-42271."""
    monkeypatch.setattr(Pace, "take", lambda *_: None)
    async with party(tmp_path, mode, "accounts: {register: closed}\n") as everybody:
        asker, before, wrong = Asker(everybody), everybody.kept(), []
        for (method, path), line in {**PAGES, **calls()}.items():
            for who in askers(path, line, mode):
                target, body = aimed(line, path, targets(everybody, who))
                answer = await asker.ask(method, target, body, who)
                status = expected(line, who, mode)
                if answer.status != status:
                    wrong.append((method, target, who, answer.status, status, answer.body[:200]))
                if who not in {"other", "admin", "master"} and WORDS.encode() in answer.body:
                    wrong.append((method, target, who, "told of bob"))
        assert not wrong, f"{len(wrong)} of them:\n" + "\n".join(map(str, wrong[:40]))
        assert everybody.kept() == before


SOCKETS = (
    "/v1/realtime?model=m",
    "/v1/responses",
    "/openai/v1/responses",
    "/v6/v1/realtime?model=m",
)
"""For /ws see tests/web/ws/test_callers.py: its credential may come later, as the first message."""


@pytest.mark.parametrize("mode", ["keys", "jwt", "open"])
async def test_upgrades_and_tunnels(tmp_path, mode):
    """The other ways in: WebSockets by the upgrade's credential, and CONNECT by that of the proxy."""
    async with party(tmp_path, mode) as everybody:
        host, port = everybody.running.address
        for who in ROLES:
            known = who in KNOWN and (who != "token" or mode != "keys")
            shown = f"Bearer {everybody.secrets[who]}" if who != "nobody" else None
            for path in SOCKETS:
                headers = dict(_UPGRADE, host=f"{host}:{port}")
                status = await _asked(host, port, "GET", path, headers, authorization=shown)
                if known or mode == "open":
                    assert status not in {401, 403}, (path, who)
                else:
                    assert status == 401, (path, who, status)
            target = "api.openai.com:443"
            told = {"host": target, "proxy-authorization": shown}
            status = await _asked(host, port, "CONNECT", target, told)
            assert status == (200 if known or mode == "open" else 407), who


_UPGRADE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def _asked(host, port, method, path, headers, **more) -> int:
    """The status of the answer's head."""
    told = {name: value for name, value in (headers | more).items() if value is not None}
    async with await RawClient.connect(f"http://{host}:{port}") as client:
        client.send(method, path, None, told)
        return (await client.head()).status


async def test_nobody_reads_or_changes_what_is_anothers(tmp_path, monkeypatch):
    """GHSA-qqcv-vg9f-5rr3, CVE-2026-30886: bob's key, use, dialog, audit, keys of providers; asked for by ann in
    every way that a parameter, a member or a header could name him.
    """
    monkeypatch.setattr(Pace, "take", lambda *_: None)
    async with party(tmp_path, "jwt") as everybody:
        asker, bob = Asker(everybody), everybody.ids["bob"]
        before = everybody.kept()
        queries = [
            f"?{name}={value}"
            for name in (
                "user",
                "userId",
                "user_id",
                "id",
                "key",
                "keyId",
                "principal",
                "email",
                "owner",
            )
            for value in {bob["user"], bob["key"], bob["email"]}
            if name != "key"  # that would be a second credential
        ]
        own = (
            "/v1/keys/me",
            "/api/v1/keys",
            "/api/v1/audit",
            "/api/v1/health",
            "/v1/models",
            "/metrics",
        )
        for who in ("user", "token"):
            for path in own:
                for query in ("", *queries):
                    answer = await asker.ask("GET", path + query, None, who)
                    assert answer.status in {200, 400, 403}, (path, query)
                    assert not names_bob(everybody, answer.body), (path, query, answer.body)
            for path in (f"/api/v1/keys/{bob['own']}", f"/api/v1/keys/{bob['own']}?user=bob"):
                answer = await asker.ask("DELETE", path, None, who)
                assert (answer.status, names_bob(everybody, answer.body)) == (404, False)
            for name in ("user", "userId", "owner", "id"):
                body = {"provider": "p0", "apiKey": "short", name: "bob"}
                answer = await asker.ask("POST", "/api/v1/keys", body, who)
                assert answer.status == 400
            for body in (
                {"email": bob["email"], "newPassword": PASSWORD},
                {"email": bob["email"], "currentPassword": PASSWORD, "newPassword": PASSWORD},
            ):
                answer = await asker.ask("POST", "/api/v1/auth/password", body, who)
                assert answer.status == 403
            for name in (
                "x-user-id",
                "x-wattline-user",
                "x-wattline-web-visit",
                "x-forwarded-user",
            ):
                headers = {"authorization": f"Bearer {everybody.secrets[who]}", name: "bob"}
                answer = await asker.send("GET", "/v1/keys/me", None, headers)
                assert answer.json()["userId"] == "ann"
        assert everybody.kept() == before


def names_bob(everybody: Party, body: bytes) -> bool:
    """Something of bob's is in an answer."""
    bob = everybody.ids["bob"]
    return any(text.encode() in body for text in (WORDS, bob["key"], bob["own"], '"bob"'))
