from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.decisions import a_book, a_provider, a_target
from wattline.rules.compiled.facts import Fares, Subject
from wattline.rules.compiled.window import Scope, Window
from wattline.rules.conditions.allowance import BalanceIs, FilledOver
from wattline.rules.conditions.call import (
    FLAGS,
    READERS,
    FlagIs,
    HeaderIs,
    Tagged,
    TextIs,
    TokensWithin,
)
from wattline.rules.conditions.configuration import Fixed, ModelKnown
from wattline.rules.conditions.health import Bound, HealthIs
from wattline.rules.conditions.moment import HourWithin, WeekdayIs
from wattline.rules.globs import Patterns
from wattline.wire.call import Call, Operation, Principal


class Facts:
    """Answers as told, and notes the keys that it was asked for."""

    def __init__(
        self, fill: float = 0.0, balance: int | None = None, fares: Fares | None = None
    ) -> None:
        self._fill, self._balance, self._fares = fill, balance, fares or Fares("healthy")
        self.keys: list[str] = []

    def fill(self, _window: Window, key: str, _now: float) -> float:
        self.keys.append(key)
        return self._fill

    def balance(self, _principal: str) -> int | None:
        return self._balance

    def fares(self, subject: Subject, _now: float) -> Fares:
        assert subject is GROQ
        return self._fares


GROQ = Subject("groq", ("groq",))


def call(**changes: object) -> Call:
    fields: dict[str, object] = {
        "id": "req_1",
        "dialect": "openai",
        "operation": Operation.CHAT,
        "method": "POST",
        "host": "API.openai.com",
        "path": "/v1/chat/completions",
        "model": "gpt-4o",
        "stream": False,
        "principal": Principal("alice", tier="bulk"),
        "headers": {"x-team": "red"},
        "tokens": 100,
        "user": "u-1",
        "tags": frozenset({"night", "eu"}),
    }
    return Call(**{**fields, **changes})  # type: ignore[arg-type]


def holds(condition, a_call=None, facts=None, wall=0.0):
    a_call, facts = a_call or call(), facts or Facts()
    answer = condition.test(a_call, facts, 5.0, wall)
    if not answer:
        text = condition.why_not(a_call, facts, 5.0, wall)
        assert text
        assert "wanted" in text or "not known" in text or "configured" in text
    return answer


@pytest.mark.parametrize(
    ("field", "yes", "no"),
    [
        ("host", "api.openai.com", "api.groq.com"),
        ("path", "/v1/chat/*", "/v1/embeddings"),
        ("method", "POST", "post"),
        ("operation", "chat", "speech"),
        ("dialect", "open*", "anthropic"),
        ("model", "gpt-??", "gpt-?"),
        ("principal", "alice", "bob"),
        ("user", "u-*", "v-*"),
        ("tier", "bulk", "gold"),
    ],
)
def test_texts_fit_patterns(field, yes, no):
    assert holds(TextIs(field, Patterns.of([no, yes]), READERS[field]))
    assert not holds(TextIs(field, Patterns.of([no]), READERS[field]))


def test_a_text_that_is_not_known_fits_nothing():
    nobody = call(principal=Principal("x"), user=None)
    for field in ("user", "tier"):
        assert not holds(TextIs(field, Patterns.of(["*"]), READERS[field]), nobody)


def test_the_user_of_the_key_comes_before_the_one_that_the_call_claims():
    known = call(principal=Principal("a", user="real"), user="claimed")
    assert holds(TextIs("user", Patterns.of(["real"]), READERS["user"]), known)
    assert not holds(TextIs("user", Patterns.of(["claimed"]), READERS["user"]), known)


@pytest.mark.parametrize("field", FLAGS)
def test_flags_are_asked_both_ways(field):
    on = call(**{field: True})
    assert holds(FlagIs(field, wanted=True, read=FLAGS[field]), on)
    assert not holds(FlagIs(field, wanted=False, read=FLAGS[field]), on)
    assert holds(FlagIs(field, wanted=False, read=FLAGS[field]))


def test_tags_and_headers():
    assert holds(Tagged(Patterns.of(["e?"])))
    assert not holds(Tagged(Patterns.of(["day"])))
    assert not holds(Tagged(Patterns.of(["*"])), call(tags=frozenset()))
    assert holds(HeaderIs("x-team", Patterns.of(["red"])))
    other = HeaderIs("x-team", Patterns.of(["blue"]))
    assert not holds(other)
    assert "red" not in other.why_not(call(), Facts(), 0, 0)
    assert not holds(HeaderIs("x-none", Patterns.of(["*"])))


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [(100, 100, True), (101, None, False), (None, 99, False), (None, 100, True), (0, None, True)],
)
def test_token_bounds_are_included(least, most, expected):
    assert holds(TokensWithin(least, most)) is expected


def at(hour: int, day: int = 2) -> float:
    return datetime(2026, 11, day, hour, 30, tzinfo=UTC).timestamp()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 23), st.integers(1, 24), st.integers(0, 23))
def test_hours_are_those_that_counting_up_gives(start, end, hour):
    if start == end:
        return
    counted = {h % 24 for h in range(start, end if end > start else end + 24)}
    assert HourWithin(((start, end),), UTC).test(call(), Facts(), 0, at(hour)) == (hour in counted)


def test_hours_and_days_are_those_of_the_zone():
    zone = ZoneInfo("Europe/Berlin")
    assert holds(HourWithin(((0, 1),), zone), wall=at(23))
    assert not holds(HourWithin(((23, 24),), zone), wall=at(23))
    assert holds(WeekdayIs(frozenset({1}), zone), wall=at(23))
    assert holds(WeekdayIs(frozenset({0}), UTC), wall=at(23))
    assert not holds(WeekdayIs(frozenset({6}), UTC), wall=at(23))


@pytest.mark.parametrize("wall", [math.nan, math.inf, -math.inf, 1e300, -1e18])
def test_a_clock_that_makes_no_sense_is_no_and_never_an_error(wall):
    assert not holds(HourWithin(((0, 24),), UTC), wall=wall)
    assert not holds(WeekdayIs(frozenset(range(7)), ZoneInfo("Asia/Tokyo")), wall=wall)


@pytest.mark.parametrize(
    ("scope", "key"), [(Scope.PROVIDER, "w"), (Scope.PRINCIPAL, "alice"), (Scope.GLOBAL, "all")]
)
def test_window_fill_is_asked_under_the_key_that_the_window_counts_under(scope, key):
    facts = Facts(fill=0.8)
    condition = FilledOver(Window("w", 60, calls=1, scope=scope), 0.8)
    assert not condition.test(call(), facts, 0, 0)
    assert "80%" in condition.why_not(call(), facts, 0, 0)
    assert holds(condition, facts=Facts(fill=0.81))
    assert set(facts.keys) == {key}


def test_balances():
    assert holds(BalanceIs(10, None), facts=Facts(balance=9))
    assert not holds(BalanceIs(10, None), facts=Facts(balance=10))
    assert holds(BalanceIs(None, 10), facts=Facts(balance=11))
    assert not holds(BalanceIs(None, 10), facts=Facts(balance=10))
    assert not holds(BalanceIs(0, None), facts=Facts(balance=0))
    assert holds(BalanceIs(0, None), facts=Facts(balance=-1))
    assert holds(BalanceIs(None, 10**12), facts=Facts(balance=None))
    assert not holds(BalanceIs(10**12, None), facts=Facts(balance=None))


def test_health_and_what_is_fixed():
    well, resting = HealthIs(GROQ, frozenset({"healthy"})), HealthIs(GROQ, frozenset({"resting"}))
    either = HealthIs(GROQ, frozenset({"out", "resting"}))
    assert [holds(line) for line in (well, resting, either)] == [True, False, False]
    facts = Facts(fares=Fares("resting"))
    assert [holds(line, facts=facts) for line in (well, resting, either)] == [False, True, True]


@pytest.mark.parametrize(
    ("bound", "good", "bad"),
    [
        (Bound("score", 0.5, above=False), Fares("healthy", 5, 0.49), Fares("healthy", 5, 0.5)),
        (Bound("score", 0.5, above=True), Fares("healthy", 5, 0.51), Fares("healthy", 5, 0.5)),
        (Bound("errors", 0.2, above=True), Fares("out", 9, 0.1, 0.3), Fares("out", 9, 0.1, 0.2)),
        (
            Bound("first_ms", 900, above=True),
            Fares("healthy", 5, 1.0, 0.0, 901.0),
            Fares("healthy", 5, 1.0, 0.0, None),
        ),
        (
            Bound("first_ms", 900, above=False),
            Fares("healthy", 5, 1.0, 0.0, None),
            Fares("healthy", 5, 1.0, 0.0, 900.0),
        ),
    ],
    ids=str,
)
def test_figures_of_health(bound, good, bad):
    """B-080: bounds are not included; of what was tried seldom nothing bad is known."""
    line = HealthIs(GROQ, bounds=(bound,))
    assert holds(line, facts=Facts(fares=good))
    assert not holds(line, facts=Facts(fares=bad))
    assert "wanted" in line.why_not(call(), Facts(fares=bad), 0.0, 0.0)
    few = good._replace(calls=4, score=0.0, errors=1.0, first_ms=9e9)
    well = bound.above is (bound.figure == "score")
    assert holds(line, facts=Facts(fares=few)) is well
    both = HealthIs(GROQ, frozenset({"resting"}), (bound,))
    assert not holds(both, facts=Facts(fares=good))
    assert "wanted resting" in both.why_not(call(), Facts(fares=good), 0.0, 0.0)
    assert holds(Fixed("unconfigured", wanted=True, found=True))
    assert not holds(Fixed("unconfigured", wanted=True, found=False))


def test_a_known_model_needs_a_key_of_ours_only_when_the_client_could_pass():
    off = a_provider("off", unavailable="No API key for off (OFF_KEY)")
    models = {"gpt-4o": (a_target(off, "gpt-4o"),), "o1": (a_target("on", "o1"),)}
    condition = ModelKnown(a_book(models=models).names)
    assert holds(condition)
    assert not holds(condition, call(forward=True))
    assert holds(condition, call(forward=True, model="o1"))
    assert not holds(condition, call(model="gpt-9"))


def test_no_output_is_no_time():
    """A target that never answered did not do so in 0.00 s; one attempt is no attempts."""
    line = HealthIs(GROQ, bounds=(Bound("first_ms", 900, above=True),))
    said = line.why_not(call(), Facts(fares=Fares("out", 9, 0.0, 1.0, None)), 0.0, 0.0)
    assert "is not known, it gave no output lately; wanted above 0.90 s" in said
    said = line.why_not(call(), Facts(fares=Fares("healthy", 1, 1.0, 0.0, 950.0)), 0.0, 0.0)
    assert "(only 1 attempt)" in said
