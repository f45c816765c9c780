"""A tier's `min_score`: what it keeps out stays out."""

from __future__ import annotations

from fractions import Fraction

import pytest

from kit.decisions import a_book, a_call, a_target
from wattline.engine.decide import decide
from wattline.engine.health import Health
from wattline.engine.rest import Resting
from wattline.engine.view import View
from wattline.engine.windows import Windows
from wattline.rules.compiled.callers import CallerTier
from wattline.rules.compiled.rule import Listed, Rule
from wattline.rules.compiled.upkeep import HealthRules
from wattline.wire.call import Principal

TARGET = a_target("p")
BOOK = a_book(
    Rule("all", (), Listed((TARGET,))),
    models={"m": (TARGET,)},
    tiers={"gold": CallerTier((), Fraction(9, 10))},
)
GOLD = a_call(principal=Principal("ann", "gold"))


def half_failed(*, breaker: bool) -> Health:
    health = Health(HealthRules(breaker=breaker, failures=5, cooldown=1_000.0))
    for second in range(60):
        if second % 2 and second < 50:
            health.good(TARGET.place, float(second), 10.0, 20.0)
        else:
            health.bad(TARGET.place, "http_500", float(second))
    return health


@pytest.mark.parametrize("breaker", [False, True])
@pytest.mark.parametrize("rests", [False, True])
def test_neither_a_rest_nor_a_breaker_lets_it_in(breaker, rests):
    """B-062: who is tried all the same, for want of others, must be fit for the tier."""
    resting = Resting()
    if rests:
        resting.rest(TARGET.account, 110.0, "it is limited", limited=True, guessed=True)
    view = View(Windows(), resting, {}.get, health=half_failed(breaker=breaker))
    plan = decide(GOLD, BOOK, view, 100.0, 0.0)
    assert plan.targets == ()
    assert not plan.panic
    assert [skip.code for skip in plan.skipped] == ["score"]
    assert decide(a_call(), BOOK, view, 100.0, 0.0).targets == (TARGET,)
