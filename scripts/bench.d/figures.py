"""Small sums over what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Spread(NamedTuple):
    """A figure over the rounds."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Median, least and greatest. Raises ValueError when there is none."""
    if not values:
        raise ValueError("no values to summarise")
    return Spread(median(values), min(values), max(values))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value with at least `share` of all at or below it (nearest rank).

    `ordered` is sorted, `share` in 0 < share <= 1. Raises ValueError.
    """
    if not ordered:
        raise ValueError("no values to rank")
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}; it must be over 0 and at most 1")
    return ordered[math.ceil(share * len(ordered) - 1e-9) - 1]


def ratios(own: Sequence[float], other: Sequence[float]) -> list[float]:
    """`own / other` round by round; rounds in which `other` is 0 are left out."""
    return [a / b for a, b in zip(own, other, strict=True) if b]
