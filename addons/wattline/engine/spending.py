"""What each key spent in the last hour, day and 30 days, against its budgets. Energy in micro-units.

Rules of this file. `now` is monotonic seconds and never goes back. What is on its way is held in full and
booked with its real price when it ends, so that calls at the same moment can't share what is left. Times
are rounded up to a step of their span (a 60th of an hour, a 96th of a day, a 120th of 30 days): an amount
counts up to one step longer, never shorter, and a key takes no more memory than its steps.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from wattline.wire.call import Budgets

HOUR, DAY, MONTH = 3_600.0, 86_400.0, 30 * 86_400.0
LONGEST = MONTH
MOMENT = 1.0
_SPANS = (("hour", HOUR, 60.0), ("day", DAY, 900.0), ("30 days", MONTH, 21_600.0))


class Spent(NamedTuple):
    """Micro-units of a key, those on hold included."""

    hour: int
    day: int
    month: int


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A budget has no room. `retry_after` is seconds until it has, if nothing else is spent before (a
    moment, while only what is on hold is in the way); None: never, since one call asks for more than the
    whole budget.
    """

    span: str
    """`hour`, `day` or `30 days`."""
    spent: int
    limit: int
    retry_after: float | None


class _Sum:
    """Amounts of one span, in steps."""

    __slots__ = ("_per", "_step", "_steps", "total")

    def __init__(self, per: float, step: float) -> None:
        self.total = 0
        self._per, self._step = per, step
        self._steps: deque[tuple[float, int]] = deque()
        """The end of each step, and what was spent in it."""

    def add(self, now: float, micro: int) -> None:
        end = (now // self._step + 1) * self._step
        if self._steps and self._steps[-1][0] >= end:
            end, before = self._steps.pop()
            self._steps.append((end, before + micro))
        else:
            self._steps.append((end, micro))
        self.total += micro

    def expire(self, now: float) -> int:
        """What is left of it."""
        steps, per = self._steps, self._per
        while steps and steps[0][0] + per <= now:
            self.total -= steps.popleft()[1]
        return self.total

    def freed_after(self, excess: int, now: float) -> float:
        """Seconds until so much has left; `MOMENT` when there is not so much."""
        for end, micro in self._steps:
            excess -= micro
            if excess <= 0:
                return end + self._per - now
        return MOMENT


class _Account:
    """One key's."""

    __slots__ = ("held", "sums")

    def __init__(self) -> None:
        self.held = 0
        self.sums = tuple(_Sum(per, step) for _, per, step in _SPANS)

    def spend(self, now: float, micro: int) -> None:
        if micro:
            for one in self.sums:
                one.add(now, micro)


class Reserved:
    """An amount on hold for one attempt. Its first `settle` ends it."""

    __slots__ = ("_account", "_micro")

    def __init__(self, account: _Account, micro: int) -> None:
        self._account: _Account | None = account
        self._micro = micro
        account.held += micro

    def settle(self, micro: int, now: float) -> None:
        """Book what it was in the end; 0 gives it back."""
        account, self._account = self._account, None
        if account is not None:
            account.held -= self._micro
            account.spend(now, micro)


class Spending:
    """The state of all keys in this process."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}

    def reserve(
        self, key: str, budgets: Budgets | None, micro: int, now: float, *, owed: bool = False
    ) -> Reserved | Exceeded:
        """Hold an amount, if every budget of the key has room for it. `owed`: whether it has or not."""
        account = self._account(key)
        if budgets is not None and not owed:
            exceeded = _exceeded(account, budgets, micro, now)
            if exceeded is not None:
                return exceeded
        return Reserved(account, micro)

    def spent(self, key: str, now: float) -> Spent:
        """What the key spent, and holds."""
        account = self._accounts.get(key)
        if account is None:
            return Spent(0, 0, 0)
        return Spent(*(one.expire(now) + account.held for one in account.sums))

    def seed(self, key: str, at: float, micro: int) -> None:
        """Count what was spent at `at`, before a restart. In the order of time."""
        self._account(key).spend(at, micro)

    def forget(self, key: str) -> None:
        """The key is no more. What it has on hold still ends without harm."""
        self._accounts.pop(key, None)

    def _account(self, key: str) -> _Account:
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account()
        return account


def _exceeded(account: _Account, budgets: Budgets, micro: int, now: float) -> Exceeded | None:
    """The refusal that lasts longest."""
    worst: Exceeded | None = None
    # A call of unknown price needs at least some room: full is full.
    need = micro or 1
    for (name, _, _), one, limit in zip(
        _SPANS, account.sums, (budgets.hour, budgets.day, budgets.month), strict=True
    ):
        if limit is None:
            continue
        spent = one.expire(now) + account.held
        excess = spent + need - limit
        if excess > 0:
            after = None if need > limit else one.freed_after(excess, now)
            worst = _longer(worst, Exceeded(name, spent, limit, after))
    return worst


def _longer(one: Exceeded | None, other: Exceeded) -> Exceeded:
    if one is None or one.retry_after is None:
        return other if one is None else one
    if other.retry_after is None or other.retry_after > one.retry_after:
        return other
    return one
