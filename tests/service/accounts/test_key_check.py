"""Asking providers about keys: whom, with what, and what their answers mean."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kit.decisions import a_provider
from wattline.base.errors import UpstreamFault
from wattline.base.origin import AuthStyle, Credential, Origin
from wattline.service.accounts.key_check import check_key
from wattline.upstream.base import Broken
from wattline.upstream.credentials import check

KEY = "sk-of-the-user-0123456789"
LIST = {"data": [{"id": "one"}, {"id": "two"}]}


class Answer:
    headers = ()

    def __init__(self, status, body):
        self.status, self.body, self.closed = status, body, False

    async def pieces(self):
        yield json.dumps(self.body).encode()

    def close(self):
        self.closed = True


class Provider:
    """Answers by path and by whether there was a key: a status, with a list of models; or it breaks."""

    def __init__(self, **answers):
        self.answers, self.sent = answers, []

    async def send(self, outgoing, _timeouts):
        check(outgoing)
        self.sent.append(outgoing)
        named = outgoing.path.rsplit("/", 1)[1].partition("?")[0]
        found = self.answers.get(named if outgoing.credential else f"public_{named}", 401)
        if isinstance(found, Exception):
            raise found
        return Answer(*found) if isinstance(found, tuple) else Answer(found, LIST)


def at(host, **changes):
    origin = Origin("https", host, 443)
    return a_provider("p", origin=origin, credential=None, **changes)


async def asked(upstream, provider):
    credential = Credential(provider.origin, provider.auth, KEY)
    return await check_key(provider, credential, upstream, "wattline")


async def test_the_key_goes_to_its_origin_and_the_operators_nowhere():
    """E-050."""
    provider = a_provider("p")  # has the operator's
    upstream = Provider(models=200)
    found = await asked(upstream, provider)
    assert (found.valid, found.access, found.models) == (True, True, ("one", "two"))
    assert {out.origin for out in upstream.sent} == {provider.origin}
    assert [out.credential and out.credential.secret for out in upstream.sent] == [KEY, None]


async def test_openrouter_is_asked_about_the_key_itself():
    """Its list of models is everybody's: https://openrouter.ai/docs/api/api-reference/api-keys/get-current-key."""
    provider = at("openrouter.ai", base_path="/api/v1")
    upstream = Provider(key=200, models=200, public_models=200)
    assert (await asked(upstream, provider)).valid
    assert [out.path for out in upstream.sent] == ["/api/v1/key", "/api/v1/models"]
    assert not (await asked(Provider(key=401, models=200, public_models=200), provider)).valid


@pytest.mark.parametrize(("status", "valid"), [(400, False), (401, False), (403, True)])
async def test_refusals(status, valid):
    found = await asked(Provider(models=status), at("p.test"))
    assert (found.valid, found.access, found.models) == (valid, False, ())


@pytest.mark.parametrize(
    ("upstream", "code"),
    [
        (Provider(models=500), "provider_failed"),
        (Provider(models=404), "provider_failed"),
        (Provider(models=301), "provider_failed"),
        (Provider(models=Broken("refused", f"said {KEY}")), "provider_failed"),
        (Provider(models=(200, {"nothing": KEY})), "provider_failed"),
        (Provider(models=(200, [])), "key_not_verifiable"),
        (Provider(models=200, public_models=200), "key_not_verifiable"),
    ],
)
async def test_answers_that_say_nothing(upstream, code):
    if upstream.answers["models"] == (200, []):
        upstream.answers["public_models"] = (200, [])
    with pytest.raises(UpstreamFault) as fault:
        await asked(upstream, at("p.test"))
    assert (fault.value.status, fault.value.code) == (502, code)
    assert KEY not in fault.value.message


async def test_an_api_without_a_list_is_not_asked():
    upstream = Provider(models=200)
    with pytest.raises(UpstreamFault):
        await asked(upstream, at("p.test", dialect="generate"))
    assert not upstream.sent


async def test_a_key_is_bound_to_its_origin():
    provider = at("p.test")
    credential = Credential(Origin("https", "other.test", 443), AuthStyle.BEARER, KEY)
    with pytest.raises(UpstreamFault):
        await check_key(provider, credential, Provider(models=200), "wattline")


async def test_names_are_bounded():
    many = {"data": [{"id": f"m{n}"} for n in range(3_000)]}
    found = await asked(Provider(models=(200, many)), replace(at("p.test"), dialect="anthropic"))
    assert len(found.models) == 1_000
