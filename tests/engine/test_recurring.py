"""Plans that are used again are those that `decide` would make."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.decisions import a_book, a_provider, a_target, a_window, flag_is, text_is
from wattline.engine.backtest import Past, PastAttempt, Replay
from wattline.engine.past_call import Features, Known
from wattline.engine.recurring import Recurring
from wattline.rules.book import Book
from wattline.rules.compiled.callers import CallerTier
from wattline.rules.compiled.facts import Condition, Subject
from wattline.rules.compiled.rule import Action, Asked, Deny, Listed, Pass, Rule, Tiered, Weighted
from wattline.rules.compiled.target import AS_ASKED
from wattline.rules.compiled.upkeep import AffinityRules, HealthRules
from wattline.rules.compiled.window import Scope
from wattline.rules.conditions.allowance import BalanceIs, FilledOver
from wattline.rules.conditions.call import HeaderIs, Tagged, TokensWithin
from wattline.rules.conditions.configuration import ModelKnown
from wattline.rules.conditions.health import HealthIs
from wattline.rules.conditions.moment import HourWithin, WeekdayIs
from wattline.rules.drill import Drill
from wattline.rules.globs import Patterns
from wattline.rules.shadow import Shadow

ONE = a_provider(
    "one", windows=(a_window("one", 5.0, 4),), models=(("a", "fast", 100), ("m", "large"))
)
TWO = a_provider("two", windows=(a_window("two", 8.0, tokens=900),), models=(("b", "fast", 250),))
SIX = a_provider("six")
OUT = a_provider("out", unavailable="No API key for out", needs_key=True)
ODD = a_provider("odd", dialect="anthropic")
KEYS = a_provider("keys")
KEYS = replace(KEYS, keys=tuple(replace(KEYS, key=n) for n in (1, 2)))
EVERY = (ONE, TWO, SIX, OUT, ODD, KEYS)
TARGETS = [a_target(p, m, rate=Fraction(2)) for p in EVERY for m in ("m", "n")]
TARGETS.append(a_target(SIX, AS_ASKED))
EACH = a_window("each", 6.0, 9, scope=Scope.PRINCIPAL)
ALL = a_window("all", 4.0, tokens=2_000, scope=Scope.GLOBAL)
BEGUN = 1_790_000_000.0


def some_book(luck: random.Random) -> Book:
    """Rules of all conditions, actions and orders; now and then only of those that last."""
    models = {name: tuple(luck.sample(TARGETS[:-1], luck.randint(1, 3))) for name in ("m", "n")}
    fields: dict[str, Any] = {
        "windows": tuple(luck.sample([EACH, ALL], luck.randint(0, 2))),
        "tiers": {"gold": CallerTier((), luck.choice([None, Fraction(1, 2)]))},
        "health": HealthRules(failures=2, cooldown=luck.choice([1.0, 20.0])),
        "affinity": AffinityRules(enabled=luck.random() < 0.3),
    }
    bare = a_book(providers=EVERY, models=models, **fields)
    calm = luck.random() < 0.5
    rules = [a_rule(luck, f"r{n}", bare, calm=calm) for n in range(luck.randint(0, 4))]
    rest = replace(a_rule(luck, "rest", bare, calm=calm), conditions=())
    return a_book(*rules, rest, providers=EVERY, models=models, **fields)


def a_rule(luck: random.Random, name: str, book: Book, *, calm: bool) -> Rule:
    conditions = luck.sample(lasting(luck, book), luck.randint(0, 2))
    if calm:
        return Rule(name, tuple(conditions), an_action(luck, calm=True))
    conditions += luck.sample(passing(), luck.randint(0, 1))
    order = luck.choice(["given", "given", "fastest", "score", "least_energy", "cheapest"])
    rule = Rule(name, tuple(conditions), an_action(luck, calm=False), order=order)
    if luck.random() < 0.1:
        rule = replace(rule, fault=Drill("refuse", share=0.5, until=BEGUN + 60.0))
    if luck.random() < 0.1:
        rule = replace(rule, shadow=Shadow(TARGETS[0], 0.5))
    return rule


def lasting(luck: random.Random, book: Book) -> list[Condition]:
    zone = ZoneInfo(luck.choice(["UTC", "Asia/Kathmandu", "America/St_Johns"]))
    return [
        text_is("model", "m", "x*"), text_is("user", "ann"), text_is("tier", "gold"),
        text_is("principal", "bob"), text_is("path", "/v1/chat*"), text_is("host", "h"),
        text_is("operation", "chat"), text_is("dialect", "openai"), text_is("method", "POST"),
        flag_is("stream", wanted=luck.random() < 0.5), flag_is("tools", wanted=True),
        flag_is("images", wanted=False), flag_is("forward", wanted=luck.random() < 0.3),
        TokensWithin(luck.choice([None, 90]), luck.choice([None, 200])),
        HeaderIs("x-team", Patterns.of(["red"])), Tagged(Patterns.of(["batch*"])),
        HourWithin(((luck.randint(0, 23), luck.randint(0, 23)),), zone), WeekdayIs(frozenset({0, 2, 5}), zone),
        ModelKnown(book.names),
    ]  # fmt: skip


def passing() -> list[Condition]:
    return [
        FilledOver(ONE.windows[0], 0.4),
        BalanceIs(1_000_000, None),
        HealthIs(Subject("one", ("one",)), frozenset({"resting", "out"})),
    ]


def an_action(luck: random.Random, *, calm: bool) -> Action:
    some = tuple(luck.sample(TARGETS, luck.randint(1, 3)))
    actions: list[Action] = [
        Listed(some),
        Listed(some),
        Asked(),
        Tiered("fast", (ONE, TWO, SIX)),
        Deny("no"),
        Pass(),
    ]
    if not calm:
        actions.append(Weighted(tuple((t, luck.randint(1, 3)) for t in some)))
    return luck.choice(actions)


def some_past(luck: random.Random, book: Book, calls: int = 120) -> list[Past]:
    """Calls that are often alike, and what became of them; it need not fit any rules."""
    at, found = BEGUN + luck.randint(0, 10**6), []
    for number in range(calls):
        at = round(at + luck.choice([0.0, 0.001, 0.3, 2.0, 900.0]), 3)
        model = luck.choice(["m", "m", "n", "x1", "six/other", "two/none"])
        row = Known(
            f"call_{number}", luck.choice(["ann", "bob"]), model, luck.choice(["openai"] * 4 + ["anthropic"]),
            luck.choice(["chat"] * 6 + ["embeddings", "nothing"]), luck.random() < 0.5,
        )  # fmt: skip
        attempts = tuple(an_attempt(luck, at) for _ in range(luck.choice([0, 1, 1, 1, 2])))
        status, code = (
            (0, "")
            if attempts
            else luck.choice([(429, "rate_limit_exceeded"), (403, "denied_by_rule")])
        )
        version = luck.choice([book.version, "older"])
        found.append(Past(at, row, "r", version, some_features(luck), attempts, status, code))
    return found


def some_features(luck: random.Random) -> Features:
    fields: dict[str, Any] = {
        "path": luck.choice(["/v1/chat/completions"] * 5 + [""]),
        "host": luck.choice(["h", "i"]),
        "tokens": luck.choice([10, 89, 90, 100, 101, 200, 201, 260]),
    }
    rare: dict[str, Any] = {
        "tools": True, "images": True, "forward": True, "method": "PUT", "provider": "two", "user": "ann",
        "tier": luck.choice(["gold", "none"]), "tags": luck.choice([["batch1"], ["x", "batch2"], ["x"]]),
        "headers": {"x-team": luck.choice(["red", "blue", None, False])}, "draw": luck.random(), "max_output": 9,
        "own": [("six", str(SIX.origin)), ("out", str(OUT.origin))], "kept": luck.random() < 0.5,
        "plan": [str(t) for t in luck.sample(TARGETS[:-1], 2)],
        "skipped": [["one/m", luck.choice(["resting", "breaker", "parked", "window_full", "score"]), 5.0, 1]],
        "fill": {"one": 0.9}, "balance": {"micro": 5}, "health": {"one": ("out", 9, 0.1, 0.9, None)},
    }  # fmt: skip
    for name in luck.sample(sorted(rare), luck.choice([0, 0, 1, 2])):
        fields[name] = rare[name]
    return Features(**fields)


def an_attempt(luck: random.Random, at: float) -> PastAttempt:
    target, took = str(luck.choice(TARGETS[:-1])), round(luck.uniform(0.1, 4.0), 3)
    error = luck.choice([None, None, None, "http_503", "refused", "http_429"])
    state = "complete" if error is None else "failed"
    return PastAttempt(target, at, round(at + took, 3), state, 50, 20, 9, error, 100, 900)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_plans_that_are_used_again_change_nothing(seed: int) -> None:
    luck = random.Random(seed)
    book = some_book(luck)
    past = some_past(luck, book)
    quick, plain = Replay(book), Replay(book, reuse=False)
    for one in past:
        assert quick.feed(one) == plain.feed(one)
    assert quick.unknown == plain.unknown


def uses(book: Book, monkeypatch: pytest.MonkeyPatch, past: list[Past]) -> int:
    """How often a plan was used again."""
    hits, find = 0, Recurring.find

    def counted(*args: Any) -> Any:
        nonlocal hits
        found = find(*args)
        hits += found is not None
        return found

    monkeypatch.setattr(Recurring, "find", counted)
    replay = Replay(book)
    for one in past:
        replay.feed(one)
    return hits


def plain_past(calls: int = 10) -> list[Past]:
    attempt = PastAttempt("six/m", BEGUN, BEGUN + 1, "complete", 50, 20, 9, None, 100, 900)
    features = [Features("/v1/chat/completions", "h", 10 + n) for n in range(calls)]
    return [
        Past(BEGUN + n, Known(f"call_{n}", f"p{n}", "m", "openai", "chat", False), "r", "v0", one, (attempt,))  # noqa: FBT003
        for n, one in enumerate(features)
    ]  # fmt: skip


def test_calls_alike_are_decided_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others of another caller and size are alike where no rule asks for that."""
    book = a_book(Rule("all", (TokensWithin(5, None),), Listed((TARGETS[4],))), providers=(SIX,))
    assert uses(book, monkeypatch, plain_past()) == 9


def test_what_is_drawn_or_asks_for_a_window_is_decided_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = a_book(
        Rule("all", (), Weighted(((TARGETS[4], 1), (TARGETS[0], 1)))), providers=(ONE, SIX)
    )
    assert uses(drawn, monkeypatch, plain_past()) == 0
    filled = a_book(
        Rule("all", (FilledOver(ONE.windows[0], -1.0),), Listed((TARGETS[4],))),
        providers=(ONE, SIX),
    )
    assert uses(filled, monkeypatch, plain_past()) == 0


def test_a_bounded_number_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattline.engine.recurring.MOST", 3)
    book = a_book(
        Rule("all", (text_is("principal", "p*"),), Listed((TARGETS[4],))), providers=(SIX,)
    )
    replay = Replay(book)
    for one in plain_past():
        replay.feed(one)
    assert len(replay._plans._kept) <= 3
