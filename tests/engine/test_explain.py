from __future__ import annotations

import json
from fractions import Fraction
from types import MappingProxyType
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from kit.decisions import (
    SECRET,
    a_book,
    a_call,
    a_provider,
    a_target,
    a_view,
    a_window,
    flag_is,
    text_is,
)
from wattline.engine.decide import decide
from wattline.engine.explain import as_json, explain, render
from wattline.engine.explain_values import REDACTED
from wattline.engine.rest import Resting
from wattline.engine.windows import Claim, Windows
from wattline.rules.book import Book
from wattline.rules.compiled.facts import Subject
from wattline.rules.compiled.rule import Asked, Deny, Listed, Pass, Rule, Tiered, Weighted
from wattline.rules.compiled.target import AS_ASKED
from wattline.rules.compiled.window import Scope
from wattline.rules.conditions.allowance import BalanceIs, FilledOver
from wattline.rules.conditions.call import HeaderIs, Tagged, TokensWithin
from wattline.rules.conditions.configuration import Fixed
from wattline.rules.conditions.health import HealthIs
from wattline.rules.conditions.moment import HourWithin, WeekdayIs
from wattline.rules.globs import Patterns
from wattline.wire.call import Principal

GROQ_WINDOW = a_window("groq", calls=30)
GROQ = a_provider("groq", windows=(GROQ_WINDOW,), headers=(("x-site", "s"),))
OFF = a_provider("off", unavailable="No API key for off: OFF_KEY is not set")


def a_world() -> tuple[Book, Windows]:
    """Rules of which the third decides, and a window of which a part is used."""
    book = a_book(
        Rule(
            "claude",
            (text_is("model", "claude-*"), flag_is("stream", wanted=False)),
            Deny("no", 403),
            line=10,
        ),
        Rule("any", (text_is("model", "gpt-*"),), Asked(), line=14),
        Rule("rest", (), Listed((a_target(GROQ), a_target(OFF), a_target(GROQ))), line=17),
        Rule("late", (), Deny("never asked"), line=20),
        models={"gpt-4o": (a_target(GROQ, "gpt-4o", rate=Fraction("1.2")),)},
        providers=(GROQ, OFF),
        windows=(
            a_window("each", 900.0, 100, scope=Scope.PRINCIPAL),
            a_window("ip", 900.0, 100, scope=Scope.ADDRESS),
            a_window("all", 900.0, tokens=1_000, scope=Scope.GLOBAL),
        ),
    )
    windows = Windows()
    for _ in range(12):
        windows.take([Claim(GROQ_WINDOW, "groq")], 0.0)
    windows.take([Claim(book.windows[2], "all", 1, 250)], 0.0)
    return book, windows


def test_a_whole_explanation_as_text():
    """Every rule up to the one that decides, with what the call has and what was wanted."""
    book, windows = a_world()
    call = a_call("gpt-4oo", stream=True, tokens=20, principal=Principal("ann"))
    view = a_view(windows, balances={"ann": 1_500_000})
    text = render(explain(call, book, view, 10.0, 0.0))
    assert text == (
        """\
call      chat openai model 'gpt-4oo', stream
          POST 127.0.0.1/v1/chat/completions
caller    ann, about 20 tokens (by length), 1.5 energy left
rules     version v1
  1. claude, line 10: no
       - model is 'gpt-4oo', wanted 'claude-*'
       - stream is true, wanted false
  2. any, line 14: holds, but can't stand for this call
       + model is 'gpt-4oo'
       model 'gpt-4oo' is unknown
  3. rest, line 17: decides
       try groq/m, off/m, groq/m
  1 rule after it not asked
windows
  each (principal): 0% full, 100 calls in 900 s
  ip (address): fill depends on the address, 100 calls in 900 s
  all (global): 25% full, 1000 tokens in 900 s
  groq (provider): 40% full, 30 calls in 60 s
targets
  groq/m: ready (key present; breaker closed; not tried lately)
  off/m: No API key for off: OFF_KEY is not set (key present; breaker closed; not tried lately)
plan      try groq/m
  model 'gpt-4oo' is unknown
  did you mean 'gpt-4o'?
"""
    )


def test_what_a_plan_can_say():
    demo = a_provider("demo", demo=True)
    cases = [
        (Rule("r", (), Deny("closed", 451)), False, "plan      denied with 451: closed"),
        (Rule("r", (), Pass()), True, "plan      passed on to the host that the client named"),
        (
            Rule("r", (), Listed((a_target(OFF),))),
            False,
            "plan      nothing: no target can be tried",
        ),
        (
            Rule("r", (text_is("model", "x"),), Asked()),
            False,
            "plan      nothing to try\n  model 'm' is unknown\n  no rule applies",
        ),
        (Rule("r", (), Listed((a_target(demo),))), False, "demo/m: ready (demo)"),
        (Rule("r", (), Listed((a_target(demo),))), False, "  demo: no provider key is set"),
        (Rule("r", (), Weighted(((a_target(GROQ), 3),))), False, "try by weight groq/m: 3"),
        (Rule("r", (), Tiered("fast", (OFF,))), False, "try tier fast of off"),
        (Rule("r", (), Tiered("fast", (OFF,))), False, "off: off lists no model"),
    ]
    for rule, forward, line in cases:
        text = render(explain(a_call(forward=forward), a_book(rule), a_view(), 0.0, 0.0))
        assert line in text, text


def test_why_a_target_is_not_tried():
    resting, windows = Resting(), Windows()
    resting.rest("groq", 30.0, "its key was refused")
    book = a_book(Rule("r", (), Listed((a_target(GROQ),))))
    text = render(explain(a_call(), book, a_view(windows, resting), 10.0, 0.0))
    assert "  groq/m: resting for 20.0 s: its key was refused\n" in text


def test_a_client_can_not_write_to_the_terminal():
    call = a_call("\x1b[2Jgpt\n\u202e", host="h\x07", user="\ud800")
    target = a_target(GROQ, AS_ASKED)
    text = render(explain(call, a_book(Rule("r", (), Listed((target,)))), a_view(), 0.0, 0.0))
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "\\x1b[2Jgpt" in text
    text.encode()


def test_each_condition_shows_what_it_looked_at():
    window = a_window("each", calls=4, scope=Scope.PRINCIPAL)
    full = FilledOver(window, 0.9)
    zone = ZoneInfo("Europe/Berlin")
    conditions = (
        HeaderIs("x-team", Patterns.of(["red"])),
        HeaderIs("x-none", Patterns.of(["*"])),
        HeaderIs("x-session-token", Patterns.of(["red"])),
        HeaderIs("x-note", Patterns.of(["red"])),
        full,
        BalanceIs(5_000_000, None),
        HourWithin(((0, 24),), zone),
        WeekdayIs(frozenset({0}), zone),
        HealthIs(Subject("groq", ("groq",)), frozenset({"out"})),
        Fixed("unconfigured", wanted=True, found=False),
        Tagged(Patterns.of(["a*"])),
        TokensWithin(1, None),
        text_is("user", "x"),
        flag_is("stream", wanted=True),
    )
    headers = {"x-team": "blue", "x-session-token": "tick-tock", "x-note": SECRET}
    windows = Windows()
    windows.take([Claim(window, "ann")], 0.0)
    found = explain(
        a_call(headers=headers, tokens=5, tags=frozenset({"ab"}), principal=Principal("ann")),
        a_book(Rule("r", conditions, Deny("no")), windows=(window,)),
        a_view(windows, balances={"ann": 1_500_000}),
        1.0,
        1_767_787_200.0,
    )
    seen = {(c.field, c.name): c.value for c in found.rules[0].conditions}
    assert seen == {
        ("header", "x-team"): "'blue'",
        ("header", "x-none"): "not sent",
        ("header", "x-session-token"): REDACTED,
        ("header", "x-note"): REDACTED,
        ("window", "each of ann"): "25% full",
        ("balance", ""): "1.5",
        ("hour", ""): "13 (Europe/Berlin)",
        ("weekday", ""): "wed (Europe/Berlin)",
        ("health", "groq"): "healthy, 0 attempts",
        ("unconfigured", ""): "false",
        ("tag", ""): "'ab'",
        ("tokens", ""): "about 5 (by length)",
        ("user", ""): "not known",
        ("stream", ""): "false",
    }
    text, told = render(found), as_json(found)
    assert "- header x-team is another, wanted 'red' (header x-team is 'blue')" in text
    assert "+ hour is 13 (Europe/Berlin)" in text
    assert "- health" not in text
    assert "(health groq is healthy, 0 attempts)" in text
    assert told["rules"][0]["conditions"][0]["name"] == "x-team"
    assert told["rules"][0]["conditions"][5]["name"] is None
    for shown in (text, json.dumps(told)):
        assert "tick-tock" not in shown
        assert SECRET not in shown


def test_as_json():
    book, windows = a_world()
    rules = MappingProxyType({"stop": ("a", "b"), "x": MappingProxyType({"y": 1})})
    decides = Rule("r", (), Asked(), rules, {"n": 1}, frozenset({"context_length"}), line=3)
    book = a_book(decides, models=book.models, windows=book.windows)
    found = as_json(
        explain(a_call("gpt-4o"), book, a_view(windows, balances={"local": 5}), 0.0, 0.0)
    )
    assert json.loads(json.dumps(found)) == found
    assert found["plan"]["targets"] == [
        {
            "target": "groq/gpt-4o",
            "provider": "groq",
            "model": "gpt-4o",
            "entry": "gpt-4o",
            "rate": 1.2,
        }
    ]
    assert found["plan"]["defaults"] == {"stop": ["a", "b"], "x": {"y": 1}}
    assert found["plan"]["on"] == ["context_length"]
    assert found["targets"] == [
        {
            "target": "groq/gpt-4o",
            "state": "ready",
            "why_not": None,
            "demo": False,
            "credential": "present",
            "breaker": "closed",
            "attempts": 0,
            "errors": 0.0,
            "first_ms": None,
            "total_ms": None,
            "score": 1.0,
        }
    ]
    assert found["rules"][0]["decides"] is True
    assert found["balance"] == 0.000005
    assert [window["fill"] for window in found["windows"]] == [0.0, None, 0.25, 0.4]
    denied = as_json(explain(a_call(), a_book(Rule("r", (), Deny("x", 410))), a_view(), 0.0, 0.0))
    assert denied["plan"]["deny"] == {"message": "x", "status": 410}


TARGETS = st.builds(a_target, st.sampled_from([GROQ, OFF]), st.sampled_from(["m", "n", AS_ASKED]))
ACTIONS = st.one_of(
    st.sampled_from([Asked(), Pass(), Deny("no"), Tiered("fast", (GROQ, OFF))]),
    st.builds(Listed, st.lists(TARGETS, max_size=3).map(tuple)),
    st.builds(Weighted, st.lists(st.tuples(TARGETS, st.integers(1, 5)), max_size=3).map(tuple)),
)
CONDITIONS = st.sampled_from(
    [text_is("model", "m"), text_is("model", "n*"), flag_is("stream", wanted=True)]
)
RULES = st.builds(Rule, st.text(max_size=9), st.lists(CONDITIONS, max_size=2).map(tuple), ACTIONS)


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        a_call,
        st.sampled_from(["m", "nn"]) | st.text(),
        stream=st.booleans(),
        forward=st.booleans(),
    ),
    st.lists(RULES, max_size=5),
    st.floats(0, 1),
    st.booleans(),
)
def test_the_explained_plan_is_the_plan(call, rules, draw, full):
    """`explain` prints what the proxy does, and its rules agree with it."""
    windows = Windows()
    for _ in range(30 if full else 0):
        windows.take([Claim(GROQ_WINDOW, "groq")], 0.0)
    book, view = a_book(*rules, models={"m": (a_target(GROQ),)}), a_view(windows)
    found = explain(call, book, view, 1.0, 0.0, draw)
    assert found.plan == decide(call, book, view, 1.0, 0.0, draw)
    assert len(found.rules) + found.after == len(rules)
    for rule in found.rules:
        held = all(condition.why_not is None for condition in rule.conditions)
        assert rule.decides == (held and rule.obstacle is None)
    assert [t.target for t in found.targets if t.why_not is None] == [
        str(t) for t in found.plan.targets
    ]
    json.dumps(as_json(found))
    assert "\x1b" not in render(found)
