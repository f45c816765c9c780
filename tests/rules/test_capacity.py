"""Conditions on capacity, from the file's words to what they ask: health, windows."""

from __future__ import annotations

import pytest

from wattline.rules.compiled.facts import Subject
from wattline.rules.conditions.allowance import FilledOver
from wattline.rules.conditions.health import Bound, HealthIs
from wattline.rules.load import RulesError, load

HEAD = """
providers:
  a: {url: 'https://a.test', key: ['${A}', '${B}'], rpm: 9, window: shared, models: [{id: big}]}
  b: {url: 'https://b.test', key: '${C}', window: shared}
windows: {shared: {calls: 5, per: 1m}, ip: {calls: 5, per: 1m, scope: address}}
rules:
  - name: r
    try: model
    when: """
ENV = {"A": "k" * 20, "B": "l" * 20, "C": "m" * 20}
A = Subject("a", ("a", "a key 2"))


def condition(when: str):
    (found, *_) = load(HEAD + when, env=ENV).rules[0].conditions
    return found


def mistake(when: str) -> str:
    with pytest.raises(RulesError) as caught:
        load(HEAD + when, env=ENV)
    (problem,) = caught.value.problems
    return str(problem)


@pytest.mark.parametrize(
    ("said", "states", "bounds"),
    [
        ("healthy", {"healthy"}, ()),
        ("[resting, out]", {"resting", "out"}, ()),
        ("{state: out}", {"out"}, ()),
        ("{score_below: 0.5}", set(), (Bound("score", 0.5, above=False),)),
        ("{score_above: 0.5}", set(), (Bound("score", 0.5, above=True),)),
        ("{errors_above: 0.2}", set(), (Bound("errors", 0.2, above=True),)),
        ("{slower_than: 2s}", set(), (Bound("first_ms", 2_000.0, above=True),)),
        ("{faster_than: 0.5}", set(), (Bound("first_ms", 500.0, above=False),)),
        (
            "{state: [healthy], errors_below: 0.9, errors_above: 0.1}",
            {"healthy"},
            (Bound("errors", 0.9, above=False), Bound("errors", 0.1, above=True)),
        ),
    ],
)
def test_health(said, states, bounds):
    found = condition(f"{{health: {{a: {said}}}}}")
    assert found == HealthIs(A, frozenset(states), bounds)


def test_health_of_one_model():
    found = condition("{health: {a/big: out}}")
    assert found.subject == Subject("a", A.accounts, "big")
    warnings = load(HEAD + "{health: {a/bgi: out}}", env=ENV).warnings
    assert any("'bgi'" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ("{health: {a: {}}}", "a state or a bound is missing"),
        ("{health: {a: {score_above: 0.6, score_below: 0.5}}}", "this can never hold"),
        ("{health: {a: {slower_than: 3s, faster_than: 3s}}}", "this can never hold"),
        ("{health: {a: {score_below: 2}}}", "must be at most 1"),
        ("{health: {a: {score: 0.5}}}", "score"),
        ("{health: {a: []}}", "health.a"),
        ("{health: {a: 5}}", "health.a"),
        ("{health: {c/big: out}}", "unknown provider 'c'"),
        ("{health: {c: out}}", "unknown provider 'c'"),
        ("{window: {name: b, over: 0.5}}", "provider 'b' has no `rpm`"),
        ("{window: {name: ip, over: 0.5}}", "counts by address"),
        ("{window: {name: sharde, over: 0.5}}", "Did you mean 'shared'?"),
    ],
)
def test_mistakes(when, text):
    assert text in mistake(when)


@pytest.mark.parametrize(
    ("name", "windows"), [("a", ["a", "a key 2"]), ("shared", ["shared", "shared key 2"])]
)
def test_windows_of_each_key(name, windows):
    """The one with the most room counts: a call takes that."""
    found = condition(f"{{window: {{name: {name}, over: 0.5}}}}")
    assert isinstance(found, FilledOver)
    assert [window.name for window in (found.window, *found.others)] == windows

    class Facts:
        def __init__(self, **fills: float) -> None:
            self.fills = dict(zip(windows, fills.values(), strict=True))

        def fill(self, window, key, _now):
            assert window.name == key
            return self.fills[key]

    assert found.test(None, Facts(one=0.9, two=0.6), 0.0, 0.0)
    assert not found.test(None, Facts(one=0.9, two=0.5), 0.0, 0.0)
    assert "50% full" in found.why_not(None, Facts(one=0.9, two=0.5), 0.0, 0.0)
