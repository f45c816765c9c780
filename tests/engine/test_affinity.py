from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.decisions import a_book, a_call, a_target
from wattline.engine.affinity import Affinity
from wattline.engine.decide import decide
from wattline.engine.rest import Resting
from wattline.engine.view import View
from wattline.engine.windows import Windows
from wattline.rules.compiled.rule import Asked, Deny, Listed, Rule, Weighted
from wattline.rules.compiled.upkeep import AffinityRules
from wattline.wire.call import Principal

A, B, C = a_target("a", "x"), a_target("b", "y"), a_target("c", "z")
CALL = a_call(conversation="prefix 00")
STICKY = Rule("sticky", (), Listed((A, B, C)), affinity=True)


def a_view(affinity: Affinity, resting: Resting | None = None) -> View:
    return View(Windows(), resting or Resting(), {}.get, affinity=affinity)


def plan_of(call, rule, memory, *, now=0.0, draw=0.0, resting=None, **book):
    return decide(call, a_book(rule, **book), a_view(memory, resting), now, 0.0, draw)


def test_the_target_that_answered_last_comes_first():
    affinity = Affinity()
    assert plan_of(CALL, STICKY, affinity).kept is False
    affinity.stick(CALL, ("b", "y"), 0.0)
    plan = plan_of(CALL, STICKY, affinity)
    assert plan.targets == (B, A, C)
    assert plan.kept is True
    assert plan.reasons == ("b/y answered this conversation last",)


def test_it_goes_before_a_draw():
    affinity = Affinity()
    affinity.stick(CALL, ("a", "x"), 0.0)
    rule = Rule("w", (), Weighted(((A, 1), (B, 1))), affinity=True)
    assert all(plan_of(CALL, rule, affinity, draw=d / 10).targets[0] == A for d in range(10))


def test_a_target_that_rests_is_left():
    affinity, resting = Affinity(), Resting()
    affinity.stick(CALL, ("b", "y"), 0.0)
    resting.rest("b", 9.0, "it asked to wait")
    plan = plan_of(CALL, STICKY, affinity, resting=resting)
    assert (plan.targets, plan.kept) == ((A, C), False)
    assert plan.reasons == ("b/y answered this conversation last and can't be tried now",)


@pytest.mark.parametrize(
    "call",
    [
        replace(CALL, conversation="prefix 01"),
        replace(CALL, principal=Principal("somebody-else")),
        replace(CALL, model="other"),
    ],
)
def test_another_conversation_caller_or_model_is_apart(call):
    affinity = Affinity()
    affinity.stick(CALL, ("b", "y"), 0.0)
    assert plan_of(call, STICKY, affinity).targets == (A, B, C)


def test_without_affinity_nobody_looks():
    affinity = Affinity()
    affinity.stick(CALL, ("b", "y"), 0.0)
    plain = replace(STICKY, affinity=None)
    assert plan_of(CALL, plain, affinity).kept is None
    assert plan_of(replace(CALL, conversation=None), STICKY, affinity).kept is None
    assert plan_of(CALL, Rule("d", (), Deny("no"), affinity=None), affinity).kept is None


def test_the_section_stands_for_rules_that_say_nothing():
    affinity, on = Affinity(), AffinityRules(enabled=True)
    affinity.stick(CALL, ("b", "y"), 0.0)
    said_nothing = replace(STICKY, affinity=None)
    assert plan_of(CALL, said_nothing, affinity, affinity=on).targets[0] == B
    assert plan_of(CALL, replace(STICKY, affinity=False), affinity, affinity=on).targets[0] == A


def test_it_is_forgotten_after_its_time():
    affinity = Affinity(ttl=10)
    affinity.stick(CALL, ("b", "y"), 0.0)
    assert affinity.of(CALL, 9.9) == ("b", "y")
    assert affinity.of(CALL, 10.0) is None


def test_one_that_no_rule_knows_changes_nothing():
    affinity = Affinity()
    affinity.stick(CALL, ("gone", "model"), 0.0)
    book = {"models": {"m": (A, B)}}
    plan = plan_of(CALL, Rule("r", (), Asked(), affinity=True), affinity, **book)
    assert (plan.targets, plan.kept) == ((A, B), False)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=60))
def test_no_more_than_the_bound_and_the_newest_stay(steps):
    affinity, last = Affinity(ttl=1_000, most=4), {}
    for now, (number, place) in enumerate(steps):
        call = replace(CALL, conversation=str(number))
        affinity.stick(call, (str(place), "m"), float(now))
        last.pop(number, None)
        last[number] = (str(place), "m")
    newest = dict(list(last.items())[-4:])
    assert len(affinity) == len(newest)
    for number in range(10):
        found = affinity.of(replace(CALL, conversation=str(number)), float(len(steps)))
        assert found == newest.get(number)
