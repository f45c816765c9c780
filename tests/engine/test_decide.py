from __future__ import annotations

import math
from fractions import Fraction
from time import thread_time_ns

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.decisions import (
    a_book,
    a_call,
    a_provider,
    a_target,
    a_view,
    a_window,
    flag_is,
    state_of,
    text_is,
)
from wattline.dialects.crossing import crosses
from wattline.engine.decide import DEMO, decide
from wattline.engine.plan import Plan, Skip
from wattline.engine.rest import Resting
from wattline.engine.windows import Claim, Windows
from wattline.rules.compiled.rule import Asked, Deny, Listed, Pass, Rule, Tiered, Weighted
from wattline.rules.compiled.target import AS_ASKED
from wattline.wire.call import Operation

GROQ, OPENAI = a_provider("groq"), a_provider("openai")
ASKED = Rule("asked", (), Asked())
TO_GROQ = Rule("to-groq", (), Listed((a_target(GROQ),)))


def plan_of(call, book, view=None, now=0.0, draw=0.0) -> Plan:
    return decide(call, book, view or a_view(), now, 0.0, draw)


def names(plan: Plan) -> list[str]:
    return [str(target) for target in plan.targets]


def test_the_first_rule_whose_conditions_all_hold():
    book = a_book(
        Rule(
            "streams", (text_is("model", "m*"), flag_is("stream", wanted=True)), Deny("no streams")
        ),
        Rule("named", (text_is("model", "m"),), Listed((a_target(OPENAI, "x"),))),
        TO_GROQ,
    )
    plan = plan_of(a_call("m"), book)
    assert (plan.rule, plan.position, names(plan)) == ("named", 1, ["openai/x"])
    assert plan_of(a_call("m", stream=True), book).deny == Deny("no streams")
    assert plan_of(a_call("other"), book).rule == "to-groq"
    assert plan.version == "v1"


def test_what_a_rule_sets_is_in_the_plan():
    rule = Rule(
        "r",
        (),
        Listed((a_target(GROQ),)),
        {"temperature": 0.3},
        {"max_tokens": 2048},
        frozenset({"context_length"}),
    )
    plan = plan_of(a_call(), a_book(rule))
    assert plan.defaults == {"temperature": 0.3}
    assert plan.overrides == {"max_tokens": 2048}
    assert plan.on == {"context_length"}


def test_the_chain_of_the_called_model():
    """A-070, A-071: tried in order."""
    chain = (a_target("go", "gpt-4o"), a_target(OPENAI, "gpt-4o"), a_target("go", "gpt-4o-mini"))
    plan = plan_of(a_call("gpt-4o"), a_book(ASKED, models={"gpt-4o": chain}))
    assert plan.targets == chain
    assert (plan.skipped, plan.unknown) == ((), False)


def test_an_unknown_model_makes_the_rule_not_apply():
    book = a_book(ASKED, TO_GROQ, models={"gpt-4o": (a_target(OPENAI, "gpt-4o"),)})
    plan = plan_of(a_call("gpt-4oo"), book)
    assert (plan.rule, plan.position) == ("to-groq", 1)
    assert plan.reasons == ("model 'gpt-4oo' is unknown",)
    assert plan.unknown


def test_an_unknown_model_and_no_other_rule():
    """D-073: nothing to try; the names that were likely meant are there."""
    book = a_book(ASKED, ASKED, models={"gpt-4o": (a_target(OPENAI, "gpt-4o"),)})
    plan = plan_of(a_call("gpt-4oo"), book)
    assert (plan.rule, plan.targets, plan.skipped, plan.passed) == (None, (), (), False)
    assert (plan.unknown, plan.near) == (True, ("gpt-4o",))
    assert plan.reasons == ("model 'gpt-4oo' is unknown", "no rule applies")


def test_a_known_model_that_no_rule_takes():
    never = Rule("never", (text_is("model", "other"),), Asked())
    plan = plan_of(a_call("m"), a_book(never, models={"m": (a_target(GROQ),)}))
    assert (plan.rule, plan.unknown, plan.near, plan.reasons) == (
        None,
        False,
        (),
        ("no rule applies",),
    )


def test_a_forward_call_without_a_rule_passes():
    plan = plan_of(a_call("m", forward=True), a_book())
    assert (plan.rule, plan.passed, plan.targets) == (None, True, ())
    assert not plan_of(a_call("m"), a_book()).passed


def test_pass_is_for_calls_that_named_a_host():
    """A call to the sidecar itself would come back to it."""
    book = a_book(Rule("through", (), Pass()), TO_GROQ)
    plan = plan_of(a_call("m", forward=True), book)
    assert (plan.rule, plan.passed, plan.targets) == ("through", True, ())
    plan = plan_of(a_call("m"), book)
    assert (plan.rule, plan.passed) == ("to-groq", False)
    assert "'through'" in plan.reasons[0]


def test_deny():
    book = a_book(Rule("closed", (), Deny("closed at night", 451)))
    plan = plan_of(a_call(), book)
    assert (plan.deny, plan.targets, plan.passed) == (Deny("closed at night", 451), (), False)


def test_each_target_once():
    chain = (a_target(GROQ), a_target(OPENAI), a_target(GROQ), a_target(GROQ, AS_ASKED))
    assert names(plan_of(a_call("m"), a_book(Rule("r", (), Listed(chain))))) == [
        "groq/m",
        "openai/m",
    ]
    off = a_provider("off", unavailable="No API key for off: OFF_KEY is not set")
    plan = plan_of(a_call("m"), a_book(Rule("r", (), Listed((a_target(off), a_target(off))))))
    assert len(plan.skipped) == 1


def test_why_a_target_is_skipped():
    """C-081, C-101, C-107: each with its reason, and the next is tried."""
    windows, resting = Windows(), Resting()
    window = a_window("full", calls=1)
    windows.take([Claim(window, "full")], 0.0)
    resting.rest("tired", 40.0, "it asked to wait", limited=True)
    resting.rest("refused", 300.0, "its key was refused")
    chain = (
        a_target(a_provider("off", unavailable="No API key for off: OFF_KEY is not set")),
        a_target(a_provider("tired")),
        a_target(a_provider("refused")),
        a_target(a_provider("full", windows=(window,))),
        a_target(a_provider("claude", dialect="anthropic")),
        a_target(GROQ),
    )
    book = a_book(Rule("r", (), Listed(chain)))
    call = a_call(operation=Operation.EMBEDDINGS)
    plan = plan_of(call, book, a_view(windows, resting), now=10.0)
    assert names(plan) == ["groq/m"]
    assert plan.skipped == (
        Skip("off/m", "unavailable", "No API key for off: OFF_KEY is not set"),
        Skip("tired/m", "resting", "resting for 30.0 s: it asked to wait", 30.0, limited=True),
        Skip("refused/m", "resting", "resting for 290.0 s: its key was refused", 290.0),
        Skip(
            "full/m",
            "window_full",
            "window full: 1 of 1 calls in 60 s; free in 50.0 s",
            50.0,
            limited=True,
        ),
        Skip(
            "claude/m",
            "dialect",
            "claude speaks anthropic, which has no embeddings of openai's kind",
        ),
    )


def test_what_never_passes_is_said_before_what_does():
    resting = Resting()
    resting.rest("p", 40.0, "x")
    for changed, code in (
        ({"dialect": "anthropic"}, "dialect"),
        ({"unavailable": "off"}, "unavailable"),
    ):
        target = a_target(a_provider("p", **changed))
        call = a_call(operation=Operation.EMBEDDINGS)
        plan = plan_of(call, a_book(Rule("r", (), Listed((target,)))), a_view(resting=resting))
        assert [skip.code for skip in plan.skipped] == [code]


def test_a_window_is_asked_with_the_calls_estimate():
    provider = a_provider("p", windows=(a_window("tpm", tokens=100),))
    book = a_book(Rule("r", (), Listed((a_target(provider), a_target(GROQ)))))
    assert names(plan_of(a_call(tokens=100), book)) == ["p/m", "groq/m"]
    plan = plan_of(a_call(tokens=101), book)
    assert (names(plan), plan.skipped[0].code) == (["groq/m"], "window_full")
    assert plan.skipped[0].retry_after is None


def test_deciding_takes_no_slot():
    windows, provider = Windows(), a_provider("p", windows=(a_window("p", calls=1),))
    book = a_book(Rule("r", (), Listed((a_target(provider),))))
    for _ in range(3):
        assert names(plan_of(a_call(), book, a_view(windows))) == ["p/m"]
    assert windows.size == 0


def test_tiers_and_their_downgrades():
    """C-090 to C-092, decision 8: written in the reasons, for targets that are tried."""
    large = a_provider("a", models=[("big", "large")])
    off = a_provider("b", models=[("big", "large")], unavailable="off")
    plan = plan_of(
        a_call(), a_book(Rule("r", (), Tiered("fast", (large, off, a_provider("empty")))))
    )
    assert names(plan) == ["a/big"]
    assert plan.reasons == ("a/big: tier large for fast",)
    assert [(skip.target, skip.code) for skip in plan.skipped] == [
        ("b/big", "unavailable"),
        ("empty", "no_model"),
    ]


def test_the_draw_is_among_those_that_can_be_tried():
    off = a_target(a_provider("off", unavailable="off"))
    book = a_book(Rule("r", (), Weighted(((off, 8), (a_target(GROQ), 1), (a_target(OPENAI), 1)))))
    assert names(plan_of(a_call(), book, draw=0.1)) == ["groq/m", "openai/m"]
    assert names(plan_of(a_call(), book, draw=0.5)) == ["openai/m", "groq/m"]
    for draw in (math.nan, math.inf, -1.0, 1.0):
        assert sorted(names(plan_of(a_call(), book, draw=draw))) == ["groq/m", "openai/m"]


def test_the_demo_says_that_it_is_one():
    demo = a_provider("demo", demo=True, credential=None)
    plan = plan_of(a_call(), a_book(Rule("r", (), Listed((a_target(demo),)))))
    assert plan.reasons == (DEMO,) == ("demo: no provider key is set; this answer is made up",)
    assert plan_of(a_call(), a_book(TO_GROQ)).reasons == ()


def test_nothing_left_to_try():
    off = a_provider("off", unavailable="No API key for off: OFF_KEY is not set")
    plan = plan_of(a_call(), a_book(Rule("r", (), Listed((a_target(off),)))))
    assert (plan.rule, plan.targets, len(plan.skipped)) == ("r", (), 1)


PROVIDERS = [
    a_provider("a", models=[("m", "fast"), ("n", "large")], windows=(a_window("a", calls=1),)),
    a_provider("b", unavailable="off", models=[("m", "large", 5)]),
    a_provider("c", dialect="anthropic"),
    a_provider("d", demo=True, windows=(a_window("d", tokens=10),)),
]
TARGETS = st.builds(a_target, st.sampled_from(PROVIDERS), st.sampled_from(["m", "n", AS_ASKED]))
ACTIONS = st.one_of(
    st.just(Asked()),
    st.just(Pass()),
    st.just(Deny("no")),
    st.builds(Listed, st.lists(TARGETS, max_size=4).map(tuple)),
    st.builds(Weighted, st.lists(st.tuples(TARGETS, st.integers(1, 5)), max_size=4).map(tuple)),
    st.builds(
        Tiered,
        st.sampled_from(["fast", "large", "odd"]),
        st.lists(st.sampled_from(PROVIDERS), max_size=4).map(tuple),
    ),
)
CONDITIONS = st.sampled_from(
    [
        text_is("model", "m"),
        text_is("model", "n*"),
        text_is("tier", "gold"),
        flag_is("stream", wanted=True),
    ]
)
RULES = st.builds(Rule, st.text(max_size=5), st.lists(CONDITIONS, max_size=2).map(tuple), ACTIONS)
BOOKS = st.builds(
    lambda rules, chains: a_book(*rules, models=chains, providers=tuple(PROVIDERS)),
    st.lists(RULES, max_size=5),
    st.dictionaries(st.sampled_from(["m", "n"]), st.lists(TARGETS, max_size=3).map(tuple)),
)
CALLS = st.builds(
    a_call,
    st.sampled_from(["m", "n", "mm", ""]) | st.text(max_size=10),
    stream=st.booleans(),
    forward=st.booleans(),
    tokens=st.integers(0, 20),
)


@st.composite
def views(draw):
    windows, resting = Windows(), Resting()
    if draw(st.booleans()):
        windows.take([Claim(PROVIDERS[0].windows[0], "a")], 0.0)
    if draw(st.booleans()):
        resting.rest(draw(st.sampled_from("abcd")), 9.0, "x")
    return a_view(windows, resting)


@settings(max_examples=150, deadline=None)
@given(CALLS, BOOKS, views(), st.floats(allow_nan=False))
def test_pure_total_and_one_of_four(call, book, view, draw):
    """The same plan each time, and exactly one of the things that a plan can say."""
    plan = decide(call, book, view, 1.0, 0.0, draw)
    assert plan == decide(call, book, view, 1.0, 0.0, draw)
    said = [bool(plan.targets), plan.deny is not None, plan.passed]
    assert sum(said) <= 1
    places = [str(target) for target in plan.targets]
    assert len(places) == len(set(places))
    for target in plan.targets:
        assert target.provider.unavailable is None
        assert crosses(call.operation, call.dialect, target.provider.dialect)
        assert state_of(view, target.provider.name, 1.0) == "healthy"
        assert target.model != AS_ASKED or call.model == AS_ASKED
    if plan.position is not None:
        assert book.rules[plan.position].name == plan.rule
        for condition in book.rules[plan.position].conditions:
            assert condition.test(call, view, 1.0, 0.0)


def many_rules(count: int):
    chain = tuple(
        a_target(
            a_provider(f"p{n}", windows=(a_window(f"p{n}", calls=100),)), "gpt-4o", rate=Fraction(1)
        )
        for n in range(3)
    )
    rules = [
        Rule(f"r{n}", (text_is("model", f"model-{n}"), flag_is("stream", wanted=False)), Deny("no"))
        for n in range(count - 1)
    ]
    return a_book(*rules, ASKED, models={"gpt-4o": chain})


@pytest.mark.parametrize("count", [10, 1_000])
def test_cost_does_not_grow_with_the_rules(count):
    """About 15 µs when the machine is idle; the bound is generous, since machines are not."""
    book, call, view = many_rules(count), a_call("gpt-4o", tokens=100), a_view()
    assert len(plan_of(call, book, view).targets) == 3
    best = math.inf
    for _ in range(200):
        began = thread_time_ns()
        for _ in range(5):
            decide(call, book, view, 1.0, 0.0)
        best = min(best, (thread_time_ns() - began) / 5)
    assert best < 500_000
