from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.rules.compiled.rule import Asked, Rule
from wattline.rules.conditions.call import READERS, FlagIs, TextIs
from wattline.rules.globs import Patterns
from wattline.rules.index import KEPT, LONGEST, ModelIndex

NAMES = st.sampled_from(["a", "b", "ab", "a*", "*b", "*", "?", "abc"])


def rule(number: int, patterns: list[str] | None) -> Rule:
    conditions: tuple[object, ...] = (FlagIs("stream", wanted=True, read=lambda call: call.stream),)
    if patterns is not None:
        conditions += (TextIs("model", Patterns.of(patterns), READERS["model"]),)
    return Rule(f"r{number}", conditions, Asked())


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.none() | st.lists(NAMES, min_size=1, max_size=3), max_size=12),
    st.lists(st.sampled_from(["a", "b", "ab", "abc", "zzb", "", "a*"]), max_size=6),
)
def test_candidates_are_the_rules_that_can_hold_in_their_order(patterns, models):
    rules = [rule(i, one) for i, one in enumerate(patterns)]
    index = ModelIndex(rules)
    for model in [*models, *models]:
        expected = [
            (i, rules[i])
            for i, one in enumerate(patterns)
            if one is None or Patterns.of(one).matches(model)
        ]
        assert list(index.candidates(model)) == expected


def test_a_condition_of_a_foreign_kind_keeps_its_rule_a_candidate():
    class Foreign:
        field = "model"

    foreign = Rule("x", (Foreign(),), Asked())  # type: ignore[arg-type]
    assert ModelIndex([foreign]).candidates("any") == ((0, foreign),)


def test_what_is_kept_is_bounded_in_number_and_length():
    index = ModelIndex([rule(0, ["a*"])])
    for number in range(KEPT + 500):
        index.candidates(f"a{number}")
    assert len(index._kept) == KEPT
    assert len(index.candidates("a" * (LONGEST + 1))) == 1
    assert "a" * (LONGEST + 1) not in index._kept


@pytest.mark.parametrize("wild", [False, True], ids=["exact", "glob"])
def test_a_thousand_rules_cost_about_what_ten_do(wild):
    """The design's bound: matching 1,000 rules is a small part of a call."""

    def cost(number: int) -> float:
        names = [f"model-{i}{'-*' if wild else ''}" for i in range(number)]
        index = ModelIndex([rule(i, [name]) for i, name in enumerate(names)])
        index.candidates("model-5-x")
        best = 1.0
        for _ in range(5):
            began = time.thread_time()
            for _ in range(200):
                index.candidates("model-5-x")
            best = min(best, (time.thread_time() - began) / 200)
        return best

    assert any(cost(1_000) < max(20 * cost(10), 20e-6) for _ in range(5))
