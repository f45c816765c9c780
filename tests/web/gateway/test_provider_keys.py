"""Users' own keys for providers, through real sockets: kept sealed, masked, and used for one user alone."""

from __future__ import annotations

import json
import sqlite3
from contextlib import asynccontextmanager

import pytest

from kit.gateway_pages import ADMIN_KEY, ENV, ask, chat, get, post, registered
from kit.key_holders import KeyHolder, holding
from kit.sidecars import running
from wattline.service.history.recalled import recall_call

KEYS, CHECK = "/api/v1/keys", "/api/v1/keys/validate"
RULES = """
version: 1
auth: {{mode: {mode}}}
accounts: {{own_keys: {own_keys}}}
providers:
  alpha: {{url: "{alpha}/v1", key: "${{ALPHA_KEY}}", rpm: 100}}
  beta: {{url: "{beta}/v1", key: "${{BETA_KEY}}"}}
  ant: {{url: "{beta}/v1", key: "${{ANT_KEY}}", dialect: anthropic}}
  free: {{url: "{beta}/v1"}}
  closed: {{url: "{beta}/v1", key: "${{CLOSED_KEY}}", enabled: false}}
models:
  m: {{provider: alpha, name: up, rate: 2}}
  b: {{provider: beta, name: up, rate: 2}}
  both: {{provider: alpha, name: up, rate: 2, chain: [both, b]}}
rules: [{{name: by-model, try: model}}]
"""
OPERATOR = "sk-the-operator-pays-0123456789"
OWN, OTHER = "sk-own-key-of-ann-0123456789xyz", "sk-own-key-of-bob-0123456789abc"


@asynccontextmanager
async def house(tmp_path, *, mode="jwt", own_keys="free"):
    """Two providers with an origin each; only the first has a key of the operator's."""
    alpha, beta = KeyHolder(), KeyHolder()
    async with holding(alpha, beta):
        text = RULES.format(alpha=alpha.url, beta=beta.url, mode=mode, own_keys=own_keys)
        env = {**ENV, "ALPHA_KEY": OPERATOR}
        async with running(tmp_path, 0, text=text, env=env) as sidecar:
            yield sidecar, alpha, beta


@pytest.fixture
async def made(tmp_path):
    async with house(tmp_path) as found:
        yield found


def code(reply):
    return reply.json()["error"]["details"]["code"]


async def add(sidecar, token, provider="beta", key=OWN, name="Mine"):
    return await post(
        sidecar, KEYS, {"provider": provider, "apiKey": key, "name": name}, token=token
    )


async def called(sidecar, token, model="m"):
    return await sidecar.call(chat(model), headers=[("authorization", f"Bearer {token}")])


async def rows(sidecar):
    connection = sqlite3.connect(sidecar.state / "ledger.sqlite")
    try:
        return connection.execute("SELECT provider, energy, hold, flags FROM attempts").fetchall()
    finally:
        connection.close()


async def test_add_list_remove(made):
    """E-049, E-087: the shape that clients know; no answer holds the key."""
    sidecar, _, _ = made
    _, token = await registered(sidecar)
    reply = await add(sidecar, token)
    assert reply.status == 201
    told = reply.json()
    assert told.keys() == {"id", "provider", "name", "maskedKey"}
    assert (told["provider"], told["name"]) == ("beta", "Mine")
    assert told["maskedKey"] == "sk-own-...xyz"
    reply = await get(sidecar, KEYS, token=token)
    (listed,) = reply.json()["keys"]
    assert listed == {**told, "created": listed["created"], "active": True}
    assert OWN not in reply.body.decode()

    reply = await ask(sidecar, "DELETE", f"{KEYS}/{told['id']}", token=token)
    assert (reply.status, reply.json()) == (200, {"id": told["id"], "deleted": True})
    assert (await ask(sidecar, "DELETE", f"{KEYS}/{told['id']}", token=token)).status == 404
    assert (await get(sidecar, KEYS, token=token)).json() == {"keys": []}


async def test_one_users_keys_are_nobody_elses(made):
    sidecar, _, beta = made
    _, ann = await registered(sidecar)
    _, bob = await registered(sidecar, "bob@example.com")
    key = (await add(sidecar, ann)).json()["id"]
    for other in (bob, ADMIN_KEY):
        assert (await get(sidecar, KEYS, token=other)).json() == {"keys": []}
        assert (await ask(sidecar, "DELETE", f"{KEYS}/{key}", token=other)).status == 404
    assert (await called(sidecar, bob, "b")).status == 503
    assert not beta.seen
    assert (await called(sidecar, ann, "b")).status == 200


@pytest.mark.parametrize(
    "place",
    [
        "x",
        "pkey_0",
        "PKEY_0123456789abcdef",
        "pkey_0123456789abcdef%20",
        "%2e%2e",
        "key_0123456789abcdef",
    ],
)
async def test_ids_have_one_form(made, place):
    sidecar, _, _ = made
    assert (await ask(sidecar, "DELETE", f"{KEYS}/{place}", token=ADMIN_KEY)).status in {400, 404}


async def test_who_has_no_account_keeps_no_keys(tmp_path):
    async with house(tmp_path, mode="open") as (sidecar, _, _):
        for reply in (
            await add(sidecar, None),
            await get(sidecar, KEYS),
            await ask(sidecar, "DELETE", f"{KEYS}/pkey_0123456789abcdef"),
        ):
            assert (reply.status, code(reply)) == (403, "no_account")
    async with house(tmp_path) as (sidecar, _, _):
        for reply in (
            await add(sidecar, None),
            await get(sidecar, KEYS),
            await post(sidecar, CHECK),
        ):
            assert reply.status == 401
            assert reply.json()["error"]["type"] == "authentication_error"


BAD = [
    ({}, 400, "invalid_value"),
    ({"provider": "beta"}, 400, "invalid_value"),
    ({"provider": 7, "apiKey": OWN}, 400, "invalid_value"),
    ({"provider": "beta", "apiKey": [OWN]}, 400, "invalid_value"),
    ({"provider": "beta", "apiKey": "short"}, 400, "invalid_key"),
    ({"provider": "beta", "apiKey": "sk-with a space in it"}, 400, "invalid_key"),
    ({"provider": "beta", "apiKey": "sk-with\r\nx-evil: 1 in it"}, 400, "invalid_key"),
    ({"provider": "beta", "apiKey": "sk-ключ-0123456789"}, 400, "invalid_key"),
    ({"provider": "beta", "apiKey": "k" * 513}, 400, "invalid_value"),
    ({"provider": "nobody", "apiKey": OWN}, 404, "provider_not_found"),
    ({"provider": "../beta", "apiKey": OWN}, 404, "provider_not_found"),
    ({"provider": "free", "apiKey": OWN}, 400, "no_key_needed"),
    ({"provider": "closed", "apiKey": OWN}, 409, "provider_unavailable"),
]


async def test_bad_keys(made, monkeypatch):
    """E-084, E-110: the field is named, the key is not shown; an unknown provider is told the known ones."""
    sidecar, _, _ = made
    monkeypatch.setattr("wattline.web.gateway.pace.Pace.take", lambda *_: None)
    _, token = await registered(sidecar)
    for path in (KEYS, CHECK):
        for body, status, word in BAD:
            reply = await post(sidecar, path, body, token=token)
            assert (reply.status, code(reply)) == (status, word), (path, body)
            told = reply.json()["error"]
            assert told["type"] == "validation_error"
            assert told["trace_id"]
            if isinstance(body.get("apiKey"), str):
                assert body["apiKey"] not in reply.body.decode()
            if word == "provider_not_found":
                assert told["details"]["available_providers"] == [
                    "alpha",
                    "ant",
                    "beta",
                    "closed",
                    "free",
                ]
    reply = await post(
        sidecar, KEYS, {"provider": "beta", "apiKey": OWN, "name": "a\nb"}, token=token
    )
    assert reply.status == 400


async def test_an_own_key_takes_the_place_of_the_operators(made):
    """E-085: for this user and this provider; the user pays its provider and not us."""
    sidecar, alpha, beta = made
    user, ann = await registered(sidecar)
    _, bob = await registered(sidecar, "bob@example.com")
    before = sidecar.sidecar.parts.callers.accounts.balance(user)
    await add(sidecar, ann, "alpha")
    reply = await called(sidecar, ann)
    assert reply.status == 200
    assert OWN not in reply.body.decode()  # the provider echoed it
    assert alpha.seen == [("/v1/chat/completions", OWN)]
    assert sidecar.sidecar.parts.callers.accounts.balance(user) == before
    await called(sidecar, bob)
    assert alpha.seen[-1] == ("/v1/chat/completions", OPERATOR)
    assert not beta.seen
    own, operators = await rows(sidecar)
    assert own == ("alpha", 0, 0, '["own_key"]')
    assert operators[0] == "alpha"
    assert operators[1] > 0


async def test_an_own_key_can_be_charged(tmp_path):
    async with house(tmp_path, own_keys="charged") as (sidecar, alpha, _):
        user, ann = await registered(sidecar)
        before = sidecar.sidecar.parts.callers.accounts.balance(user)
        await add(sidecar, ann, "alpha")
        assert (await called(sidecar, ann)).json()["usage"]["energy"] > 0
        assert alpha.seen == [("/v1/chat/completions", OWN)]
        assert sidecar.sidecar.parts.callers.accounts.balance(user) < before
        ((_, energy, _, flags),) = await rows(sidecar)
        assert energy > 0
        assert json.loads(flags) == ["own_key"]


async def test_a_provider_without_the_operators_key_is_there_for_its_user(made):
    sidecar, _, beta = made
    _, ann = await registered(sidecar)
    assert (await called(sidecar, ann, "b")).status == 503
    states = {}
    for when in ("before", "after"):
        told = (await get(sidecar, "/api/v1/providers", token=ann)).json()["providers"]
        states[when] = {entry["id"]: entry["status"] for entry in told}["beta"]
        names = (await get(sidecar, "/v1/models", token=ann)).json()["data"]
        assert ("b" in {model["id"] for model in names}) == (when == "after")
        await add(sidecar, ann)
    assert states == {"before": "unavailable", "after": "active"}
    assert (await called(sidecar, ann, "b")).status == 200
    assert (await called(sidecar, ann, "beta/any")).status == 200
    assert [key for path, key in beta.seen if path.endswith("/completions")] == [OWN, OWN]


async def test_a_key_that_the_provider_refuses_rests_for_its_user_alone(made):
    sidecar, alpha, _ = made
    _, ann = await registered(sidecar)
    _, bob = await registered(sidecar, "bob@example.com")
    await add(sidecar, ann, "alpha", OTHER)
    alpha.keys = {OPERATOR}
    assert (await called(sidecar, ann)).status == 500
    assert (await called(sidecar, bob)).status == 200
    assert (await called(sidecar, ann)).status == 503
    assert [key for _, key in alpha.seen] == [OTHER, OPERATOR]


async def test_failover_never_lends_a_key(made):
    """Ann's key is for beta: alpha gets the operator's, beta hers, in one call."""
    sidecar, alpha, beta = made
    _, ann = await registered(sidecar)
    await add(sidecar, ann)
    alpha.status = 500
    assert (await called(sidecar, ann, "both")).status == 200
    assert {key for _, key in alpha.seen} == {OPERATOR}
    assert {key for _, key in beta.seen} == {OWN}
    assert not any(OWN in text for text in alpha.raw)
    assert not any(OPERATOR in text for text in beta.raw)


async def test_a_changed_origin_gets_no_key(made):
    """The operator points a provider elsewhere: users' keys do not follow."""
    sidecar, alpha, beta = made
    _, ann = await registered(sidecar)
    await add(sidecar, ann)
    text = sidecar.rules.read_text()
    sidecar.rules.write_text(
        text.replace(f'beta: {{url: "{beta.url}', f'beta: {{url: "{alpha.url}')
    )
    assert (await called(sidecar, ann, "b")).status == 503
    assert not alpha.seen
    (listed,) = (await get(sidecar, KEYS, token=ann)).json()["keys"]
    assert listed["active"] is False
    sidecar.rules.write_text(text)
    assert (await called(sidecar, ann, "b")).status == 200


async def test_a_row_in_anothers_name_does_not_open(tmp_path):
    """E-085: sealed rows swapped between users are nobody's; the operator's key does not take their place."""
    alpha, beta = KeyHolder(), KeyHolder()
    async with holding(alpha, beta):
        text = RULES.format(alpha=alpha.url, beta=beta.url, mode="jwt", own_keys="free")
        env = {**ENV, "ALPHA_KEY": OPERATOR}
        async with running(tmp_path, 0, text=text, env=env) as sidecar:
            ann, token = await registered(sidecar)
            bob, other = await registered(sidecar, "bob@example.com")
            await add(sidecar, token, "alpha", OWN)
            await add(sidecar, other, "alpha", OTHER)
        path = tmp_path / "state" / "ledger.sqlite"
        kept = b"".join(file.read_bytes() for file in path.parent.glob("ledger*"))
        assert OWN.encode() not in kept
        connection = sqlite3.connect(path)
        sealed = dict(connection.execute("SELECT user, sealed FROM provider_keys"))
        swap = "UPDATE provider_keys SET sealed = ? WHERE user = ?"
        connection.executemany(swap, [(sealed[bob], ann), (sealed[ann], bob)])
        connection.commit()
        connection.close()
        async with running(tmp_path, 0, text=text, env=env) as sidecar:
            for user in (token, other):
                reply = await called(sidecar, user)
                assert reply.status == 503
                assert "your key can't be used" in reply.body.decode()
        assert not alpha.seen
        found = recall_call(
            path, reply.headers["x-wattline-call"], sidecar.sidecar.books.current, env
        )
        assert found is not None
        assert found.explanation is not None
        assert found.agrees
        assert {skip.code for skip in found.explanation.plan.skipped} == {"own_key"}


async def test_at_most_fifty_keys(made):
    sidecar, _, _ = made
    user, token = await registered(sidecar)
    provider = sidecar.sidecar.books.current.providers["beta"]
    for number in range(50):
        await sidecar.sidecar.parts.callers.own_keys.add(user, provider, f"{OWN}{number}", "")
    reply = await add(sidecar, token)
    assert (reply.status, code(reply)) == (409, "too_many_keys")


async def test_the_newest_key_counts_also_after_a_restart(tmp_path):
    alpha, beta = KeyHolder(), KeyHolder()
    async with holding(alpha, beta):
        text = RULES.format(alpha=alpha.url, beta=beta.url, mode="jwt", own_keys="free")
        env = {**ENV, "ALPHA_KEY": OPERATOR}
        async with running(tmp_path, 0, text=text, env=env) as sidecar:
            _, token = await registered(sidecar)
            await add(sidecar, token, "beta", OWN)
            newest = (await add(sidecar, token, "beta", OTHER)).json()["id"]
            assert (await called(sidecar, token, "b")).status == 200
            assert (sidecar.state / "secret.key").stat().st_mode & 0o777 == 0o600
        async with running(tmp_path, 0, text=text, env=env) as sidecar:
            assert (await called(sidecar, token, "b")).status == 200
            await ask(sidecar, "DELETE", f"{KEYS}/{newest}", token=token)
            assert (await called(sidecar, token, "b")).status == 200
        assert [key for _, key in beta.seen] == [OTHER, OTHER, OWN]
        (tmp_path / "state" / "secret.key").unlink()
        async with running(tmp_path, 0, text=text, env=env) as sidecar:
            reply = await called(sidecar, token, "b")
            assert reply.status == 503  # what sealed it is gone
            assert "your key can't be used" in reply.body.decode()
        assert len(beta.seen) == 3


async def test_keys_sealed_with_an_older_key_are_sealed_anew(tmp_path):
    first, second = (
        "pU3KGCUwux1tEyze1iN7LtkeP3IfyxlxF0SU1kk8nVw=",
        "NGC+MSAeaf7aoO7ouZl/XHwpmf2v5ZMlPNZUr0361xQ=",
    )
    alpha, beta = KeyHolder(), KeyHolder()
    async with holding(alpha, beta):
        text = RULES.format(alpha=alpha.url, beta=beta.url, mode="jwt", own_keys="free")
        for keys in (first, f"{second},{first}", second):
            env = {**ENV, "ALPHA_KEY": OPERATOR, "WATTLINE_SECRET_KEY": keys}
            async with running(tmp_path, 0, text=text, env=env) as sidecar:
                if keys == first:
                    _, token = await registered(sidecar)
                    await add(sidecar, token)
                assert (await called(sidecar, token, "b")).status == 200
        assert not (tmp_path / "state" / "secret.key").exists()


async def test_validate(made):
    """E-050: what the provider says of a key, at its own origin; nothing is kept."""
    sidecar, alpha, beta = made
    alpha.keys = {OPERATOR}
    beta.keys = {OWN}
    _, token = await registered(sidecar)
    reply = await post(sidecar, CHECK, {"provider": "beta", "apiKey": OWN}, token=token)
    assert reply.status == 200
    assert reply.json() == {
        "valid": True,
        "provider": "beta",
        "details": {"hasAccess": True, "models": ["one", "two"]},
    }
    reply = await post(sidecar, CHECK, {"provider": "beta", "apiKey": OTHER}, token=token)
    assert reply.json() == {
        "valid": False,
        "provider": "beta",
        "details": {"hasAccess": False, "models": []},
    }
    assert {path for path, _ in beta.seen} == {"/v1/models"}
    assert not alpha.seen
    assert (await get(sidecar, KEYS, token=token)).json() == {"keys": []}


async def test_validate_with_a_provider_that_does_not_tell(made):
    """E-111: provider_error; no answer holds the key that the provider echoed."""
    sidecar, _, beta = made
    _, token = await registered(sidecar)
    asked = {"provider": "beta", "apiKey": OWN}
    beta.status = 403
    reply = await post(sidecar, CHECK, asked, token=token)
    assert reply.json()["valid"] is True
    assert reply.json()["details"] == {"hasAccess": False, "models": []}
    for status in (302, 404, 429, 500, 503):
        beta.status = status
        reply = await post(sidecar, CHECK, asked, token=token)
        assert (reply.status, reply.json()["error"]["type"]) == (502, "provider_error")
        assert OWN not in reply.body.decode()
    beta.status, beta.answer = None, {"nothing": 1}
    assert (await post(sidecar, CHECK, asked, token=token)).status == 502
    beta.public, beta.answer = True, {"data": []}
    reply = await post(sidecar, CHECK, asked, token=token)
    assert (reply.status, code(reply)) == (502, "key_not_verifiable")


async def test_no_log_line_holds_a_key(made, caplog):
    sidecar, _, beta = made
    caplog.set_level("DEBUG")
    _, token = await registered(sidecar)
    await add(sidecar, token)
    await called(sidecar, token, "b")
    beta.status = 401
    await called(sidecar, token, "b")
    await post(sidecar, CHECK, {"provider": "beta", "apiKey": OTHER}, token=token)
    assert OWN not in caplog.text
    assert OTHER not in caplog.text
