"""Users' own keys in plans: never to another origin, never for another user."""

from __future__ import annotations

import asyncio
import gc
import random
import string
from dataclasses import replace

import pytest

from kit.decisions import a_view
from wattline.base.clock import ManualClock
from wattline.base.errors import ClientFault, OurFault
from wattline.base.origin import AuthStyle, Origin
from wattline.engine.decide import decide
from wattline.engine.rest import Resting
from wattline.engine.windows import Claim, Windows
from wattline.rules.compiled.provider import account_name
from wattline.rules.load import load
from wattline.service.accounts.own_keys import OwnKeys, context_of, masked
from wattline.service.accounts.sealing import Sealing, Unsealable
from wattline.store.base import BadRow, LedgerDown
from wattline.store.provider_keys import ProviderKey, SqliteProviderKeys
from wattline.upstream.base import Outgoing
from wattline.upstream.credentials import check
from wattline.wire.call import LOCAL, Call, Operation, Principal

KEY = bytes(random.Random(1).randrange(256) for _ in range(32))


def committed(_sql, _values):
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(done.set_result, True)  # noqa: FBT003  (asyncio's)
    return done


def failing(error):
    def submit(_sql, _values):
        done = asyncio.get_running_loop().create_future()
        done.set_exception(error)
        return done

    return submit


def own_keys(submit=committed, keys=()):
    return OwnKeys(SqliteProviderKeys(submit, keys), Sealing((KEY,)), ManualClock())


def caller(keys, user):
    return Principal(user, user=user, providers=keys.providers(user))


def call_of(principal, model):
    return Call(
        id="c",
        dialect="openai",
        operation=Operation.CHAT,
        method="POST",
        host="",
        path="/v1/chat/completions",
        model=model,
        stream=False,
        principal=principal,
    )


def rules(draw, names):
    """A random graph: providers on a few origins, chains through them."""
    lines, env = ["providers:"], {}
    for name in names:
        origin = draw.choice(["https://one.test", "https://two.test", "https://two.test:8443"])
        lines.append(f"  {name}:")
        lines.append(f"    url: {origin}/v1")
        if draw.random() < 0.85:
            lines.append(f"    key: ${{KEY_{name}}}")
            if draw.random() < 0.5:
                env[f"KEY_{name}"] = f"operator-of-{name}-0123456789"
        if draw.random() < 0.15:
            lines.append("    enabled: false")
        if draw.random() < 0.3:
            lines.append("    auth: x-api-key") if f"${{KEY_{name}}}" in lines[-1] else None
    lines.append("models:")
    for name in names:
        chain = ", ".join(draw.sample([f"m-{n}" for n in names], draw.randint(1, len(names))))
        lines.append(f"  m-{name}: {{provider: {name}, name: up, chain: [{chain}]}}")
    lines.append("rules: [{name: all, try: model}]")
    return load("\n".join(lines), env=env), env


@pytest.mark.parametrize("seed", range(200))
async def test_a_key_is_its_users_and_its_origins(seed):
    """E-085: 200 random graphs of users and providers, rules reloaded in between. What each attempt would
    send is a key of this caller for this provider at this origin, or the operator's of this provider.
    """
    draw = random.Random(seed)
    names = [f"p{n}" for n in range(draw.randint(1, 5))]
    users = [f"u{n}" for n in range(draw.randint(1, 4))]
    book, _ = rules(draw, names)
    keys = own_keys()
    given: dict[str, tuple[str, str, Origin]] = {}
    for number in range(draw.randint(0, 12)):
        user, provider = draw.choice(users), book.providers[draw.choice(names)]
        secret = f"own-{number}-" + "".join(draw.choices(string.ascii_letters, k=20))
        try:
            made = await keys.add(user, provider, secret, "")
        except ClientFault:
            assert provider.auth is AuthStyle.NONE or "switched off" in str(provider.unavailable)
            continue
        given[secret] = (user, provider.name, provider.origin)
        if draw.random() < 0.2:
            await keys.remove(user, made.id)
            del given[secret]
    for _ in range(2):
        for user in users:
            principal = caller(keys, user)
            for name in names:
                _check(keys, book, principal, f"m-{name}", given)
        book, _ = rules(draw, names)  # the same names, elsewhere


def _check(keys, book, principal, model, given):
    call = call_of(principal, model)
    plan = keys.planned(decide(call, book, a_view(), 0.0, 0.0), principal)
    for target in plan.targets:
        provider = target.provider
        credential = provider.credential
        operators = book.providers[provider.name]
        assert provider.origin == operators.origin
        check(Outgoing(provider.origin, "POST", "/", (), b"", credential))
        mine = [
            s
            for s, place in given.items()
            if place == (principal.user, provider.name, provider.origin)
        ]
        if provider.auth is not AuthStyle.NONE and mine:
            assert credential.secret == mine[-1]  # the newest
            assert target.owner == principal.id
            assert target.account != provider.name
            assert f"{provider.name}: with the caller's own key" in plan.reasons
        else:
            assert target.owner is None
            assert credential == operators.credential
            assert provider.unavailable is None
    for skip in plan.skipped:
        named = book.providers[skip.target.partition("/")[0]]
        if skip.code == "unavailable":
            assert named.unavailable is not None
            place = (principal.user, named.name, named.origin)
            assert not named.needs_key or place not in given.values()


BOOK = """
providers:
  a: {url: "https://a.test/v1", key: "${A}", rpm: 2}
  b: {url: "https://b.test/v1", key: "${B}"}
  c: {url: "https://c.test/v1"}
  d: {url: "https://d.test/v1", key: "${D}", headers: {x-account: "${ACCOUNT}"}}
  e: {either: [{url: "https://${HOST}/v1", key: "${E}"}, {url: "https://e.test/v1", key: "${F}"}]}
models:
  m: {provider: a, name: up, chain: [m, n]}
  n: {provider: b, name: up}
rules: [{name: all, try: model}]
"""
SECRET = "sk-own-0123456789abcdef"


def small(**env):
    return load(BOOK, env={"A": "sk-operator-0123456789", **env})


def test_what_lacks_a_key_alone_can_be_had_with_one():
    book = small()
    needs = {name for name, provider in book.providers.items() if provider.needs_key}
    assert needs == {"b", "e"}
    assert book.providers["e"].origin.host == "e.test"


async def test_an_own_key_has_windows_and_rests_of_its_own():
    """One user's limits at a provider are not the operator's, nor another user's."""
    book, keys = small(), own_keys()
    await keys.add("ann", book.providers["a"], SECRET, "")
    ann, bob = caller(keys, "ann"), caller(keys, "bob")
    windows, resting = Windows(), Resting()
    view = a_view(windows, resting)
    (window,) = book.providers["a"].windows

    def first(principal):
        return [str(t) for t in decide(call_of(principal, "m"), book, view, 10.0, 0.0).targets]

    for _ in range(2):
        windows.take([Claim(window, account_name(window.name, None))], 5.0)
    assert (first(ann), first(bob)) == (["a/up"], [])
    for _ in range(2):
        windows.take([Claim(window, account_name(window.name, "ann"))], 5.0)
    assert first(ann) == []
    windows = Windows()
    view = a_view(windows, resting)
    resting.rest(account_name("a", "ann"), 100.0, "its key was refused")
    assert (first(ann), first(bob)) == ([], ["a/up"])


async def test_one_that_does_not_open_is_no_target(caplog):
    book, keys = small(), own_keys()
    key = await keys.add("ann", book.providers["a"], SECRET, "")
    principal = caller(keys, "ann")
    for sealed in ("", "no base64!", "AAAA", key.sealed[:-8] + "AAAAAAA="):
        keys.store._of["ann"][key.id] = replace(key, sealed=sealed)
        plan = keys.planned(decide(call_of(principal, "m"), book, a_view(), 0.0, 0.0), principal)
        assert plan.targets == ()
        assert "own_key" in {skip.code for skip in plan.skipped}
    stolen = replace(key, user="bob")
    keys.store._of["bob"] = {key.id: stolen}
    principal = caller(keys, "bob")
    plan = keys.planned(decide(call_of(principal, "m"), book, a_view(), 0.0, 0.0), principal)
    assert plan.targets == ()
    assert SECRET not in caplog.text


async def test_what_is_open_is_known_for_as_long_as_it_is_used():
    """So that no log line shows it."""
    book, keys = small(), own_keys()
    await keys.add("ann", book.providers["a"], SECRET, "")
    gc.collect()
    assert keys.secrets() == []
    principal = caller(keys, "ann")
    plan = keys.planned(decide(call_of(principal, "m"), book, a_view(), 0.0, 0.0), principal)
    again = keys.planned(decide(call_of(principal, "m"), book, a_view(), 0.0, 0.0), principal)
    assert keys.secrets() == [SECRET]
    assert plan.targets[0].provider.credential is again.targets[0].provider.credential
    assert SECRET not in repr(plan)
    del plan
    assert keys.secrets() == [SECRET]
    del again
    gc.collect()
    assert keys.secrets() == []


async def test_who_has_none_gets_the_very_same_plan():
    book, keys = small(), own_keys()
    for principal in (LOCAL, Principal("ann", user="ann")):
        plan = decide(call_of(principal, "m"), book, a_view(), 0.0, 0.0)
        assert keys.planned(plan, principal) is plan


@pytest.mark.parametrize(
    "secret", ["", "short", "a" * 513, "with a space", "a\r\nb: c", "ключ" * 4, "\0" * 20]
)
async def test_keys_that_no_header_carries(secret):
    with pytest.raises(ClientFault) as refused:
        await own_keys().add("ann", small().providers["a"], secret, "")
    assert refused.value.code == "invalid_key"


@pytest.mark.parametrize(
    ("error", "status"),
    [(LedgerDown("disk full"), 503), (BadRow("too many keys of one user"), 409)],
)
async def test_a_ledger_that_does_not_take_it(error, status):
    keys = own_keys(failing(error))
    with pytest.raises((OurFault, ClientFault)) as refused:
        await keys.add("ann", small().providers["a"], SECRET, "")
    assert refused.value.status == status
    assert keys.of("ann") == []


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("sk-ant-api03-abcdefghijklmnxyz", "sk-ant-...xyz"),
        ("gsk_0123456789ab", "...9ab"),
        ("12345678", "..."),
    ],
)
def test_masks(secret, shown):
    """E-087."""
    assert masked(secret) == shown


def test_a_context_names_one_row_only():
    """No two rows have one context, whatever is in their fields."""
    key = ProviderKey("i", "u", "p", "https", "h", 443, "", "", "", 0)
    others = [
        replace(key, id="i,u", user=""),
        replace(key, user='u", "p'),
        replace(key, provider="q"),
        replace(key, host="h2"),
        replace(key, port=444),
        replace(key, scheme="http"),
    ]
    assert len({context_of(one) for one in (key, *others)}) == len(others) + 1


async def test_renewing_leaves_what_it_can_not_open(caplog):
    keys = own_keys()
    key = await keys.add("ann", small().providers["a"], SECRET, "")
    newer = OwnKeys(keys.store, Sealing((KEY[::-1], KEY)), ManualClock())
    lost = replace(key, id="pkey_lost", sealed="AAAA")
    keys.store._of["ann"][lost.id] = lost
    await newer.renew()
    only_new = OwnKeys(keys.store, Sealing((KEY[::-1],)), ManualClock())
    assert only_new._opened(keys.of("ann")[0]) == SECRET
    assert keys.of("ann")[1] is lost
    assert "1 keys of users can't be opened" in caplog.text
    with pytest.raises(Unsealable):
        only_new._opened(lost)
