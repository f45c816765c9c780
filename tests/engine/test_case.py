"""Cases that would test nothing are refused, with the place and the word that was meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.engine.case import outcome, plan_of
from wattline.engine.case_names import doubts
from wattline.engine.case_shape import BadCase, Case, read_case
from wattline.rules.load import load

RULES = """
version: 1
auth: {mode: keys, keys: {alice: {key: "${ALICE}", tier: gold}}}
providers:
  a: {url: "http://127.0.0.1:1/v1", key: "${A}", dialect: openai, rpm: 10}
  b: {url: "http://127.0.0.1:2/v1", key: "${B}", dialect: openai, window: shared}
  c: {url: "http://127.0.0.1:3/v1", keys: ["${B}"], dialect: openai, models: [{id: m3, tier: fast}]}
windows: {each: {calls: 9, per: 60s, scope: principal}, shared: {calls: 5, per: 60s}}
models:
  m1: {provider: a, name: m1, rate: "1", chain: [m1, m2]}
  m2: {provider: b, name: m2, rate: "1"}
rules:
  - {name: well, when: {health: {a/m1: healthy}, user: x}, try: [m1]}
  - {name: full, when: {window: {name: shared, over: 0.8}}, try: [m1]}
  - {name: quick, when: {model: quick}, try: {tier: fast}}
  - {name: weighted, when: {tag: w}, try: {weighted: {m1: 1, m2: 1}}}
  - {name: by-model, when: {}, try: model}
""".replace('keys: ["${B}"]', 'key: "${B}"')
ENV = {"ALICE": "sk-alice-0123456789abcdef", "A": "sk-a-secret-of-a", "B": "sk-b-secret-of-b"}
BOOK = load(RULES, env=ENV)
EXPECT = {"first": "a/m1"}


def ask(request: Any = None, state: Any = None, expect: Any = None) -> dict[str, Any]:
    value: dict[str, Any] = {
        "request": {"model": "m1", **(request or {})},
        "expect": expect or EXPECT,
    }
    if state is not None:
        value["state"] = state
    case = read_case(value, "case 1")
    return outcome(plan_of(case, BOOK))


@pytest.mark.parametrize(
    ("request_", "state", "told"),
    [
        ({}, {"left_out": {"a/m1": "restin"}}, "case 1.state.left_out.a/m1: unknown code 'restin'. Did you mean 'resting'?"),
        ({}, {"left_out": {"nope/m1": "resting"}}, "state.left_out: unknown provider 'nope'"),
        ({}, {"left_out": {"a/m11": "resting"}}, "state.left_out: unknown target 'a/m11'. Did you mean 'a/m1'?"),
        ({}, {"left_out": {"a": "resting"}}, "state.left_out: unknown target 'a'"),
        ({}, {"without_keys": ["typo"]}, "state.without_keys[0]: unknown provider 'typo'"),
        ({}, {"without_keys": [[1]]}, "state.without_keys[0]: a text"),
        ({}, {"fill": {"eech": 0.5}}, "state.fill: unknown window 'eech'. Did you mean 'each'?"),
        ({}, {"fill": {"each": 50}}, "state.fill.each: a number from 0 to 1"),
        ({}, {"health": {"b": "helthy"}}, "state.health.b: unknown state 'helthy'. Did you mean 'healthy'?"),
        ({}, {"health": {"zz": "out"}}, "state.health: unknown provider 'zz'"),
        ({}, {"health": {"a": ["out", 1, 2.0, 0.0, None]}}, "state.health.a[2]: a number from 0 to 1"),
        ({}, {"kept": 5}, "state.kept: a text"),
        ({}, {"kept": "a/m4"}, "state.kept: unknown target 'a/m4'"),
        ({}, {"draw": float("nan")}, "state.draw: a number from 0 to 1"),
        ({}, {"balance": float("inf")}, "state.balance: a number"),
        ({}, {"balance": float("nan")}, "state.balance: a number"),
        ({}, {"balence": 1}, "case 1.state: unknown key 'balence'. Did you mean 'balance'?"),
        ({"dialect": "opnai"}, None, "request.dialect: unknown dialect 'opnai'. Did you mean 'openai'?"),
        ({"operation": "chatt"}, None, "request.operation: unknown operation 'chatt'. Did you mean 'chat'?"),
        ({"principal": {"a": "b"}}, None, "request.principal: a text"),
        ({"tokens": -5}, None, "request.tokens: a whole number from 0"),
        ({"tokens": 10**400}, None, "request.tokens: a whole number from 0"),
        ({"max_output": 1.5}, None, "request.max_output: a whole number"),
        ({"tier": ["a"]}, None, "request.tier: a text"),
        ({"tier": "godl"}, None, "request.tier: unknown tier 'godl'. Did you mean 'gold'?"),
        ({"own_keys": [[1]]}, None, "request.own_keys[0]: a text"),
        ({"own_keys": ["aa"]}, None, "request.own_keys[0]: unknown provider 'aa'"),
        ({"provider": "z"}, None, "request.provider: unknown provider 'z'"),
        ({"headers": {"x": ["y"]}}, None, "request.headers.x: a text"),
        ({"headers": {1: "y"}}, None, "request.headers: a text"),
        ({"tags": [["y"]]}, None, "request.tags[0]: a text"),
        ({"path": ["/v1"]}, None, "request.path: a text"),
        ({"user": 3}, None, "request.user: a text"),
        ({"at": "soon"}, None, "request.at: 'soon' is no time"),
    ],
)  # fmt: skip
def test_what_would_test_nothing_is_told(request_: Any, state: Any, told: str) -> None:
    with pytest.raises(BadCase) as caught:
        ask(request_, state)
    assert told in str(caught.value)


@pytest.mark.parametrize("expect", [None, {}, [], "x"])
def test_a_case_expects_something(expect: Any) -> None:
    value = {"request": {"model": "m1"}, "expect": expect}
    with pytest.raises(BadCase, match="expect"):
        read_case(value, "case 1")
    with pytest.raises(BadCase, match="expect"):
        read_case({"request": {"model": "m1"}}, "case 1")
    assert read_case({"request": {"model": "m1"}}, "case 1", bare=True).expect == {}


def test_what_the_rules_have_is_found() -> None:
    found = ask({"tier": "gold", "principal": "alice"}, {"left_out": {"a/m1": "resting"}})
    assert found["targets"] == ["b/m2"]
    assert ask({"user": "x"}, {"health": {"a/m1": "out", "b": "resting"}})["rule"] == "by-model"
    assert ask({}, {"fill": {"each": 1, "a": 0.5}, "kept": None})["rule"] == "by-model"
    assert ask({"model": "a/other"}, {"left_out": {"a/other": "resting"}})["targets"] == []
    assert ask({"model": "quick"}, {"left_out": {"c/m3": "parked"}})["rule"] == "quick"


def test_a_shared_window_is_full_under_its_own_name() -> None:
    assert ask({}, {"fill": {"shared": 0.9}})["rule"] == "full"
    assert ask({}, {"fill": {"shared": 0.7}})["rule"] == "by-model"


@pytest.mark.parametrize("draw", [0, 0.25, 1, 1.0])
def test_every_draw_finds_a_target(draw: float) -> None:
    assert len(ask({"tags": ["w"]}, {"draw": draw})["targets"]) == 2


def test_a_caller_that_was_most_likely_mistyped_is_noted() -> None:
    def noted(name: str) -> list[str]:
        return list(doubts(Case("c", {"model": "m1", "principal": name}), BOOK))

    (text,) = noted("alise")
    assert "Did you mean 'alice'?" in text
    assert noted("alice") == noted("local") == noted("somebody-of-the-ledger") == []


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(), below, max_size=3)
    ),
    max_leaves=6,
)
NAMES = ["model", "path", "method", "host", "dialect", "operation", "stream", "tokens", "tags", "headers", "user",
         "principal", "tier", "forward", "provider", "own_keys", "at"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(NAMES), ANY, max_size=4),
    st.dictionaries(
        st.sampled_from(["left_out", "fill", "balance", "health", "draw", "kept", "without_keys"]),
        ANY | st.dictionaries(st.sampled_from(["a", "a/m1", "each"]), ANY, max_size=2),
        max_size=3,
    ),
)
def test_whatever_is_written_it_is_answered_or_told(request_: Any, state: Any) -> None:
    value = {"request": {"model": "m1", **request_}, "state": state, "expect": EXPECT}
    told = ""
    try:
        outcome(plan_of(read_case(value, "case 1"), BOOK))
    except BadCase as problem:
        told = str(problem)
    assert not told or told.startswith("case 1.")
