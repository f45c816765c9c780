"""One target's circuit breaker: closed, open, half-open.

Closed: every call may try it. Open: none may, for a while that doubles each time it opens again. Half-open:
one call may, and what becomes of that one decides. Pure: the clock is an argument, in monotonic seconds.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from wattline.rules.book import HealthRules

LEASE = 300.0
"""Seconds after which a probe that nobody heard of again no longer keeps others out."""
KEPT = 1_000
"""Most outcomes that are looked at."""


class State(StrEnum):
    """Of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """`rules` are asked each time, so that an edit counts at once."""

    __slots__ = ("_bad", "_opened", "_outcomes", "_probe", "_trips", "_until")

    def __init__(self) -> None:
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=KEPT)
        self._bad = 0
        self._opened = False
        self._until = 0.0
        self._probe: float | None = None
        self._trips = 0

    def state(self, now: float) -> State:
        """What it is now."""
        if not self._opened:
            return State.CLOSED
        return State.OPEN if now < self._until else State.HALF_OPEN

    def admits(self, now: float) -> bool:
        """A call may try the target: it is closed, or the probe's place is free. Changes nothing."""
        state = self.state(now)
        return state is State.CLOSED or (state is State.HALF_OPEN and not self._probing(now))

    def claim(self, now: float) -> bool:
        """As `admits`; in the half-open state the caller is the probe from then on."""
        if not self.admits(now):
            return False
        if self._opened:
            self._probe = now
        return True

    def wait(self, now: float) -> float | None:
        """Seconds until it may be tried; None when it may be now, or only a probe is waited for."""
        return self._until - now if self._opened and now < self._until else None

    def release(self) -> None:
        """The probe ended without a word on the target: another call may be it."""
        self._probe = None

    def good(self, now: float, rules: HealthRules) -> None:
        """It answered."""
        if self._opened:
            if now < self._until:
                return  # a call of before: the target must show itself when its time has come
            self._close()
        self._add(now, bad=False, rules=rules)

    def bad(self, now: float, rules: HealthRules) -> None:
        """It failed."""
        if self._opened:
            if now >= self._until:
                self._open(now, rules)
            return
        self._add(now, bad=True, rules=rules)
        if self._bad >= rules.failures and self._bad >= rules.share * len(self._outcomes):
            self._open(now, rules)

    def _probing(self, now: float) -> bool:
        return self._probe is not None and now - self._probe < LEASE

    def _open(self, now: float, rules: HealthRules) -> None:
        self._opened, self._probe = True, None
        self._until = now + min(rules.cooldown * 2.0 ** min(self._trips, 32), rules.longest)
        self._trips += 1

    def _close(self) -> None:
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
