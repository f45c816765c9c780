"""The health of targets: averages, breakers, whole providers, and what decisions make of it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.decisions import a_book, a_call, a_provider, a_target
from wattline.engine.breaker import FREE, State
from wattline.engine.decide import BREAKER, PANIC, decide
from wattline.engine.health import KEPT, Health
from wattline.engine.rest import Resting
from wattline.engine.view import View
from wattline.engine.windows import Windows
from wattline.rules.compiled.callers import CallerTier
from wattline.rules.compiled.rule import Listed, Rule
from wattline.rules.compiled.upkeep import HealthRules
from wattline.rules.globs import Patterns
from wattline.wire.call import Principal

RULES = HealthRules(failures=2, cooldown=10.0, disable_after=2)
ONE, TWO = a_target(a_provider("p"), "one"), a_target(a_provider("p"), "two")
OTHER = a_target(a_provider("q"), "m")


def fail(health: Health, place: tuple[str, str], now: float = 0.0, times: int = 2) -> None:
    for _ in range(times):
        health.bad(place, "http_500", now)


def view_of(health: Health, price=None) -> View:
    return View(Windows(), Resting(), lambda _: None, None, health, price)


def plan_of(targets, health, now=0.0, *, order="given", call=None, price=None, **book):
    rule = Rule("r", (), Listed(tuple(targets)), order=order)
    return decide(call or a_call(), a_book(rule, **book), view_of(health, price), now, 0.0)


class TestFigures:
    def test_averages_move_towards_the_newest(self):
        """B-080: exponential moving averages."""
        health = Health()
        for first in (100.0, 200.0):
            health.good(("p", "m"), 0.0, first, 2 * first)
        figures = health.figures(("p", "m"))
        assert (figures.calls, figures.first_ms, figures.total_ms) == (2, 120.0, 240.0)
        assert figures.errors == 0.0

    def test_the_share_of_errors(self):
        health = Health()
        health.good(("p", "m"), 0.0)
        health.bad(("p", "m"), "http_500", 0.0)
        assert health.figures(("p", "m")).errors == 0.5
        for _ in range(50):
            health.good(("p", "m"), 0.0)
        assert health.figures(("p", "m")).errors < 0.001

    def test_scores_fall_with_errors_and_time(self):
        health = Health()
        health.good(("fast", "m"), 0.0, 0.0)
        health.good(("slow", "m"), 0.0, 2_000.0)
        health.bad(("broken", "m"), "timeout", 0.0)
        scores = [health.figures((name, "m")).score for name in ("fast", "slow", "broken")]
        assert scores == [1.0, 0.5, 0.0]

    @pytest.mark.parametrize(
        "code", ["http_400", "http_401", "http_404", "http_429", "context_length"]
    )
    def test_what_is_no_outage_does_not_count(self, code):
        health = Health(RULES)
        for _ in range(20):
            health.bad(("p", "m"), code, 0.0)
        assert health.state(("p", "m"), 0.0) is State.CLOSED
        assert health.figures(("p", "m")).calls == 0

    def test_our_own_faults_and_ignored_outcomes_do_not_count(self):
        """B-083: patterns that do not count."""
        health = Health(HealthRules(failures=2, ignore=Patterns.of(["http_50*"])))
        for code in ("internal_error", "http_500", "http_503"):
            for _ in range(5):
                health.bad(("p", "m"), code, 0.0)
        assert health.state(("p", "m"), 0.0) is State.CLOSED
        fail(health, ("p", "m"), times=1)
        health.bad(("p", "m"), "timeout", 0.0)
        health.bad(("p", "m"), "timeout", 0.0)
        assert health.state(("p", "m"), 0.0) is State.OPEN

    def test_it_does_not_grow_without_end(self):
        health = Health(RULES)
        for n in range(KEPT + 100):
            fail(health, (f"p of u{n}", "m"))
        assert len(health) == KEPT
        assert health.state(("p of u0", "m"), 0.0) is State.CLOSED
        assert len(health._of) == KEPT
        assert len(health._troubled) == KEPT

    def test_strangers_can_not_make_it_forget(self):
        health = Health(RULES)
        fail(health, ("p", "m"))
        for n in range(KEPT + 100):
            health.bad(("p", f"made-up-{n}"), "http_404", 0.0)
            health.bad(("p", f"failing-{n}"), "http_500", 0.0)
        assert health.state(("p", "m"), 0.0) is State.OPEN


class TestStrangers:
    """What began before the breaker opened, or got no leave of it."""

    def half_open(self):
        health, place = Health(RULES), ("p", "m")
        fail(health, place)
        permit = health.claim(place, 10.0)
        assert permit is not None
        return health, place, permit

    def test_an_outcome_that_does_not_count_frees_no_place(self):
        health, place, permit = self.half_open()
        for code in ("http_400", "internal_error", "shutdown"):
            health.bad(place, code, 10.5, began=-1.0, permit=FREE)
        health.release(place, FREE)
        assert not health.admits(place, 10.5)
        health.bad(place, "http_400", 10.5, began=10.0, permit=permit)
        assert health.admits(place, 10.5)

    def test_stale_outcomes_are_learned_from_and_decide_nothing(self):
        health, place, permit = self.half_open()
        health.good(place, 10.5, 100.0, 200.0, began=-1.0, permit=FREE)
        health.bad(place, "cut", 10.6, began=-1.0, permit=FREE)
        assert health.state(place, 10.6) is State.HALF_OPEN
        assert health.figures(place).calls == 4
        health.good(place, 11.0, 100.0, 200.0, began=10.0, permit=permit)
        assert health.state(place, 11.0) is State.CLOSED
        fail(health, place, 12.0)
        assert health.wait(place, 12.0) == 10.0, "the first time again"

    def test_of_the_past_the_first_that_began_in_time_was_the_probe(self):
        health, place = Health(RULES), ("p", "m")
        fail(health, place)
        health.good(place, 12.0, 100.0, 9_000.0, began=3.0)
        assert health.state(place, 12.0) is State.HALF_OPEN
        health.good(place, 12.0, 100.0, 1_000.0, began=11.0)
        assert health.state(place, 12.0) is State.CLOSED

    def test_a_probe_of_other_rules(self):
        health, place, permit = self.half_open()
        health.clear()
        assert health.admits(place, 10.5)
        fail(health, place, 11.0)
        health.good(place, 22.0, began=10.0, permit=permit)
        assert health.state(place, 22.0) is State.HALF_OPEN


class TestManyModels:
    """Whoever calls may make up names, and any provider may answer to them."""

    def test_they_make_no_question_slower(self):
        few, many = Health(RULES), Health(RULES)
        for health, models in ((few, 3), (many, KEPT)):
            for n in range(models):
                health.good(("p", f"m{n}"), 0.0, 10.0, 20.0)
                fail(health, ("p", f"m{n}"))
        assert seconds_of(many) < 10 * seconds_of(few) + 0.001

    def test_the_worst(self):
        health = Health(RULES)
        assert health.worst("p", 0.0) is State.CLOSED
        health.good(("p", "well"), 0.0)
        assert health.worst("p", 0.0) is State.CLOSED
        fail(health, ("p", "one"))
        fail(health, ("q", "one"), 5.0)
        assert [health.worst("p", at) for at in (0.0, 10.0)] == [State.OPEN, State.HALF_OPEN]
        health.good(("p", "one"), 10.0)
        assert health.worst("p", 10.0) is State.CLOSED
        assert health.worst("q", 10.0) is State.OPEN
        health.rules = HealthRules(breaker=False)
        assert health.worst("q", 10.0) is State.CLOSED

    @given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("gbc"), st.integers(0, 40))))
    @settings(max_examples=200, deadline=None)
    def test_sums_are_those_of_the_models(self, steps):
        health, now = Health(RULES), 0.0
        for model, step, number in steps:
            place, now = ("p", f"m{model}"), now + number / 4
            if step == "g":
                first = None if number % 7 == 0 else float(number)
                health.good(place, now, first, 3.0 * number)
            elif step == "b":
                health.bad(place, "http_500", now)
            else:
                health.clear()
            self.check(health, now)

    def check(self, health, now):
        models = [health.figures(place) for place in health.places()]
        calls = sum(one.calls for one in models)
        found = health.figures_of("p")
        assert found.calls == calls
        if calls:
            errors = sum(one.errors * one.calls for one in models) / calls
            assert found.errors == pytest.approx(errors, abs=1e-9)
        timed = [one for one in models if one.first_ms is not None]
        if timed:
            first = sum(one.first_ms * one.calls for one in timed)
            assert found.first_ms == pytest.approx(first / sum(one.calls for one in timed))
        else:
            assert found.first_ms is None
        proven = [p for p in health.places() if health._targets[p].proven]
        out = [p for p in proven if health._targets[p].breaker.state(now) is State.OPEN]
        assert health.account_out("p", now) is (len(out) >= RULES.disable_after)


def seconds_of(health):
    """Of some thousand questions, the quickest of three rounds."""

    def once():
        began = time.perf_counter()
        for _ in range(1_000):
            health.figures_of("p")
            health.account_out("p", 60.0)
            health.admits(("p", "another"), 60.0)
        return time.perf_counter() - began

    return min(once() for _ in range(3))


class TestProviders:
    def test_a_provider_is_out_after_so_many_of_its_models(self):
        """B-082, B-146."""
        health = Health(RULES)
        for model in ("one", "two"):
            health.good(("p", model), 0.0)
        fail(health, ("p", "one"))
        assert health.admits(("p", "three"), 0.0)
        fail(health, ("p", "two"))
        assert not health.admits(("p", "three"), 0.0)
        assert health.state(("p", "three"), 0.0) is State.OPEN
        assert health.admits(("q", "three"), 0.0)
        assert health.admits(("p", "three"), 10.0), "the others are half open"

    def test_models_that_never_answered_are_none(self):
        """Whoever calls may make up names."""
        health = Health(RULES)
        for n in range(10):
            fail(health, ("p", f"made-up-{n}"))
        assert health.admits(("p", "one"), 0.0)

    def test_never_where_the_rules_say_so(self):
        """B-145."""
        health = Health(HealthRules(failures=2, breaker=False))
        fail(health, ("p", "one"))
        assert health.admits(("p", "one"), 0.0)
        assert health.claim(("p", "one"), 0.0)
        health.rules = HealthRules(failures=2, disable_after=None)
        fail(health, ("p", "two"))
        assert not health.admits(("p", "two"), 0.0)
        assert health.admits(("p", "three"), 0.0)


class TestDecisions:
    def test_a_target_that_fails_is_left_out_and_said_so(self):
        """A-077."""
        health = Health(RULES)
        fail(health, ("p", "one"))
        plan = plan_of([ONE, OTHER], health)
        assert [str(t) for t in plan.targets] == ["q/m"]
        (skip,) = plan.skipped
        assert (skip.code, skip.retry_after) == (BREAKER, 10.0)
        assert skip.reason == "it failed too often; tried again in 10.0 s"

    def test_the_last_ones_are_never_left_out(self):
        health = Health(RULES)
        fail(health, ("p", "one"))
        fail(health, ("q", "m"))
        plan = plan_of([ONE, OTHER], health)
        assert [str(t) for t in plan.targets] == ["p/one", "q/m"]
        assert plan.panic
        assert PANIC in plan.reasons
        assert plan.skipped == ()

    def test_while_a_probe_is_under_way_others_keep_out(self):
        health = Health(RULES)
        fail(health, ("p", "one"))
        assert [str(t) for t in plan_of([ONE, OTHER], health, 10.0).targets] == ["p/one", "q/m"]
        assert health.claim(("p", "one"), 10.0)
        plan = plan_of([ONE, OTHER], health, 10.0)
        assert plan.skipped[0].reason == "it failed too often; another call is trying it now"

    def test_a_tier_that_asks_for_a_score(self):
        """B-062: gating by score."""
        health = Health(HealthRules(breaker=False))
        for _ in range(5):
            health.bad(("p", "one"), "http_500", 0.0)
        call = a_call(principal=Principal("u", tier="gold"))
        plan = plan_of([ONE, OTHER], health, call=call, tiers={"gold": CallerTier((), 0.5)})
        assert [str(t) for t in plan.targets] == ["q/m"]
        assert plan.skipped[0].code == "score"
        assert len(plan_of([ONE, OTHER], health).targets) == 2


class TestOrders:
    def test_fastest(self):
        health = Health()
        health.good(("p", "one"), 0.0, 300.0, 900.0)
        health.good(("p", "two"), 0.0, 100.0, 1_900.0)
        health.good(("q", "m"), 0.0, 200.0, 400.0)
        of_streams = plan_of([ONE, TWO, OTHER], health, order="fastest", call=a_call(stream=True))
        of_wholes = plan_of([ONE, TWO, OTHER], health, order="fastest")
        assert [str(t) for t in of_streams.targets] == ["p/two", "q/m", "p/one"]
        assert [str(t) for t in of_wholes.targets] == ["q/m", "p/one", "p/two"]

    def test_what_was_never_tried_comes_first(self):
        health = Health()
        health.good(("p", "one"), 0.0, 300.0, 900.0)
        plan = plan_of([ONE, OTHER], health, order="fastest")
        assert [str(t) for t in plan.targets] == ["q/m", "p/one"]

    def test_score(self):
        health = Health()
        health.bad(("p", "one"), "http_500", 0.0)
        health.good(("q", "m"), 0.0, 10.0)
        plan = plan_of([ONE, OTHER], health, order="score")
        assert [str(t) for t in plan.targets] == ["q/m", "p/one"]

    def test_cheapest_and_unknown_prices_last(self):
        prices = {"p/one": None, "p/two": 3.0, "q/m": 1.0}
        plan = plan_of(
            [ONE, TWO, OTHER], Health(), order="cheapest", price=lambda t, _: prices[str(t)]
        )
        assert [str(t) for t in plan.targets] == ["q/m", "p/two", "p/one"]
