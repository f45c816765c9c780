"""Registering, logging in, refreshing and changing passwords, through real sockets."""

from __future__ import annotations

import asyncio
import json

import jwt
import pytest

from kit.clients import REVERSE, client
from kit.gateway_pages import (
    ADMIN_KEY,
    ENV,
    PASSWORD,
    SECRET,
    ask,
    chat,
    gateway,
    get,
    post,
    registered,
)
from kit.sidecars import running
from wattline.base.settings import SettingsError
from wattline.service.accounts.tokens import AUDIENCE, ISSUER
from wattline.web.gateway.pace import Pace

REGISTER, LOGIN, REFRESH, CHANGE = (
    f"/api/v1/auth/{name}" for name in ("register", "login", "refresh", "password")
)
ANN = {"email": "ann@example.com", "password": PASSWORD, "name": "Ann"}
CREDENTIALS = {"email": "ann@example.com", "password": PASSWORD}


def code(reply):
    return reply.json()["error"]["details"]["code"]


def error_type(reply):
    return reply.json()["error"]["type"]


@pytest.fixture
def unpaced(monkeypatch):
    """As many requests as a test has."""
    monkeypatch.setattr(Pace, "take_address", lambda *_: None)


@pytest.fixture
async def sidecar(tmp_path):
    async with gateway(tmp_path) as made:
        yield made


async def test_register_login_refresh(sidecar):
    """E-002, E-040, E-041, E-042: the shapes that clients know."""
    reply = await post(sidecar, REGISTER, ANN)
    assert reply.status == 201
    told = reply.json()
    assert set(told) == {"user", "token"}
    assert told["user"].keys() == {"id", "email", "name"}
    assert (told["user"]["email"], told["user"]["name"]) == ("ann@example.com", "Ann")
    claims = jwt.decode(told["token"], SECRET, ["HS256"], audience=AUDIENCE, issuer=ISSUER)
    assert claims["sub"] == told["user"]["id"]
    assert claims["exp"] - claims["iat"] == 86_400

    reply = await post(sidecar, LOGIN, {"email": " Ann@Example.com ", "password": PASSWORD})
    assert reply.status == 200
    assert reply.json().keys() == {"token", "expiresIn"}
    assert reply.json()["expiresIn"] == "24h"
    token = reply.json()["token"]

    reply = await post(sidecar, REFRESH, token=token)
    assert (reply.status, set(reply.json())) == (200, {"token"})
    fresh = reply.json()["token"]
    assert fresh != token
    assert (
        await sidecar.call(chat(), headers=[("authorization", f"Bearer {fresh}")])
    ).status == 200
    assert reply.headers["cache-control"] == "no-store"


async def test_a_token_calls_models_in_each_header(sidecar):
    """E-002: and its user has the account of the call."""
    user, token = await registered(sidecar)
    for pair in (("authorization", f"Bearer {token}"), ("x-api-key", token), ("api-key", token)):
        reply = await sidecar.call(chat(), headers=[pair])
        assert reply.status == 200, reply.body
    assert sidecar.sidecar.parts.callers.accounts.balance(user) < 10_000_000_000
    reply = await sidecar.call(chat(), headers=[("authorization", "Bearer eyJh.b.c")])
    assert reply.status == 401
    assert (await sidecar.call(chat())).status == 401


async def test_lifetime_is_configured(tmp_path):
    """E-021: JWT_EXPIRY."""
    async with gateway(tmp_path, env={"JWT_EXPIRY": "15m"}) as sidecar:
        _, token = await registered(sidecar)
        reply = await post(sidecar, LOGIN, CREDENTIALS)
        assert reply.json()["expiresIn"] == "15m"
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == 900


BAD_FIELDS = [
    ({}, "email"),
    ({"email": 1, "password": PASSWORD}, "email"),
    ({"email": ["a@b"], "password": PASSWORD}, "email"),
    ({"email": "ann@example.com"}, "password"),
    ({"email": "ann@example.com", "password": None}, "password"),
    ({"email": "ann@example.com", "password": True}, "password"),
    ({"email": "ann@example.com", "password": "short"}, "password"),
    ({"email": "ann@example.com", "password": "aaaaaaaaaaaa"}, "password"),
    ({"email": "ann@example.com", "password": "x" * 1_025}, "password"),
    ({"email": "nobody", "password": PASSWORD}, "email"),
    ({"email": "a b@example.com", "password": PASSWORD}, "email"),
    ({"email": "a@" + "b" * 300, "password": PASSWORD}, "email"),
    ({"email": "ann@example.com", "password": PASSWORD, "name": 7}, "name"),
    ({"email": "ann@example.com", "password": PASSWORD, "name": "a\x1b[0m"}, "name"),
    ({"email": "ann@example.com", "password": PASSWORD, "name": "a" * 101}, "name"),
]
BAD_BODIES = [
    (b"", 400),
    (b"null", 400),
    (b"[]", 400),
    (b"{", 400),
    (b'{"email":"a@b.c","email":"d@e.f","password":"12345678"}', 400),
    (b'{"email":"a@b.c","password":"\\ud800aaaabcd"}', 400),
    (b'{"a":' * 50 + b"1" + b"}" * 50, 400),
    (b'{"email":"' + b"a" * 20_000 + b'"}', 413),
    (b"\xff\xfe{}", 400),
]


async def test_bad_fields_are_named_and_not_shown(sidecar, unpaced):
    """E-084, E-110, E-111: details with the field and the message, and a trace id."""
    for body, field in BAD_FIELDS:
        reply = await post(sidecar, REGISTER, body)
        assert reply.status == 400, body
        told = reply.json()["error"]
        assert told["type"] == "validation_error"
        assert told["details"]["field"] == field, body
        assert told["details"]["message"] == told["message"]
        assert told["trace_id"].startswith("req_")
        given = body.get("password")
        if isinstance(given, str):
            assert given not in reply.body.decode()


async def test_bad_bodies(sidecar, unpaced):
    for raw, status in BAD_BODIES:
        for path in (REGISTER, LOGIN, CHANGE):
            token = ADMIN_KEY if path is CHANGE else None
            reply = await post(sidecar, path, raw, token=token)
            assert reply.status == status, (path, raw[:60], reply.body)
            assert error_type(reply) == "validation_error"


async def test_forms_of_web_pages_are_refused(sidecar):
    """What a page of another site can send without asking is no login."""
    reply = await sidecar.call(
        b'{"email":"a@b.c","password":"12345678"}',
        path=LOGIN,
        headers=[("content-type", "text/plain")],
    )
    assert reply.status == 415  # two kinds of content
    connection = await client(sidecar.address, REVERSE, None)
    try:
        pairs = [("host", "localhost"), ("content-type", "text/plain")]
        await connection.send("POST", LOGIN, pairs, json.dumps(CREDENTIALS).encode())
        assert [piece async for piece in connection.pieces()]
        assert connection.reply.status == 415
    finally:
        connection.close()
    reply = await post(sidecar, LOGIN, CREDENTIALS, headers=(("origin", "https://evil.test"),))
    assert reply.status == 403


async def test_an_address_is_registered_once(sidecar):
    await registered(sidecar)
    reply = await post(sidecar, REGISTER, {**ANN, "email": "ANN@example.com"})
    assert (reply.status, code(reply)) == (409, "email_exists")
    assert "ann" not in reply.body.decode().lower()


async def test_two_at_once_make_one_user(sidecar):
    replies = await asyncio.gather(*(post(sidecar, REGISTER, ANN) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [201, 409, 409, 409]


async def test_unknown_address_and_wrong_password_look_the_same(sidecar):
    await registered(sidecar)
    wrong = await post(sidecar, LOGIN, {**CREDENTIALS, "password": "wrong password"})
    unknown = await post(sidecar, LOGIN, {**CREDENTIALS, "email": "bob@example.com"})
    assert wrong.status == unknown.status == 401
    told = [reply.json()["error"] | {"trace_id": ""} for reply in (wrong, unknown)]
    assert told[0] == told[1]
    assert told[0]["type"] == "authentication_error"


async def test_ten_a_minute_from_one_address(sidecar):
    """E-081: with the seconds until another may come, right or wrong."""
    for _ in range(10):
        assert (await post(sidecar, LOGIN, b"{}")).status == 400
    reply = await post(sidecar, LOGIN, CREDENTIALS)
    assert (reply.status, error_type(reply)) == (429, "rate_limit_error")
    assert 0 < int(reply.headers["retry-after"]) <= 60
    assert (await post(sidecar, REFRESH)).status == 429
    assert (await post(sidecar, REGISTER, ANN)).status == 429


async def test_another_password_ends_all_tokens(sidecar):
    _, token = await registered(sidecar)
    other = (await post(sidecar, LOGIN, CREDENTIALS)).json()["token"]
    change = {"currentPassword": PASSWORD, "newPassword": "another one entirely"}
    wrong = {**change, "currentPassword": "not it at all"}
    assert (await post(sidecar, CHANGE, wrong, token=token)).status == 403
    assert (await get(sidecar, "/api/v1/keys", token=token)).status == 200

    reply = await post(sidecar, CHANGE, change, token=token)
    assert reply.status == 200
    for old in (token, other):
        assert (await get(sidecar, "/api/v1/keys", token=old)).status == 401
        assert (await post(sidecar, REFRESH, token=old)).status == 401
        reply_old = await sidecar.call(chat(), headers=[("authorization", f"Bearer {old}")])
        assert reply_old.status == 401
    assert (await get(sidecar, "/api/v1/keys", token=reply.json()["token"])).status == 200
    assert (await post(sidecar, LOGIN, CREDENTIALS)).status == 401


async def test_a_disabled_user_is_out_at_once_and_stays_out(sidecar):
    """E-121: what is cached of a user does not outlive its rights."""
    user, token = await registered(sidecar)
    assert (await get(sidecar, "/api/v1/keys", token=token)).status == 200
    await sidecar.sidecar.parts.callers.accounts.disable_user(user)
    assert (await get(sidecar, "/api/v1/keys", token=token)).status == 401
    assert (await post(sidecar, LOGIN, CREDENTIALS)).status == 401
    assert (await post(sidecar, REFRESH, token=token)).status == 401
    await sidecar.sidecar.parts.callers.accounts.enable_user(user)
    assert (await get(sidecar, "/api/v1/keys", token=token)).status == 401
    assert (await post(sidecar, LOGIN, CREDENTIALS)).status == 200


async def test_tokens_outlive_a_restart_and_end_with_it_where_they_must(tmp_path):
    async with gateway(tmp_path) as sidecar:
        user, token = await registered(sidecar)
        _, other = await registered(sidecar, "bob@example.com")
        await sidecar.sidecar.parts.callers.accounts.disable_user(user)
        await sidecar.sidecar.parts.callers.accounts.enable_user(user)
    async with gateway(tmp_path) as sidecar:
        assert (await get(sidecar, "/api/v1/keys", token=token)).status == 401
        assert (await get(sidecar, "/api/v1/keys", token=other)).status == 200
    async with gateway(tmp_path, env={"JWT_SECRET": SECRET[::-1]}) as sidecar:
        assert (await get(sidecar, "/api/v1/keys", token=other)).status == 401


async def test_registration_can_be_closed(tmp_path):
    """Then admins make users, who log in as any other."""
    closed = "\nauth: {mode: jwt}\naccounts: {register: closed}\n"
    async with gateway(tmp_path, extra=closed) as sidecar:
        reply = await post(sidecar, REGISTER, ANN)
        assert (reply.status, error_type(reply)) == (403, "authorization_error")
        assert code(reply) == "registration_closed"
        reply = await post(sidecar, REGISTER, ANN, token=ADMIN_KEY)
        assert reply.status == 201
        assert set(reply.json()) == {"user"}
        token = (await post(sidecar, LOGIN, CREDENTIALS)).json()["token"]
        reply = await post(sidecar, REGISTER, {**ANN, "email": "b@example.com"}, token=token)
        assert reply.status == 403

        reset = {"email": "ann@example.com", "newPassword": "set by an admin"}
        assert (await post(sidecar, CHANGE, reset, token=token)).status == 403
        assert (await post(sidecar, CHANGE, reset, token=ADMIN_KEY)).status == 200
        assert (await get(sidecar, "/api/v1/keys", token=token)).status == 401
        reply = await post(sidecar, LOGIN, {**CREDENTIALS, "password": "set by an admin"})
        assert reply.status == 200
        missing = {**reset, "email": "x@example.com"}
        assert (await post(sidecar, CHANGE, missing, token=ADMIN_KEY)).status == 404


async def test_a_users_tier_bounds_its_tokens(tmp_path):
    """E-082, E-083: limits of one user, given by an admin; also after a restart."""
    rules = "\nauth: {mode: jwt}\ntiers: {free: {rpm: 1}, paid: {rpm: 1000}}\n"
    async with gateway(tmp_path, extra=rules) as sidecar:
        _, plain = await registered(sidecar, "bob@example.com")
        reply = await post(sidecar, REGISTER, {**ANN, "tier": "free"}, token=plain)
        assert (reply.status, reply.json()["error"]["details"]["field"]) == (400, "tier")
        reply = await post(sidecar, REGISTER, {**ANN, "tier": "golden"}, token=ADMIN_KEY)
        assert (reply.status, code(reply)) == (400, "unknown_tier")
        reply = await post(sidecar, REGISTER, {**ANN, "tier": "free"}, token=ADMIN_KEY)
        user = reply.json()["user"]["id"]
        token = (await post(sidecar, LOGIN, CREDENTIALS)).json()["token"]

        async def called(secret):
            return (
                await sidecar.call(chat(), headers=[("authorization", f"Bearer {secret}")])
            ).status

        assert [await called(token) for _ in range(2)] == [200, 429]
        assert [await called(plain) for _ in range(2)] == [200, 200]
    async with gateway(tmp_path, extra=rules) as sidecar:
        assert await called(token) == 429
        await sidecar.sidecar.parts.callers.accounts.change_user(user, tier="paid")
        assert [await called(token) for _ in range(2)] == [200, 200]
        issued = await sidecar.sidecar.parts.callers.accounts.create_key(user)
        assert sidecar.sidecar.parts.callers.directory.principal(issued.key.id).tier == "paid"
        issued = await sidecar.sidecar.parts.callers.accounts.create_key(user, tier="free")
        assert sidecar.sidecar.parts.callers.directory.principal(issued.key.id).tier == "free"


async def test_keys_mode_takes_keys_alone(tmp_path):
    """Decision 11."""
    async with gateway(tmp_path, extra="\nauth: {mode: keys}\n") as sidecar:
        for path in (REGISTER, LOGIN, REFRESH):
            reply = await post(sidecar, path, ANN)
            assert (reply.status, code(reply)) == (403, "tokens_not_taken")
        user = await sidecar.sidecar.parts.callers.accounts.create_user(email="z@example.com")
        token = sidecar.sidecar.parts.callers.tokens.issue(user)
        assert (
            await sidecar.call(chat(), headers=[("authorization", f"Bearer {token}")])
        ).status == 401
        assert (await get(sidecar, "/api/v1/keys", token=token)).status == 401
        assert (await get(sidecar, "/api/v1/keys", token=ADMIN_KEY)).status == 200


async def test_open_mode_knows_a_token_and_makes_no_users(tmp_path):
    """Decision 11: registration is closed there by default."""
    async with running(tmp_path, env=ENV) as sidecar:
        assert (await post(sidecar, REGISTER, ANN)).status == 403
        assert (await post(sidecar, REGISTER, ANN, token=ADMIN_KEY)).status == 201
        reply = await post(sidecar, LOGIN, CREDENTIALS)
        token = reply.json()["token"]
        assert (await post(sidecar, REFRESH)).status == 401
        assert (await get(sidecar, "/api/v1/keys")).status == 403
        assert (await get(sidecar, "/api/v1/keys", token=token)).status == 200
        assert (await sidecar.call(chat())).status == 200


async def test_a_secret_of_our_own_where_none_is_set(tmp_path):
    """It is made once, for its owner alone."""
    env = {"DEFAULT_ADMIN_API_KEY": ADMIN_KEY}
    async with running(tmp_path, extra="\nauth: {mode: jwt}\n", env=env) as sidecar:
        path = sidecar.state / "jwt.secret"
        assert path.stat().st_mode & 0o777 == 0o600
        _, token = await registered(sidecar)
    async with running(tmp_path, extra="\nauth: {mode: jwt}\n", env=env) as sidecar:
        assert (await get(sidecar, "/api/v1/keys", token=token)).status == 200
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="can be read by others"):
        async with running(tmp_path, extra="\nauth: {mode: jwt}\n", env=env):
            pass


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWT_SECRET", "your-super-secret-jwt-key-change-in-production"),
        ("JWT_SECRET", ""),
        ("JWT_SECRET", "short but random 9c1d77"),
        ("JWT_EXPIRY", "forever"),
        ("JWT_EXPIRY", "5s"),
        ("WATTLINE_SECRET_KEY", ""),
        ("WATTLINE_SECRET_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ],
)
async def test_what_can_be_guessed_refuses_to_start(tmp_path, name, value):
    """E-021: in whatever mode, and the message does not hold the secret."""
    with pytest.raises(SettingsError) as refused:
        async with running(tmp_path, env={name: value}, check=False):
            pass
    assert name in str(refused.value)
    assert not value or len(value) < 10 or value not in str(refused.value)


async def test_paths_and_methods(sidecar):
    assert (await ask(sidecar, "GET", LOGIN)).status == 405
    assert (await post(sidecar, "/api/v1/auth/nothing", {})).status == 404
    assert (await post(sidecar, f"{LOGIN}?a=1&a=2", CREDENTIALS)).status == 400


async def test_nothing_secret_is_written_anywhere(sidecar, caplog):
    caplog.set_level("DEBUG")
    _, token = await registered(sidecar)
    await post(sidecar, LOGIN, {**CREDENTIALS, "password": "wrong but private"})
    await post(
        sidecar,
        CHANGE,
        {"currentPassword": PASSWORD, "newPassword": "next private one"},
        token=token,
    )
    said = caplog.text
    for secret in (
        PASSWORD,
        "wrong but private",
        "next private one",
        token,
        "ann@example.com",
        SECRET,
    ):
        assert secret not in said
    for path in sidecar.state.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert PASSWORD.encode() not in content
            assert token.encode() not in content


PROXIED = [
    ("x-forwarded-for", "198.51.100.7"),
    ("forwarded", "for=198.51.100.7"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-real-ip", "198.51.100.7"),
    ("via", "1.1 edge"),
]


@pytest.mark.parametrize("header", PROXIED, ids=lambda header: header[0])
async def test_registration_is_not_open_behind_a_proxy(sidecar, header):
    """Who listens on loopback may have a proxy in front that does not: `auto` is for this machine alone."""
    reply = await post(sidecar, REGISTER, ANN, headers=(header,))
    assert (reply.status, code(reply)) == (403, "registration_closed")
    reply = await post(sidecar, REGISTER, ANN, headers=(header,), token=ADMIN_KEY)
    assert reply.status == 201


async def test_registration_is_not_open_where_proxies_are_trusted(tmp_path):
    rules = "\nauth: {mode: jwt}\nlisten: {trusted_proxies: [127.0.0.1]}\n"
    async with gateway(tmp_path, extra=rules) as sidecar:
        assert (await post(sidecar, REGISTER, ANN)).status == 403
    (tmp_path / "open").mkdir()
    rules += "accounts: {register: open}\n"
    async with gateway(tmp_path / "open", extra=rules) as sidecar:
        reply = await post(sidecar, REGISTER, ANN, headers=(PROXIED[0],))
        assert reply.status == 201


@pytest.mark.parametrize("email", ["a\x07b@example.com", "a@exa\x1bmple.com", "a\u202eb@x.com"])
async def test_an_address_has_no_control_characters(sidecar, email):
    """A terminal or a page shows it some day."""
    reply = await post(sidecar, REGISTER, {**ANN, "email": email})
    assert (reply.status, reply.json()["error"]["details"]["field"]) == (400, "email")
    assert email not in reply.body.decode()
