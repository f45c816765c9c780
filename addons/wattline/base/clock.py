"""Time as an argument: decisions never read a clock, they are given one reading of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol, override


class Clock(Protocol):
    """Two readings: one that never jumps, for windows and timeouts, and the wall's, for records."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...


class SystemClock(Clock):
    """The machine's clocks."""

    @override
    def monotonic(self) -> float:
        return time.monotonic()

    @override
    def wall(self) -> float:
        return time.time()


@dataclass
class ManualClock(Clock):
    """A clock that moves only when told to; tests and backtests use it."""

    now: float = 1_000.0
    epoch: float = 1_700_000_000.0

    @override
    def monotonic(self) -> float:
        return self.now

    @override
    def wall(self) -> float:
        return self.epoch + self.now

    def advance(self, seconds: float) -> None:
        """Move both readings forward."""
        self.now += seconds
