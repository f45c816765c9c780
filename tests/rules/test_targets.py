from __future__ import annotations

from fractions import Fraction

import pytest

from wattline.rules.book import Book
from wattline.rules.compiled.provider import Timeouts
from wattline.rules.compiled.rule import Listed
from wattline.rules.compiled.target import AS_ASKED
from wattline.rules.load import RulesError, load

PROVIDERS = """
providers:
  a: {url: 'https://a.test', timeouts: {idle: 1}, models: [{id: m1}, {id: both}, {id: org/deep}]}
  b: {url: 'https://b.test', rate: 7, models: [{id: both}, {id: m2}]}
"""


def book(models: str, tried: str = "[a]") -> Book:
    return load(f"{PROVIDERS}models: {models}\nrules: [{{name: r, try: {tried}}}]", env={})


def chain(found: Book, name: str) -> list[str]:
    return [f"{target.entry}={target}" for target in found.models[name]]


def tried(names: str, models: str = "{}") -> list[str]:
    action = book(models, names).rules[0].action
    assert isinstance(action, Listed)
    return [f"{target.entry}={target}" for target in action.targets]


def refusal(models: str, names: str = "[a]") -> str:
    with pytest.raises(RulesError) as caught:
        book(models, names)
    return str(caught.value)


def test_a_chain_is_exactly_what_it_says_each_item_its_own_target():
    """A-070, A-071, A-074, A-075: chains cross models, and a chain in a chain is not followed."""
    found = book(
        "{x: {provider: a, name: ax, chain: [y, x, b/z, both2]}, y: {provider: b, chain: [x]},"
        " both2: {provider: b, name: both}}"
    )
    assert chain(found, "x") == ["y=b/y", "x=a/ax", "b/z=b/z", "both2=b/both"]
    assert chain(found, "y") == ["x=a/ax"]
    assert chain(found, "both2") == ["both2=b/both"]


def test_aliases_have_the_whole_chain():
    found = book("{x: {provider: a, chain: [x, y], aliases: [best, org/best]}, y: {provider: b}}")
    assert chain(found, "best") == chain(found, "org/best") == ["x=a/x", "y=b/y"]
    assert tried("[best]", "{x: {provider: a, chain: [x, b/q], aliases: [best]}}") == ["x=a/x"]


def test_listed_ids_are_callable_at_each_provider_in_the_order_of_the_file():
    found = book("{m1: {provider: b}}")
    assert chain(found, "both") == ["a/both=a/both", "b/both=b/both"]
    assert chain(found, "m2") == ["b/m2=b/m2"]
    assert chain(found, "m1") == ["m1=b/m1"], "an entry comes before a listed id"


def test_names_are_looked_up_entry_first_then_provider_slash_model_then_provider_then_id():
    models = "{b: {provider: a, name: x}, a/m9: {provider: b, name: y}}"
    assert tried("[b, a/m9, a/m8, a, m2, org/deep]", models) == [
        "b=a/x",
        "a/m9=b/y",
        "a/m8=a/m8",
        f"a=a/{AS_ASKED}",
        "b/m2=b/m2",
        "a/org/deep=a/org/deep",
    ]


def test_rates_come_from_the_entry_then_from_the_provider():
    """A-091, A-103: exact, as written."""
    found = book(
        "{x: {provider: b, rate: 0.12}, y: {provider: b}, z: {provider: a}, s: {provider: a, rate: '1.30'}}",
        "[b/x, b/other, b, a/other]",
    )
    rates = {name: found.models[name][0].rate for name in "xyzs"}
    assert rates == {"x": Fraction("0.12"), "y": Fraction(7), "z": None, "s": Fraction("1.3")}
    assert [t.rate for t in found.rules[0].action.targets] == [Fraction("0.12"), 7, 7, None]


def test_timeouts_of_a_model_are_laid_over_those_of_its_provider():
    """Decision 16: each per provider and per model."""
    found = book("{x: {provider: a, timeouts: {total: 9}}, y: {provider: a}}", "[a/x]")
    assert found.models["x"][0].timeouts == Timeouts(idle=1, total=9)
    assert found.rules[0].action.targets[0].timeouts == Timeouts(idle=1, total=9)
    assert found.models["y"][0].timeouts is None


def test_a_chain_alone_is_a_model_too():
    found = book("{v: {chain: [m2, a/m1], aliases: [w]}}", "{chain: w}")
    assert chain(found, "v") == chain(found, "w") == ["b/m2=b/m2", "a/m1=a/m1"]
    assert found.rules[0].action.targets == found.models["v"]
    assert "'v' has no provider of its own: use {chain: v}" in refusal("{v: {chain: [m2]}}", "[v]")


@pytest.mark.parametrize(
    ("models", "names", "part"),
    [
        (
            "{}",
            "[both]",
            "try[0]: 'both' is listed by more than one provider: write a/both, b/both",
        ),
        ("{}", "[m3]", "try[0]: unknown model 'm3'. Known: a, b, both"),
        (
            "{}",
            "[c/x]",
            "try[0]: provider 'c' is not in `providers`, and no model has this whole name",
        ),
        ("{}", "[a/]", "try[0]: unknown model 'a/'"),
        ("{x: {provider: a, chain: [y]}}", "[a]", "models.x.chain[0]: unknown model 'y'"),
        (
            "{x: {provider: a, aliases: [y]}, y: {provider: b}}",
            "[a]",
            "models.x.aliases[0]: 'y' is the name of another",
        ),
        (
            "{x: {provider: a, aliases: [z]}, y: {provider: b, aliases: [z]}}",
            "[a]",
            "models.y.aliases[0]: 'z' is the name",
        ),
        ("{x: {provider: a, aliases: [x]}}", "[a]", "models.x.aliases[0]: 'x' is the name"),
    ],
)
def test_names_that_stand_for_nothing_or_too_much(models, names, part):
    assert part in refusal(models, names)


def test_a_target_twice_is_tried_once():
    found = book("{x: {provider: a, chain: [x, a/x, b/x, x]}}", "[x, a/x]")
    assert chain(found, "x") == ["x=a/x", "b/x=b/x"]
    assert len(found.rules[0].action.targets) == 1
    twice = (warning.split(": ", 1)[1] for warning in found.warnings if "already" in warning)
    assert list(twice) == [
        "'a/x' is in this chain already: it is tried once",
        "'x' is in this chain already: it is tried once",
    ]


def test_a_model_that_its_provider_does_not_list_is_warned_of():
    """In a rule, a chain and an entry; not where nothing is listed, nor where an entry says it is there."""
    found = load(
        PROVIDERS
        + """
  c: {url: 'https://c.test'}
models:
  typo: {provider: b, name: botth}
  far: {provider: a, chain: [far, a/m11, c/any, b/botth, b/m2]}
rules:
  - {name: r, when: {model: w}, try: [a/org/deeep, c/anything, a/m1]}
  - {name: s, try: {weighted: {b/m22: 1, a: 1}}}
""",
        env={},
    )

    assert [warning.split(" ", 1)[1] for warning in found.warnings] == [
        "models.typo.name: b does not list this: unknown model 'botth'. Did you mean 'both'?",
        "models.far.chain[1]: a does not list this: unknown model 'm11'. Did you mean 'm1'?",
        "rules[0].try[0]: a does not list this: unknown model 'org/deeep'. Did you mean 'org/deep'?",
        "rules[1].try.weighted.b/m22: b does not list this: unknown model 'm22'. Did you mean 'm2'?",
    ]
