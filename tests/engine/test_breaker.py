"""Breakers, against a slow and obvious model (B-082, A-077)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wattline.engine.breaker import FREE, LEASE, Breaker, Permit, State
from wattline.rules.compiled.upkeep import HealthRules

RULES = HealthRules(failures=3, share=0.5, window=60.0, cooldown=10.0, longest=35.0)


def good(breaker: Breaker, now: float, permit: Permit = FREE, began: float | None = None) -> None:
    breaker.good(now, RULES, now if began is None else began, permit)


def bad(breaker: Breaker, now: float, permit: Permit = FREE, began: float | None = None) -> None:
    breaker.bad(now, RULES, now if began is None else began, permit)


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(RULES.failures):
        bad(breaker, at)
    return breaker


def probe_of(breaker: Breaker, now: float) -> Permit:
    permit = breaker.claim(now)
    assert permit is not None
    assert permit is not FREE
    return permit


def test_it_opens_after_so_many_failures_within_the_window():
    """E-005: circuit breakers."""
    breaker = Breaker()
    bad(breaker, 0.0)
    bad(breaker, 1.0)
    assert breaker.state(1.0) is State.CLOSED
    bad(breaker, 60.5)
    assert breaker.state(60.5) is State.CLOSED, "the first no longer counts"
    bad(breaker, 60.6)
    assert breaker.state(60.6) is State.OPEN
    assert not breaker.admits(60.6)
    assert breaker.wait(60.6) == pytest.approx(10.0)


def test_failures_that_are_few_among_many_do_not_open_it():
    breaker = Breaker()
    for _ in range(10):
        good(breaker, 0.0)
        bad(breaker, 0.0)
        good(breaker, 0.0)
    assert breaker.state(0.0) is State.CLOSED


def test_one_probe_when_the_time_has_come():
    breaker = opened()
    assert not breaker.claim(9.9)
    assert breaker.state(10.0) is State.HALF_OPEN
    probe = probe_of(breaker, 10.0)
    assert not breaker.claim(10.0)
    assert not breaker.admits(11.0)
    breaker.release(probe)
    assert breaker.claim(11.0), "the probe said nothing: another may be it"
    assert breaker.claim(11.0 + LEASE), "nobody heard of it again"


def test_a_good_probe_closes_it_and_forgets():
    breaker = opened()
    good(breaker, 10.1, probe_of(breaker, 10.0), 10.0)
    assert breaker.state(10.1) is State.CLOSED
    bad(breaker, 10.2)
    bad(breaker, 10.2)
    assert breaker.state(10.2) is State.CLOSED


def test_a_bad_probe_opens_it_for_twice_as_long_up_to_the_longest():
    breaker, now = opened(), 0.0
    for wait in (10.0, 20.0, 35.0, 35.0):
        assert breaker.wait(now) == wait
        now += wait
        bad(breaker, now, probe_of(breaker, now))
    now += 35.0
    good(breaker, now, probe_of(breaker, now))
    for _ in range(3):
        bad(breaker, now)
    assert breaker.wait(now) == 10.0, "it was well in between"


def test_an_answer_from_before_does_not_close_it():
    breaker = opened()
    good(breaker, 5.0)
    assert breaker.state(5.0) is State.OPEN
    bad(breaker, 5.0)
    assert breaker.wait(5.0) == 5.0


class TestStrangers:
    """Attempts that began before the breaker opened, or without its leave, end while it is half open."""

    def test_a_stale_success_does_not_close_it(self):
        breaker = opened()
        good(breaker, 10.0, began=-5.0)
        assert breaker.state(10.0) is State.HALF_OPEN
        probe = probe_of(breaker, 10.0)
        good(breaker, 10.5, began=-5.0)
        assert breaker.state(10.5) is State.HALF_OPEN
        bad(breaker, 11.0, probe)
        assert breaker.wait(11.0) == 20.0

    def test_a_stranger_does_not_free_the_probes_place(self):
        breaker = opened()
        probe = probe_of(breaker, 10.0)
        breaker.release(FREE)
        assert not breaker.admits(10.0)
        breaker.release(probe)
        again = probe_of(breaker, 10.0)
        breaker.release(probe)
        assert not breaker.admits(10.0), "it has given its place away"
        good(breaker, 10.0, probe)
        assert breaker.state(10.0) is State.HALF_OPEN
        good(breaker, 10.0, again)
        assert breaker.state(10.0) is State.CLOSED

    def test_a_stale_failure_does_not_open_it_again(self):
        breaker = opened()
        probe = probe_of(breaker, 10.0)
        bad(breaker, 10.5, began=-5.0)
        assert breaker.state(10.5) is State.HALF_OPEN
        good(breaker, 11.0, probe)
        assert breaker.state(11.0) is State.CLOSED

    def test_failures_of_before_do_not_count_after_it_closed(self):
        breaker = opened()
        good(breaker, 11.0, probe_of(breaker, 10.0), 10.0)
        for began in (-5.0, 0.0, 5.0, 10.9):
            bad(breaker, 12.0, began=began)
        assert breaker.state(12.0) is State.CLOSED
        for _ in range(3):
            bad(breaker, 12.0, began=11.5)
        assert breaker.state(12.0) is State.OPEN

    def test_a_probe_of_other_rules_decides_nothing(self):
        breaker = opened()
        probe = probe_of(breaker, 10.0)
        breaker.forget()
        assert breaker.until is None
        for _ in range(RULES.failures):
            bad(breaker, 11.0)
        good(breaker, 30.0, probe, 10.0)
        assert breaker.state(30.0) is State.HALF_OPEN


@dataclass(eq=False)
class Tried:
    """An attempt under way. `spell`: of the closed, or the open state that it began in."""

    began: float
    spell: int
    permit: Permit


class Machine(RuleBasedStateMachine):
    """Attempts of random lengths, with or without leave. The model keeps all outcomes of the closed state and counts
    them anew, and knows by the order of things, not by times, what an attempt may say.
    """

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0.0
        self.spell = 0
        self.kept: list[tuple[float, bool]] = []
        self.until: float | None = None
        self.trips = 0
        self.probe: Tried | None = None
        self.trying: list[Tried] = []

    @rule(seconds=st.sampled_from([0.0, 0.5, 5.0, 10.0, 34.0, 61.0, LEASE]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(panic=st.booleans())
    def begins(self, *, panic: bool) -> None:
        may = self.until is None or (self.now >= self.until and not self.probing())
        assert self.breaker.admits(self.now) is may
        permit = self.breaker.claim(self.now)
        assert (permit is not None) is may
        if may or panic:
            tried = Tried(self.now, self.spell, permit or FREE)
            self.trying.append(tried)
            if may and self.until is not None:
                self.probe = tried

    @precondition(lambda self: self.trying)
    @rule(data=st.data(), how=st.sampled_from(["good", "bad", "silent"]))
    def ends(self, data: st.DataObject, how: str) -> None:
        self.now += 0.001  # no attempt begins in the moment in which another one ends
        tried = data.draw(st.sampled_from(self.trying))
        self.trying.remove(tried)
        if how == "silent":
            self.breaker.release(tried.permit)
            self.probe = None if tried is self.probe else self.probe
            return
        say = self.breaker.good if how == "good" else self.breaker.bad
        say(self.now, RULES, tried.began, tried.permit)
        if self.until is not None:
            if tried is self.probe:
                self.decide(well=how == "good")
        elif tried.spell == self.spell:
            self.count(failed=how == "bad")

    def decide(self, *, well: bool) -> None:
        if not well:
            self.open()
            return
        self.until, self.trips, self.probe, self.kept = None, 0, None, []
        self.spell += 1
        self.count(failed=False)

    def count(self, *, failed: bool) -> None:
        self.kept.append((self.now, failed))
        recent = [bad for at, bad in self.kept if at > self.now - RULES.window]
        if failed and sum(recent) >= max(RULES.failures, RULES.share * len(recent)):
            self.open()

    def open(self) -> None:
        self.until = self.now + min(RULES.cooldown * 2**self.trips, RULES.longest)
        self.trips, self.probe, self.spell = self.trips + 1, None, self.spell + 1

    def probing(self) -> bool:
        return self.probe is not None and self.now - self.probe.began < LEASE

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
