"""Breakers, against a slow and obvious model (B-082, A-077)."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from wattline.engine.breaker import LEASE, Breaker, State
from wattline.rules.book import HealthRules

RULES = HealthRules(failures=3, share=0.5, window=60.0, cooldown=10.0, longest=35.0)


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(RULES.failures):
        breaker.bad(at, RULES)
    return breaker


def test_it_opens_after_so_many_failures_within_the_window():
    breaker = Breaker()
    breaker.bad(0.0, RULES)
    breaker.bad(1.0, RULES)
    assert breaker.state(1.0) is State.CLOSED
    breaker.bad(60.5, RULES)
    assert breaker.state(60.5) is State.CLOSED, "the first no longer counts"
    breaker.bad(60.6, RULES)
    assert breaker.state(60.6) is State.OPEN
    assert not breaker.admits(60.6)
    assert breaker.wait(60.6) == pytest.approx(10.0)


def test_failures_that_are_few_among_many_do_not_open_it():
    breaker = Breaker()
    for _ in range(10):
        breaker.good(0.0, RULES)
        breaker.bad(0.0, RULES)
        breaker.good(0.0, RULES)
    assert breaker.state(0.0) is State.CLOSED


def test_one_probe_when_the_time_has_come():
    breaker = opened()
    assert not breaker.claim(9.9)
    assert breaker.state(10.0) is State.HALF_OPEN
    assert breaker.claim(10.0)
    assert not breaker.claim(10.0)
    assert not breaker.admits(11.0)
    breaker.release()
    assert breaker.claim(11.0), "the probe said nothing: another may be it"
    assert breaker.claim(11.0 + LEASE), "nobody heard of it again"


def test_a_good_probe_closes_it_and_forgets():
    breaker = opened()
    assert breaker.claim(10.0)
    breaker.good(10.1, RULES)
    assert breaker.state(10.1) is State.CLOSED
    breaker.bad(10.2, RULES)
    breaker.bad(10.2, RULES)
    assert breaker.state(10.2) is State.CLOSED


def test_a_bad_probe_opens_it_for_twice_as_long_up_to_the_longest():
    breaker, now = opened(), 0.0
    for wait in (10.0, 20.0, 35.0, 35.0):
        assert breaker.wait(now) == wait
        now += wait
        assert breaker.claim(now)
        breaker.bad(now, RULES)
    now += 35.0
    breaker.good(now, RULES)
    for _ in range(3):
        breaker.bad(now, RULES)
    assert breaker.wait(now) == 10.0, "it was well in between"


def test_an_answer_from_before_does_not_close_it():
    breaker = opened()
    breaker.good(5.0, RULES)
    assert breaker.state(5.0) is State.OPEN
    breaker.bad(5.0, RULES)
    assert breaker.wait(5.0) == 5.0


class Machine(RuleBasedStateMachine):
    """Random outcomes and times; the model keeps all outcomes of the closed state and counts them anew."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0.0
        self.kept: list[tuple[float, bool]] = []
        self.until: float | None = None
        self.trips = 0
        self.probe: float | None = None

    @rule(seconds=st.sampled_from([0.0, 0.5, 5.0, 10.0, 34.0, 61.0, LEASE]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def claims(self) -> None:
        may = self.until is None or (self.now >= self.until and not self.probing())
        assert self.breaker.admits(self.now) is may
        assert self.breaker.claim(self.now) is may
        if may and self.until is not None:
            self.probe = self.now

    @rule()
    def releases(self) -> None:
        self.breaker.release()
        self.probe = None

    @rule()
    def answers(self) -> None:
        self.breaker.good(self.now, RULES)
        if self.until is not None:
            if self.now < self.until:
                return
            self.until, self.trips, self.probe, self.kept = None, 0, None, []
        self.kept.append((self.now, False))

    @rule()
    def fails(self) -> None:
        self.breaker.bad(self.now, RULES)
        if self.until is not None:
            if self.now >= self.until:
                self.open()
            return
        self.kept.append((self.now, True))
        recent = [bad for at, bad in self.kept if at > self.now - RULES.window]
        if sum(recent) >= RULES.failures and sum(recent) >= RULES.share * len(recent):
            self.open()

    def open(self) -> None:
        self.until = self.now + min(RULES.cooldown * 2**self.trips, RULES.longest)
        self.trips, self.probe = self.trips + 1, None

    def probing(self) -> bool:
        return self.probe is not None and self.now - self.probe < LEASE

    @invariant()
    def same_state(self) -> None:
        if self.until is None:
            assert self.breaker.state(self.now) is State.CLOSED
        elif self.now < self.until:
            assert self.breaker.state(self.now) is State.OPEN
        else:
            assert self.breaker.state(self.now) is State.HALF_OPEN


Machine.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestMachine = Machine.TestCase
