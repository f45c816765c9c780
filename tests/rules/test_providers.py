from __future__ import annotations

import pytest

from wattline.base.origin import AuthStyle, Origin
from wattline.rules.compiled.provider import Provider, Timeouts
from wattline.rules.compiled.window import Window
from wattline.rules.load import RulesError, load

REST = "\nrules: [{name: all, try: model}]\n"


def provider(part: str, /, **env: str) -> Provider:
    return load(f"providers:\n  p: {{{part}}}{REST}", env=env).providers["p"]


def test_a_provider_with_everything():
    found = provider(
        "url: 'https://h.test/v1/', key: '${K}', auth: x-goog-api-key, rpm: 5, "
        "timeouts: {idle: 7, total: 8.5}, headers: {X-A: 'a ${N}', x-b: '${NONE:-}'}, "
        "defaults: {temperature: 0.3, stop: [a]}, retries: 2, models: [{id: m, tier: fast, context: 9}]",
        K=" key ",
        N="n",
    )
    assert found.origin == Origin("https", "h.test", 443)
    assert found.base_path == "/v1"
    assert found.credential is not None
    assert found.credential.origin == found.origin
    assert found.credential.header() == ("x-goog-api-key", "key")
    assert found.windows == (Window("p", 60.0, calls=5),)
    assert found.timeouts == Timeouts(5.0, 120.0, 7.0, 8.5)
    assert found.headers == (("x-a", "a n"),)
    assert found.defaults == {"temperature": 0.3, "stop": ["a"]}
    assert found.retries == 2
    assert found.unavailable is None
    assert (found.models[0].id, found.models[0].tier, found.models[0].context) == ("m", "fast", 9)


def test_timeouts_have_the_defaults_of_decision_16():
    """Decision 16: connect 5 s, first byte 120 s, idle 60 s, total 180 s; A-180: 50 to 180 s, for each provider."""
    assert provider("url: 'https://h.test'").timeouts == Timeouts(5.0, 120.0, 60.0, 180.0)
    for total in (50, 120, 180):
        found = provider(f"url: 'https://h.test', timeouts: {{total: {total}}}")
        assert found.timeouts == Timeouts(5.0, 120.0, 60.0, float(total))


def test_auth_is_bearer_with_a_key_and_none_without():
    """C-060, C-061."""
    assert provider("url: 'https://h.test', key: '${K}'", K="k").auth is AuthStyle.BEARER
    without = provider("url: 'https://h.test'")
    assert without.auth is AuthStyle.NONE
    assert without.credential is None


@pytest.mark.parametrize(
    ("part", "env", "reason"),
    [
        ("url: 'https://h.test', key: '${K}'", {}, "No API key for p: K is not set"),
        ("url: 'https://h.test', key: '${K|L}'", {"K": " "}, "No API key for p: K or L is not set"),
        ("url: '${U}/v1'", {}, "No base URL for p: U is not set"),
        (
            "url: '${U}', key: '${K}'",
            {},
            "No API key for p: K is not set; No base URL for p: U is not set",
        ),
        (
            "url: 'https://h.test', key: '${K}'",
            {"K": "a\nb"},
            "No API key for p: K is set but holds characters that no key has",
        ),
        ("url: 'https://h.test', enabled: false", {}, "p is switched off (enabled: false)"),
        (
            "url: 'https://h.test', require: {E: 'true'}",
            {"E": "1"},
            "p is switched off: E must be 'true'",
        ),
        ("url: 'https://h.test', headers: {x-a: '${H}'}", {}, "No x-a for p: H is not set"),
        (
            "url: 'https://h.test', headers: {x-a: '${H}'}",
            {"H": "a\r\nb"},
            "No x-a for p: it holds characters that no header has",
        ),
    ],
)
def test_what_is_not_set_makes_a_provider_unavailable_with_the_reason(part, env, reason):
    """C-107, and never a crash."""
    found = provider(part, **env)
    assert found.unavailable == reason
    assert "a\nb" not in repr(found)


def test_the_first_way_whose_variables_are_set_is_taken():
    part = "either: [{url: '${A}/v1'}, {url: 'https://b.test', key: '${K}', auth: x-api-key}]"
    first = provider(part, A="https://a.test/", K="k")
    assert (str(first.origin), first.base_path, first.credential) == ("https://a.test", "/v1", None)
    second = provider(part, K="k")
    assert (str(second.origin), second.auth) == ("https://b.test", AuthStyle.X_API_KEY)
    neither = provider(part)
    assert neither.unavailable == "No base URL for p: A is not set; No API key for p: K is not set"
    assert str(neither.origin) == "https://b.test"


def test_providers_at_one_url_with_one_key_share_their_rpm():
    """Decision 7: one upstream is never tried past its own limit."""
    text = """
providers:
  a: {url: 'http://127.0.0.1:1/v1', rpm: 9}
  b: {url: '${B}/v1', rpm: 5, window: w}
  c: {url: 'http://127.0.0.1:1/v1', key: '${K}', rpm: 3}
  d: {url: 'http://127.0.0.1:1/v1'}
windows: {w: {calls: 7, per: 1h}}
"""
    found = load(text + REST, env={"B": "http://127.0.0.1:1", "K": "k"}).providers
    assert found["a"].windows == (Window("a", 60.0, calls=5),)
    assert found["b"].windows == (Window("a", 60.0, calls=5), Window("w", 3600.0, calls=7))
    assert found["c"].windows == (Window("c", 60.0, calls=3),)
    assert found["d"].windows == ()
    apart = load(text + REST, env={"B": "http://127.0.0.1:2", "K": "k"}).providers
    assert apart["a"].windows == (Window("a", 60.0, calls=9),)
    assert apart["b"].windows[0] == Window("b", 60.0, calls=5)
    unset = load(text + REST, env={}).providers
    assert unset["b"].windows[0] == Window("b", 60.0, calls=5)


def test_windows_are_shared_by_name():
    text = "windows: {w: {tokens: 7, per: 1m}}\nproviders: {a: {url: 'https://a.test', window: w}, b: {url: 'https://b.test', window: w}}"
    found = load(text + REST, env={})
    assert (
        found.providers["a"].windows
        == found.providers["b"].windows
        == (Window("w", 60.0, tokens=7),)
    )
    assert found.windows == ()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (
            "windows: {w: {calls: 1, per: 1, scope: global}}\nproviders: {a: {url: 'https://a.test', window: w}}",
            "has scope global: a provider needs scope provider",
        ),
        (
            "windows: {a: {calls: 1, per: 1}}\nproviders: {a: {url: 'https://a.test', rpm: 1, window: a}}",
            "'a' is the window of provider a already",
        ),
    ],
)
def test_windows_that_can_not_be_shared(text, part):
    with pytest.raises(RulesError, match=part):
        load(text + REST, env={})


def test_doubtful_providers_are_warned_of():
    text = "windows: {w: {calls: 1, per: 1}}\nproviders: {a: {url: 'http://a.test', key: '${K}'}, b: {url: 'http://localhost:1', key: '${K}'}}"
    assert load(text + REST, env={"K": "k"}).warnings == (
        "rules.yaml:1:11 windows.w: no provider has `window: w`",
        "rules.yaml:2:22 providers.a.url: the key of a would travel unencrypted: use https",
    )
