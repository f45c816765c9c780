"""Quantiles of the last minutes, in bounded memory and with a known error."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, nan
from typing import Final

SLOT: Final = 120.0
"""Seconds of one slot; the oldest is forgotten whole."""
SLOTS: Final = 5
_STEP: Final = 0.02
"""Logarithm of the ratio of two neighbouring buckets: a quantile is off by 1 % at most."""
_LEAST: Final = 1e-6
_MOST: Final = 1e6


class Quantiles:
    """Values above 0, most often seconds. `sum` and `count` are of all, quantiles of the last ten minutes."""

    __slots__ = ("_numbers", "_slots", "count", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self._numbers = [-1] * SLOTS
        self._slots: list[dict[int, int]] = [{} for _ in range(SLOTS)]

    def add(self, value: float, now: float) -> None:
        """Count a value. `now` is monotonic seconds."""
        if not _LEAST < value < _MOST:
            value = _MOST if value >= _MOST else _LEAST
        self.count += 1
        self.sum += value
        number = int(now / SLOT)
        place = number % SLOTS
        if self._numbers[place] != number:
            self._numbers[place] = number
            self._slots[place] = {}
        slot = self._slots[place]
        bucket = int(log(value) // _STEP)
        slot[bucket] = slot.get(bucket, 0) + 1

    def at(self, shares: Sequence[float], now: float) -> list[float]:
        """The value below which each share (0 to 1) of the last values lies; NaN when there are none."""
        counts = self._recent(now)
        total = sum(counts.values())
        if not total:
            return [nan] * len(shares)
        ranks = [min(total - 1, int(share * total)) for share in shares]
        return [_value(counts, rank) for rank in ranks]

    def _recent(self, now: float) -> dict[int, int]:
        oldest = int(now / SLOT) - SLOTS + 1
        found: dict[int, int] = {}
        for number, slot in zip(self._numbers, self._slots, strict=True):
            if number >= oldest:
                for bucket, count in slot.items():
                    found[bucket] = found.get(bucket, 0) + count
        return found


def _value(counts: dict[int, int], rank: int) -> float:
    passed = 0
    for bucket in sorted(counts):
        passed += counts[bucket]
        if passed > rank:
            break
    return exp((bucket + 0.5) * _STEP)
