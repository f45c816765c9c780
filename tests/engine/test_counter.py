from __future__ import annotations

import pytest

from wattline.engine.counter import GRANULES, MAX_SLOTS, Counter


def test_slots_of_one_granule_are_joined_and_leave_with_the_last():
    counter = Counter(per=float(GRANULES))
    for number in range(MAX_SLOTS + 1):
        counter.settle(counter.add(number / 4, 1, 2), 2)
    assert len(counter.slots) == MAX_SLOTS // 4 + 1
    assert (counter.calls, counter.tokens) == (MAX_SLOTS + 1, 2 * (MAX_SLOTS + 1))
    counter.expire(GRANULES + 0.5)
    assert counter.calls == MAX_SLOTS + 1
    counter.expire(GRANULES + 0.75)
    assert (counter.calls, counter.tokens) == (MAX_SLOTS - 3, 2 * (MAX_SLOTS - 3))


def test_slots_that_are_open_keep_their_own_place():
    counter = Counter(per=float(GRANULES))
    slots = [counter.add(0.0, 1, 1) for _ in range(MAX_SLOTS + 10)]
    counter.settle(slots[0], 7)
    counter.release(slots[1])
    assert (counter.calls, counter.tokens) == (MAX_SLOTS + 9, MAX_SLOTS + 8 + 7)


def test_released_slots_are_dropped_before_they_outnumber_the_rest():
    counter = Counter(per=60.0)
    kept = counter.add(0.0, 1, 0)
    for number in range(1_000):
        counter.release(counter.add(number / 100, 1, 0))
        assert len(counter.slots) <= 4
    assert next(iter(counter.slots)) is kept
    assert counter.calls == 1


def test_time_that_is_said_to_go_back_never_frees_a_slot_early():
    counter = Counter(per=10.0)
    counter.add(100.0, 1, 0)
    counter.add(50.0, 1, 0)
    counter.expire(105.0)
    assert counter.calls == 2
    assert not counter.idle(109.9)
    assert counter.idle(110.0)
    counter.expire(110.0)
    assert counter.calls == 0


@pytest.mark.parametrize(("excess", "after"), [(1, 1.0), (2, 2.0), (3, 3.0)])
def test_how_long_until_so_many_are_gone(excess, after):
    counter = Counter(per=10.0)
    for at in (0.0, 1.0, 2.0):
        counter.add(at, 1, 5)
    assert counter.freed_after(excess, 9.0, tokens=False) == after
    assert counter.freed_after(excess * 5, 9.0, tokens=True) == after
