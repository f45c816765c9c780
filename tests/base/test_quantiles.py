from __future__ import annotations

import math
import random
import time
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.quantiles import SLOT, SLOTS, Quantiles

SHARES = (0.5, 0.95, 0.99)


def test_quantiles_are_within_one_percent():
    draw = random.Random(7)
    values = [draw.lognormvariate(-1, 1.5) for _ in range(5_000)]
    found = Quantiles()
    for value in values:
        found.add(value, 10.0)
    ordered = sorted(values)
    for share, told in zip(SHARES, found.at(SHARES, 10.0), strict=True):
        assert told == pytest.approx(ordered[int(share * len(values))], rel=0.011)
    assert found.sum == pytest.approx(sum(values))
    assert found.count == len(values)


def test_old_values_are_forgotten_and_still_counted():
    found = Quantiles()
    found.add(9.0, 0.0)
    now = SLOT * (SLOTS - 1)
    assert found.at(SHARES, now)[0] == pytest.approx(9.0, rel=0.011)
    assert math.isnan(found.at(SHARES, now + SLOT)[0])
    assert (found.count, found.sum) == (1, 9.0)
    found.add(1.0, now + SLOT)
    assert found.at([0.5], now + SLOT)[0] == pytest.approx(1.0, rel=0.011)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=50))
def test_anything_is_counted_and_memory_is_bounded(values):
    found = Quantiles()
    for value in values:
        found.add(value, 1.0)
    assert found.count == len(values)
    assert math.isfinite(found.sum)
    if values:
        assert all(1e-7 < one < 1e7 for one in found.at(SHARES, 1.0))


def test_counting_is_cheap():
    """Under 2 µs of an idle core; here a bound that a busy one keeps too."""
    found = Quantiles()
    took = timeit.repeat(
        lambda: found.add(0.25, 5.0), timer=time.thread_time, number=2_000, repeat=5
    )
    assert min(took) / 2_000 < 50e-6
