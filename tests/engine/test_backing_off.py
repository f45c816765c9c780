"""Rests of accounts that are limited and do not say for how long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattline.engine.backing_off import FIRST, KEPT, LONGEST, QUIET, BackingOff


def test_it_grows_up_to_the_longest():
    backing, now, found = BackingOff(), 0.0, []
    for _ in range(9):
        seconds = backing.limited("p", now, now)
        assert seconds is not None
        found.append(seconds)
        now += seconds
    assert found == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert found[0] == FIRST


def test_calls_that_were_under_way_are_one_time():
    backing = BackingOff()
    assert backing.limited("p", 0.0, 1.0) == FIRST
    assert [backing.limited("p", at, 1.5) for at in (0.0, 0.5, 1.2)] == [0.5] * 3
    assert backing.limited("p", 1.9, 2.1) is None
    assert backing.limited("p", 2.0, 2.1) == 2 * FIRST


def test_an_answer_ends_it_but_not_one_of_before():
    backing = BackingOff()
    backing.limited("p", 0.0, 1.0)
    assert not backing.answered("p", 0.5)
    assert backing.limited("p", 2.0, 2.0) == 2 * FIRST
    backing.answered("q", 9.0)
    assert backing.answered("p", 4.0)
    assert not backing
    assert backing.limited("p", 5.0, 5.0) == FIRST


def test_a_while_without_ends_it():
    backing = BackingOff()
    backing.limited("p", 0.0, 0.0)
    assert backing.limited("p", FIRST + QUIET - 0.1, FIRST + QUIET - 0.1) == 2 * FIRST
    after = FIRST + QUIET - 0.1 + 2 * FIRST + QUIET
    assert backing.limited("p", after, after) == FIRST


def test_it_does_not_grow_without_end():
    backing = BackingOff()
    for n in range(KEPT + 10):
        backing.limited(f"p of u{n}", 0.0, 0.0)
    assert len(backing) == KEPT
    backing.clear()
    assert not backing


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 200), st.floats(0, 50))))
def test_always_within_its_bounds(steps):
    backing, now = BackingOff(), 0.0
    for is_limited, later, lasted in steps:
        now += later
        if is_limited:
            seconds = backing.limited("p", now - lasted, now)
            assert seconds is None or 0 < seconds <= LONGEST
        else:
            backing.answered("p", now - lasted)
