from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kit.decisions import a_book, a_call, a_target, a_view, text_is
from wattline.engine.decide import decide
from wattline.engine.trials import aims_at, fits
from wattline.rules.compiled.rule import Listed, Rule
from wattline.rules.drill import Drill
from wattline.rules.globs import Patterns
from wattline.rules.shadow import Shadow

DRILL = Drill("503", 0.25, until=1_000.0)
TARGET = a_target("p")


def plan_of(rule: Rule, draw: float, wall: float = 0.0):  # type: ignore[no-untyped-def]
    return decide(a_call(), a_book(rule), a_view(), 0.0, wall, draw)


def rule(**fields: object) -> Rule:
    return replace(Rule("r", (text_is("model", "m"),), Listed((TARGET,))), **fields)  # type: ignore[arg-type]


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_the_same_draw_gives_the_same_plan(draw: float, share: float) -> None:
    one = rule(fault=replace(DRILL, share=share), shadow=Shadow(TARGET, share))
    assert plan_of(one, draw) == plan_of(one, draw)


def test_a_share_is_kept() -> None:
    """Over many draws, and for drills and shadows apart."""
    draws = [n / 20_011 for n in range(20_011)]
    drilled = [plan_of(rule(fault=DRILL), draw).fault is not None for draw in draws]
    shadowed = [plan_of(rule(shadow=Shadow(TARGET, 0.05)), d).shadow is not None for d in draws]
    assert abs(sum(drilled) / len(draws) - 0.25) < 0.01
    assert abs(sum(shadowed) / len(draws) - 0.05) < 0.01
    both = sum(a and b for a, b in zip(drilled, shadowed, strict=True))
    assert abs(both / len(draws) - 0.25 * 0.05) < 0.005


def test_a_drill_ends_by_itself() -> None:
    full = rule(fault=replace(DRILL, share=1.0))
    assert plan_of(full, 0.5, wall=999.9).fault is not None
    over = plan_of(full, 0.5, wall=1_000.0)
    assert over.fault is None
    assert over.reasons == ()


def test_a_drilled_call_has_no_shadow() -> None:
    plan = plan_of(rule(fault=replace(DRILL, share=1.0), shadow=Shadow(TARGET, 1.0)), 0.5)
    assert plan.fault is not None
    assert plan.shadow is None


def test_all_calls_are_no_share() -> None:
    plan = plan_of(rule(fault=replace(DRILL, share=1.0)), 0.5)
    assert plan.reasons == ("drill: 503 for each such call",)


def test_explain_tells_of_a_drill_that_did_not_take_the_call() -> None:
    plan = plan_of(rule(fault=replace(DRILL, share=0.0001)), 0.999)
    assert plan.fault is None
    assert plan.reasons == ("drill: 503 for 0.01 % of such calls",)


def test_every_line_of_a_drill_must_fit() -> None:
    call = a_call(user="u-1", headers={"x-team": "blue"})
    users = Patterns.of(["u-*"])
    blue = (("x-team", Patterns.of(["blue"])),)
    assert fits(replace(DRILL, users=users, headers=blue), call, 0.0)
    assert not fits(replace(DRILL, users=Patterns.of(["v-*"]), headers=blue), call, 0.0)
    assert not fits(replace(DRILL, users=users), a_call(), 0.0)
    assert not fits(replace(DRILL, headers=(("x-none", Patterns.of(["*"])),)), call, 0.0)
    assert not fits(replace(DRILL, principals=Patterns.of(["alice"])), call, 0.0)
    assert fits(replace(DRILL, principals=Patterns.of(["local"])), call, 0.0)


def test_targets_of_a_drill() -> None:
    for name in ("p", "p/m", "m", "p/*"):
        assert aims_at(replace(DRILL, targets=Patterns.of([name])), TARGET)
    assert not aims_at(replace(DRILL, targets=Patterns.of(["q"])), TARGET)
    assert aims_at(DRILL, TARGET)
