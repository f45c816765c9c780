"""What rules.yaml says of logins and users' own keys."""

from __future__ import annotations

import pytest

from kit.decisions import a_call, a_view
from wattline.base.origin import AuthStyle, Origin
from wattline.engine.decide import decide
from wattline.rules.elsewhere import Elsewhere
from wattline.rules.load import RulesError, load
from wattline.wire.call import LOCAL, Principal

LEAST = "rules: [{name: all, try: model}]\n"
PROVIDERS = """
providers:
  a: {url: "https://a.test/v1", key: "${A}"}
  b: {url: "https://b.test/v1", key: "${B}", enabled: false}
  c: {url: "https://c.test/v1", key: "${C}", require: {ON: "yes"}}
  d: {url: "https://d.test/v1"}
  e: {url: "https://${HOST}/v1", key: "${E}"}
"""


def book(text="", **env):
    return load(text + LEAST, env=env)


def test_defaults():
    """Decision 11: registration is not open unless that is safe, and own keys are free."""
    found = book()
    assert (found.accounts.registration, found.accounts.own_keys) == ("auto", "free")
    found = book("auth: {mode: jwt}\naccounts: {register: open, own_keys: charged}\n")
    assert (found.auth.mode, found.accounts.registration) == ("jwt", "open")
    assert found.accounts.own_keys == "charged"


@pytest.mark.parametrize(
    "text",
    [
        "auth: {mode: token}\n",
        "auth: {mode: JWT}\n",
        "accounts: {register: maybe}\n",
        "accounts: {register: true}\n",
        "accounts: {own_keys: null}\n",
        "auth: {keys: {ann: '${ANN}'}}\n",
    ],
)
def test_words_that_are_none(text):
    with pytest.raises(RulesError):
        book(text, ANN="0123456789abcdef0123")


def test_jwt_mode_has_callers_too_and_may_be_reached():
    """As `keys`: it is not everybody's."""
    text = "listen: {host: 0.0.0.0}\nauth: {mode: jwt, keys: {ann: '${ANN}'}}\n"
    assert list(book(text, ANN="0f9a4be2f1d84370a6b5").auth.keys.values()) == ["ann"]


def test_registration_that_lets_nobody_in_is_told():
    found = book("auth: {mode: keys}\naccounts: {register: open}\n")
    assert any("nobody can register" in warning for warning in found.warnings)


def test_who_can_use_a_provider():
    """A caller with a key of its own, for that provider at that origin, and only where the key is all that
    is missing.
    """
    found = book(PROVIDERS).providers
    origins = {name: provider.origin for name, provider in found.items()}
    ann = Principal("ann", user="ann", providers=frozenset(origins.items()))
    assert {name for name, p in found.items() if p.open_to(LOCAL)} == {"d"}
    assert {name for name, p in found.items() if p.open_to(ann)} == {"a", "d"}
    assert {name for name, p in found.items() if p.owned_by(ann)} == {"a"}
    elsewhere = Principal("bob", providers=frozenset({("a", Origin("https", "a.test", 8443))}))
    assert not found["a"].owned_by(elsewhere)
    assert found["d"].auth is AuthStyle.NONE
    with_key = book(PROVIDERS, A="sk-operator-0123456789").providers["a"]
    assert with_key.open_to(LOCAL)
    assert with_key.owned_by(ann)
    assert not with_key.needs_key


def test_who_has_a_key_is_not_unconfigured():
    """The demo answers who has nothing else."""
    text = PROVIDERS.replace(
        "  d:", "  demo: {url: 'https://d.test/v1', demo: true}\n  x:"
    ).replace('x: {url: "https://d.test/v1"}', 'x: {url: "https://x.test/v1", key: "${X}"}')
    rules = "rules: [{name: demo, when: {unconfigured: true}, try: [demo/m]}, {name: all, try: [a/m]}]\n"
    found = load(text + rules, env={})
    origins = {(name, provider.origin) for name, provider in found.providers.items()}

    def decided(providers):
        caller = Principal("ann", user="ann", providers=frozenset(providers))
        return decide(a_call(principal=caller), found, a_view(), 0.0, 0.0).rule

    assert decided([]) == "demo"
    assert decided(p for p in origins if p[0] == "b") == "demo"  # switched off
    assert decided(p for p in origins if p[0] == "a") == "all"


def test_what_another_process_lacks():
    """`explain` decides with the sidecar's variables: its missing key can be the caller's too."""
    reasons = {"a": "No API key for a: A is not set", "d": "d is switched off (enabled: false)"}
    found = load(
        PROVIDERS + LEAST, env={"A": "sk-here-0123456789"}, elsewhere=Elsewhere(reasons)
    ).providers
    assert found["a"].needs_key
    assert not found["d"].needs_key
