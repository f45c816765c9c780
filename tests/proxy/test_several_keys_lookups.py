"""What was made with one of a provider's keys is asked about with that key, through the whole sidecar."""

from __future__ import annotations

import pytest

from kit.account_keepers import LETTERS, AccountKeeper
from kit.clients import CONNECT_H2, REVERSE, client
from kit.key_holders import holding
from kit.sidecars import running

RULES = """
version: 1
health: {{breaker: false}}
intercept: [api.openai.com]
providers:
  big:
    url: {big}/{path}
    dialect: {dialect}
    key: [{keys}]
    choose: {choose}
  small: {{url: {small}/{path}, dialect: {dialect}, key: "${{D}}"}}
models: {{m: {{provider: big, name: up, rate: 1, chain: [m, small/up]}}}}
rules: [{{name: all, try: model}}]
"""
ASK = {"model": "m", "input": "hi"}
PATH = "/v1/responses"
OTHER_PATHS = {"gemini": ("v1beta", "/v1/interactions"), "openai": ("v1", PATH)}


def text(big, small, *, keys="ABC", choose="first", dialect="openai") -> str:
    names = ", ".join(f'"${{{letter}}}"' for letter in keys)
    path, _ = OTHER_PATHS[dialect]
    return RULES.format(
        big=big.url, small=small.url, keys=names, choose=choose, dialect=dialect, path=path
    )


async def ask(sidecar, path, method="GET", way=REVERSE):
    connection = await client(sidecar.address, way, sidecar.ca)
    try:
        await connection.send(method, path, [("host", way.connect or "localhost")], b"")
        async for _ in connection.pieces():
            pass
        return connection.reply
    finally:
        connection.close()


def check_secrets(big, small) -> None:
    """Each origin saw its own keys alone."""
    assert LETTERS["D"] not in "".join(big.raw)
    assert not any(LETTERS[letter] in "".join(small.raw) for letter in "ABC")


@pytest.fixture
async def providers():
    big, small = AccountKeeper(), AccountKeeper()
    async with holding(big, small):
        yield big, small
        check_secrets(big, small)


@pytest.mark.parametrize("way", [REVERSE, CONNECT_H2], ids=str)
@pytest.mark.parametrize("status", [401, 402, 403, 429])
async def test_the_key_that_made_it_is_the_one_that_asks(tmp_path, providers, status, way):
    """Made with the second since the first was refused: asked about and deleted with the second, also when the
    first is good again. No other account hears of it."""
    big, small = providers
    big.refusing[LETTERS["A"]] = status
    async with running(tmp_path, 0, text=text(big, small), env=LETTERS) as sidecar:
        made = await sidecar.call(ASK, way, path=PATH)
        assert (made.status, made.headers["x-wattline-provider"]) == (200, "big")
        big.refusing.clear()
        sidecar.sidecar.parts.memory.resting.clear()
        path = f"{PATH}/{made.json()['id']}"
        assert (await ask(sidecar, path, way=way)).json()["id"] == made.json()["id"]
        assert (await ask(sidecar, path, "DELETE", way)).json()["deleted"] is True
        assert (await ask(sidecar, path, way=way)).status == 404
        assert big.used == "ABBBB"
        assert small.used == ""


async def test_keys_that_take_turns(tmp_path, providers):
    """Each is led to its own account, whichever the draw says."""
    big, small = providers
    rules = text(big, small, choose="spread")
    async with running(tmp_path, 0, text=rules, env=LETTERS) as sidecar:
        names = [(await sidecar.call(ASK, path=PATH)).json()["id"] for _ in range(24)]
        made = big.used
        assert set(made) == {*"ABC"}
        big.seen.clear()
        for name in names:
            assert (await ask(sidecar, f"{PATH}/{name}")).status == 200
        assert big.used == made


async def test_a_lookup_whose_key_is_refused_now(tmp_path, providers):
    """It is told, in words of the client's dialect; a 404 of another account would be a lie."""
    big, small = providers
    async with running(tmp_path, 0, text=text(big, small), env=LETTERS) as sidecar:
        path = f"{PATH}/{(await sidecar.call(ASK, path=PATH)).json()['id']}"
        big.refusing[LETTERS["A"]] = 401
        reply = await ask(sidecar, path)
        assert reply.status == 500
        assert reply.json()["error"]["message"] == "All providers unavailable: big http_401"
        reply = await ask(sidecar, path)
        assert reply.status == 503
        assert "big is not available now (try again in " in reply.json()["error"]["message"]
        assert big.used == "AA"
        assert small.used == ""


async def test_a_lookup_whose_key_is_to_wait(tmp_path, providers):
    big, small = providers
    async with running(tmp_path, 0, text=text(big, small), env=LETTERS) as sidecar:
        path = f"{PATH}/{(await sidecar.call(ASK, path=PATH)).json()['id']}"
        big.refusing[LETTERS["A"]] = 429
        for _ in range(2):
            reply = await ask(sidecar, path)
            assert (reply.status, reply.headers["retry-after"]) == (429, "7")
            assert reply.json()["error"]["type"] == "requests"
        assert big.used == "AA"


@pytest.mark.parametrize("dialect", ["openai", "gemini"])
async def test_all_keys_are_refused(tmp_path, providers, dialect):
    """A clear error in the client's dialect, without any key."""
    big, small = providers
    path = OTHER_PATHS[dialect][1]
    rules = text(big, small, dialect=dialect)
    async with running(tmp_path, 0, text=rules, env=LETTERS) as sidecar:
        made = (await sidecar.call(ASK, path=path)).json()["id"]
        big.refusing.update({LETTERS[letter]: 401 for letter in "ABC"})
        small.refusing[LETTERS["D"]] = 403
        replies = [await sidecar.call(ASK, path=path), await ask(sidecar, f"{path}/{made}")]
        for reply, status in zip(replies, (500, 503), strict=True):
            assert reply.status == status
            assert not any(secret.encode() in reply.body for secret in LETTERS.values())
            error = reply.json()["error"]
            assert error["message"]
            if dialect == "gemini":
                assert (error["code"], error["status"]) == (status, error["status"].upper())
            else:
                assert {"type", "param", "code"} <= error.keys()
        told = replies[0].json()["error"]["message"]
        assert "big http_401 (3 times); small http_403" in told
        assert "big" in replies[1].json()["error"]["message"]
        assert (big.used, small.used) == ("AABC", "D")


async def test_the_key_is_known_over_a_restart(tmp_path, providers):
    """B-149: the ledger knows which key made it."""
    big, small = providers
    big.refusing[LETTERS["A"]] = 401
    rules = text(big, small)
    async with running(tmp_path, 0, text=rules, env=LETTERS) as sidecar:
        path = f"{PATH}/{(await sidecar.call(ASK, path=PATH)).json()['id']}"
    big.refusing.clear()
    async with running(tmp_path, 0, text=rules, env=LETTERS) as sidecar:
        sidecar.sidecar.parts.memory.resting.clear()
        assert (await ask(sidecar, path)).status == 200
    assert big.used == "ABB"


async def test_a_key_that_is_not_in_the_rules_any_more(tmp_path, providers):
    """Each of the others is asked: it may have been exchanged for another of the same account. A 404 of the last
    counts only if none was passed over or failed otherwise."""
    big, small = providers
    async with running(tmp_path, 0, text=text(big, small), env=LETTERS) as sidecar:
        big.refusing.update({LETTERS["A"]: 401, LETTERS["B"]: 401})
        name = (await sidecar.call(ASK, path=PATH)).json()["id"]
        big.refusing.clear()
        sidecar.sidecar.parts.memory.resting.clear()
        sidecar.rules.write_text(text(big, small, keys="AB"))
        await sidecar.sidecar.books.fresh()
        big.seen.clear()
        path = f"{PATH}/{name}"
        assert (await ask(sidecar, path)).status == 404
        assert big.used == "AB"
        big.kept[LETTERS["B"], name] = big.kept[LETTERS["C"], name]
        assert (await ask(sidecar, path)).json()["id"] == name
        assert big.used == "ABAB"
        del big.kept[LETTERS["B"], name]
        big.refusing[LETTERS["A"]] = 401
        reply = await ask(sidecar, path)
        assert reply.status == 500
        assert "big http_401; big http_404" in reply.json()["error"]["message"]
        reply = await ask(sidecar, path)
        assert reply.status == 500
        assert "big http_404; big resting" in reply.json()["error"]["message"]
        assert big.used == "ABABABB"
        assert small.used == ""


@pytest.mark.parametrize("choose", ["first", "spread"])
async def test_a_call_that_goes_on_from_a_response_goes_to_its_account(tmp_path, providers, choose):
    """`previous_response_id`: the provider keeps it in the account that made it."""
    big, small = providers
    big.refusing[LETTERS["A"]] = 401
    rules = text(big, small, choose=choose)
    async with running(tmp_path, 0, text=rules, env=LETTERS) as sidecar:
        made = (await sidecar.call(ASK, path=PATH)).json()["id"]
        key = big.seen[-1][2]
        big.refusing.clear()
        sidecar.sidecar.parts.memory.resting.clear()
        big.seen.clear()
        for _ in range(8):
            reply = await sidecar.call({**ASK, "previous_response_id": made}, path=PATH)
            assert reply.json().get("output"), reply.body
            made = reply.json()["id"]
        assert {seen[2] for seen in big.seen} == {key}
        assert small.used == ""


async def test_a_call_that_goes_on_waits_for_its_key(tmp_path, providers):
    """Its own key rests: no other of that provider is tried with an id that it can't know."""
    big, small = providers
    rules = text(big, small)
    async with running(tmp_path, 0, text=rules, env=LETTERS) as sidecar:
        made = (await sidecar.call(ASK, path=PATH)).json()["id"]
        big.refusing[LETTERS["A"]] = 429
        assert (await sidecar.call(ASK, path=PATH)).status == 200
        assert big.used == "AAB"
        reply = await sidecar.call({**ASK, "previous_response_id": made}, path=PATH)
        assert (reply.status, reply.headers["retry-after"]) == (429, "7")
        assert big.used == "AAB"
        reply = await sidecar.call({**ASK, "previous_response_id": "of_nobody"}, path=PATH)
        assert reply.status != 429


async def test_the_list_of_models_by_the_first_key_that_is_not_refused(tmp_path, providers):
    big, small = providers
    big.refusing.update({LETTERS["A"]: 401, LETTERS["B"]: 429})
    async with running(tmp_path, 0, text=text(big, small), env=LETTERS) as sidecar:
        reply = await ask(sidecar, "/v1/models")
        assert "big/listed" in {model["id"] for model in reply.json()["data"]}
        assert big.used == "ABC"
        assert not any(secret.encode() in reply.body for secret in LETTERS.values())
