"""One target's circuit breaker: closed, open, half-open.

Closed: every call may try it. Open: none may, for a while that doubles each time it opens again. Half-open:
one call may, and what becomes of that one decides, of no other: an attempt that began before says how the target was,
not how it is. Pure: the clock is an argument, in monotonic seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Final

from wattline.rules.compiled.upkeep import HealthRules

LEASE = 300.0
"""Seconds after which a probe that nobody heard of again no longer keeps others out."""
KEPT = 1_000
"""Most outcomes that are looked at."""


class State(StrEnum):
    """Of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """One attempt's leave to try. A probe's is its own, got at `at`; all others have `FREE`."""

    at: float


FREE: Final = Permit(-inf)
"""No probe's."""


class Breaker:
    """`rules` are asked each time, so that an edit counts at once."""

    __slots__ = ("_bad", "_opened", "_outcomes", "_probe", "_since", "_trips", "_until")

    def __init__(self) -> None:
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=KEPT)
        self._bad = 0
        self._opened = False
        self._since = -inf
        """When it last opened or closed."""
        self._until = 0.0
        self._probe: Permit | None = None
        self._trips = 0

    def state(self, now: float) -> State:
        """What it is now."""
        if not self._opened:
            return State.CLOSED
        return State.OPEN if now < self._until else State.HALF_OPEN

    @property
    def until(self) -> float | None:
        """When it is half open, or was first; None while it is closed."""
        return self._until if self._opened else None

    def admits(self, now: float) -> bool:
        """A call may try the target: it is closed, or the probe's place is free. Changes nothing."""
        state = self.state(now)
        return state is State.CLOSED or (state is State.HALF_OPEN and not self._probing(now))

    def claim(self, now: float) -> Permit | None:
        """As `admits`; in the half-open state the caller is the probe from then on. None: it may not."""
        if not self.admits(now):
            return None
        if not self._opened:
            return FREE
        self._probe = Permit(now)
        return self._probe

    def wait(self, now: float) -> float | None:
        """Seconds until it may be tried; None when it may be now, or only a probe is waited for."""
        return self._until - now if self._opened and now < self._until else None

    def release(self, permit: Permit) -> None:
        """An attempt ended without a word on the target: if it was the probe, another call may be it."""
        if permit is self._probe:
            self._probe = None

    def good(self, now: float, rules: HealthRules, began: float, permit: Permit) -> None:
        """An attempt that began then, with this leave, has an answer."""
        if self._opened:
            if permit is not self._probe:
                return
            self._close(now)
        elif began < self._since:
            return
        self._add(now, bad=False, rules=rules)

    def bad(self, now: float, rules: HealthRules, began: float, permit: Permit) -> None:
        """It failed."""
        if self._opened:
            if permit is self._probe:
                self._open(now, rules)
            return
        if began < self._since:
            return
        self._add(now, bad=True, rules=rules)
        if self._bad >= rules.failures and self._bad >= rules.share * len(self._outcomes):
            self._open(now, rules)

    def forget(self) -> None:
        """Close it: the rules have changed. What began before it had opened counts no more than it did."""
        self._clear()

    def _probing(self, now: float) -> bool:
        return self._probe is not None and now - self._probe.at < LEASE

    def _open(self, now: float, rules: HealthRules) -> None:
        self._opened, self._probe, self._since = True, None, now
        self._until = now + min(rules.cooldown * 2.0 ** min(self._trips, 32), rules.longest)
        self._trips += 1

    def _close(self, now: float) -> None:
        self._clear()
        self._since = now

    def _clear(self) -> None:
        self._opened, self._probe, self._trips, self._bad = False, None, 0, 0
        self._outcomes.clear()

    def _add(self, now: float, *, bad: bool, rules: HealthRules) -> None:
        outcomes = self._outcomes
        if len(outcomes) == KEPT:
            self._bad -= outcomes.popleft()[1]
        while outcomes and outcomes[0][0] <= now - rules.window:
            self._bad -= outcomes.popleft()[1]
        outcomes.append((now, bad))
        self._bad += bad
