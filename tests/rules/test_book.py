from __future__ import annotations

import pytest

from wattline.base.origin import AuthStyle, Credential, Origin
from wattline.rules.compiled.provider import Provider, Timeouts
from wattline.rules.load import load


def test_intercepted_hosts_are_exact_or_below_a_suffix():
    book = load("intercept: [api.h.test, '*.z.test']\nrules: [{name: a, try: model}]", env={})
    for host in ("api.h.test", "API.H.test.", "x.z.test", "a.b.z.test"):
        assert book.intercepts(host)
    for host in ("h.test", "x.api.h.test", "z.test", "xz.test", "", "api.h.test.evil"):
        assert not book.intercepts(host)


def test_candidates_have_their_positions():
    rules = "- {name: a, when: {model: x}, deny: no}\n- {name: b, when: {model: 'x*'}, deny: no}\n- {name: c, deny: no}"
    book = load(f"rules:\n{rules}", env={})
    assert [(i, rule.name) for i, rule in book.candidates("x")] == [(0, "a"), (1, "b"), (2, "c")]
    assert [(i, rule.name) for i, rule in book.candidates("xy")] == [(1, "b"), (2, "c")]
    assert [(i, rule.name) for i, rule in book.candidates("z")] == [(2, "c")]


@pytest.mark.parametrize("reason", [None, "No API key for p: K is not set"])
def test_a_provider_tells_itself_without_its_secret(reason):
    origin = Origin("https", "h.test", 443)
    credential = Credential(origin, AuthStyle.BEARER, "sk-hidden")
    provider = Provider(
        "p",
        "openai",
        origin,
        "/v1",
        AuthStyle.BEARER,
        credential,
        (),
        Timeouts(),
        unavailable=reason,
    )
    state = "ready" if reason is None else f"unavailable: {reason}"
    assert repr(provider) == f"<Provider p https://h.test/v1 {state}>"
