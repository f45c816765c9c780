from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.decisions import a_book, a_call, a_provider, a_target
from wattline.engine.plan import Skip
from wattline.engine.targets import Choice, as_asked, choices, draw_order
from wattline.rules.compiled.provider import Provider
from wattline.rules.compiled.rule import Asked, Listed, Tiered, Weighted
from wattline.rules.compiled.target import AS_ASKED

OPENAI, GROQ, GO = (a_provider(name) for name in ("openai", "groq", "go"))


def of(action, call=None, book=None) -> list[str]:
    found = choices(action, call or a_call(), book or a_book())
    return [item.target if isinstance(item, Skip) else str(item.target) for item in found]


def test_a_chain_may_cross_models():
    """A-071, A-074, A-075: gpt-4o falls back to deepseek and to gpt-4o-mini, in the chain's order."""
    chain = (
        a_target(GO, "gpt-4o"),
        a_target(OPENAI, "gpt-4o"),
        a_target("openrouter", "deepseek-chat"),
        a_target(GO, "gpt-4o-mini"),
    )
    book = a_book(models={"gpt-4o": chain})
    names = ["go/gpt-4o", "openai/gpt-4o", "openrouter/deepseek-chat", "go/gpt-4o-mini"]
    assert of(Asked(), a_call("gpt-4o"), book) == names
    assert of(Listed(chain[::-1]), a_call("other"), book) == names[::-1]
    assert of(Asked(), a_call("other"), book) == []


def test_the_called_model_at_a_named_provider():
    target = a_target(GROQ, AS_ASKED)
    found = as_asked(target, a_call("gpt-4o"), a_book())
    assert (str(found), found.entry, found.rate) == ("groq/gpt-4o", "gpt-4o", None)
    known = a_target(OPENAI, "gpt-4o")
    assert as_asked(known, a_call("x"), a_book()) is known


@pytest.mark.parametrize(
    ("entry_rate", "target_rate", "default", "rate"),
    [
        ("1.2", "3", "5", "1.2"),
        (None, "3", "5", "3"),
        (None, None, "5", "5"),
        (None, None, None, None),
    ],
)
def test_its_rate_is_that_of_the_models_entry(entry_rate, target_rate, default, rate):
    """A-091, decision 1: else the provider's own, else the default."""

    def fraction(text: str | None) -> Fraction | None:
        return None if text is None else Fraction(text)

    chain = (a_target(GO, "x", rate=Fraction(9)), a_target(OPENAI, "m", rate=fraction(entry_rate)))
    book = a_book(models={"m": chain}, default_rate=fraction(default))
    target = a_target(GROQ, AS_ASKED, rate=fraction(target_rate))
    assert as_asked(target, a_call("m"), book).rate == fraction(rate)


def test_an_alias_becomes_the_name_that_the_provider_knows():
    entry = a_target(OPENAI, "gpt-4o-2024", entry="gpt-4o", rate=Fraction(2))
    book = a_book(models={"4o": (entry,), "gpt-4o": (entry,)})
    assert as_asked(a_target(OPENAI, AS_ASKED), a_call("4o"), book) is entry
    elsewhere = as_asked(a_target(GROQ, AS_ASKED), a_call("4o"), book)
    assert (str(elsewhere), elsewhere.rate) == ("groq/4o", Fraction(2))


def test_a_tier_is_each_providers_best():
    """C-090 to C-092, decision 8: what is not of that tier says so."""
    first = a_provider("first", models=[("big", "large"), ("small", "fast")])
    second = a_provider("second", models=[("thinker", "reasoning")])
    third = a_provider("third", models=[("small", "fast")])
    fourth = a_provider("fourth", models=[("plain",)])
    found = list(choices(Tiered("large", (first, second, third, fourth)), a_call(), a_book()))
    assert [str(item.target) for item in found] == [
        "first/big",
        "second/thinker",
        "third/small",
        "fourth/plain",
    ]
    assert [item.note for item in found if isinstance(item, Choice)] == [
        None,
        "second/thinker: tier reasoning for large",
        "third/small: tier fast for large",
        "fourth/plain: tier none for large",
    ]


def test_a_provider_without_a_fitting_model_says_so():
    small = a_provider("small", models=[("m", "large", 8_192)])
    found = list(
        choices(Tiered("large", (a_provider("none"), small)), a_call(tokens=9_000), a_book())
    )
    assert found == [
        Skip("none", "no_model", "none lists no model"),
        Skip("small", "context", "no model of small takes about 9000 tokens"),
    ]


def test_a_tiers_model_has_the_rate_of_its_entry():
    provider = a_provider("p", models=[("big", "large")])
    own = a_target(provider, "big", rate=Fraction(7))
    other = a_target(OPENAI, "big", rate=Fraction(3))

    def rate(*chain, default=None):
        book = a_book(models={"big": chain} if chain else {}, default_rate=default)
        (item,) = choices(Tiered("large", (provider,)), a_call(), book)
        assert isinstance(item, Choice)
        return item.target.rate

    assert rate(other, own) == 7
    assert rate(other) == 3
    assert rate(default=Fraction(5)) == 5
    assert rate() is None


def drawn(draw: float, *weights: int) -> list[str]:
    found = [Choice(a_target(GROQ, f"m{n}"), None, weight) for n, weight in enumerate(weights)]
    return [choice.target.model for choice in draw_order(found, draw)]


@pytest.mark.parametrize(
    ("draw", "order"),
    [
        (0.0, ["m0", "m2", "m1"]),
        (0.099, ["m0", "m2", "m1"]),
        (0.1, ["m1", "m2", "m0"]),
        (0.399, ["m1", "m2", "m0"]),
        (0.4, ["m2", "m1", "m0"]),
        (0.999, ["m2", "m1", "m0"]),
    ],
)
def test_the_first_is_drawn_and_the_heaviest_follow(draw, order):
    assert drawn(draw, 1, 3, 6) == order


@given(st.floats(), st.lists(st.integers(0, 10), max_size=5))
def test_any_draw_gives_all_choices_once(draw, weights):
    assert sorted(drawn(draw, *weights)) == [f"m{number}" for number in range(len(weights))]


def test_shares_are_as_the_weights():
    """E-005: load balancing."""
    firsts = [drawn(number / 1_000, 3, 1)[0] for number in range(1_000)]
    assert firsts.count("m0") == 750


def test_weighted_choices_keep_their_weights():
    found = list(
        choices(
            Weighted(((a_target(GROQ), 3), (a_target(OPENAI, AS_ASKED), 1))), a_call(), a_book()
        )
    )
    assert [(str(c.target), c.weight) for c in found if isinstance(c, Choice)] == [
        ("groq/m", 3),
        ("openai/m", 1),
    ]
    assert isinstance(OPENAI, Provider)
