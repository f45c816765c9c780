"""How targets fare: their speed, their failures, and which are left out for a while.

Fed with the outcome of each attempt, asked by decisions. A target is known by its account at the provider
and its model there. Pure: no I/O, and the clock is an argument, in monotonic seconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import Final

from wattline.engine.breaker import FREE, Breaker, Permit, State
from wattline.rules.compiled.upkeep import HealthRules
from wattline.wire.http import Ending

WEIGHT: Final = 0.2
"""Of the newest attempt in each moving average (B-080)."""
SLOW_MS: Final = 2_000.0
"""Milliseconds to the first output that halve a score."""
KEPT: Final = 4_096
"""Most targets that are remembered: accounts of users with keys of their own are without number."""
LOOKED_AT: Final = 256
"""Of the oldest ones, when one must be forgotten."""
NEITHER: Final = frozenset(
    {"internal_error", "not_sent", "answer_too_large", Ending.SHUTDOWN.value}
)
"""Outcomes that say nothing of a provider: the fault, or the choice, was ours."""
_NO_OUTAGE: Final = frozenset(
    {"context_length", "http_400", "http_401", "http_402", "http_403", "http_404", "http_413", "http_422",
     "http_429", "inband_rate_limit"}
)  # fmt: skip
"""Refusals by a provider that is well: of this call, of its key (which rests), or for now (which rests too)."""

type Place = tuple[str, str]
"""An account and a model."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Moving averages of one target. Times are milliseconds, None while unknown; `errors` is a share."""

    calls: int = 0
    errors: float = 0.0
    first_ms: float | None = None
    total_ms: float | None = None

    @property
    def score(self) -> float:
        """1.0 for a target that never fails and answers at once, towards 0.0 for one that does neither."""
        slow = 0.0 if self.first_ms is None else self.first_ms / SLOW_MS
        return (1.0 - self.errors) / (1.0 + slow)


UNTRIED: Final = Figures()


class _Target:
    __slots__ = ("breaker", "counted", "figures", "out", "proven")

    def __init__(self) -> None:
        self.breaker = Breaker()
        self.figures = UNTRIED
        self.counted = UNTRIED
        """Those that its account's sums have."""
        self.proven = False
        """It answered once."""
        self.out: float | None = None
        """What its account counts it as: out until then."""


class _Account:
    """Sums over its models: whoever calls may make up names, and asking must cost no more for each. They are brought up
    to date when somebody asks, by what has changed since.
    """

    __slots__ = (
        "_calls", "_errors", "_first", "_first_calls", "_total", "_total_calls", "_untils",
        "changed", "models", "troubled",
    )  # fmt: skip

    def __init__(self) -> None:
        self.models: set[str] = set()
        """Those that were tried."""
        self.troubled: set[str] = set()
        """Those whose breaker is not closed."""
        self.changed: set[str] = set()
        """Those whose figures are others than the sums have."""
        self._calls = self._first_calls = self._total_calls = 0
        self._errors = self._first = self._total = 0.0
        self._untils: list[float] = []
        """When those that answered once, and are out, may be tried again; in that order."""

    def add(self, figures: Figures, times: int = 1) -> None:
        """Count a model's figures; with -1 no longer."""
        calls = figures.calls * times
        self._calls += calls
        self._errors += figures.errors * calls
        if figures.first_ms is not None:
            self._first += figures.first_ms * calls
            self._first_calls += calls
        if figures.total_ms is not None:
            self._total += figures.total_ms * calls
            self._total_calls += calls

    def figures(self) -> Figures:
        """Of all models together, each by its share of the attempts."""
        calls = self._calls
        if not calls:
            return UNTRIED
        # What was added and taken away again leaves an error in the last digits.
        errors = min(max(self._errors / calls, 0.0), 1.0)
        first, total = _mean(self._first, self._first_calls), _mean(self._total, self._total_calls)
        return Figures(calls, errors, first, total)

    def count_out(self, old: float | None, new: float | None) -> None:
        """A model that was out until `old` is out until `new`; None: it is not."""
        if old is not None:
            del self._untils[bisect_left(self._untils, old)]
        if new is not None:
            insort(self._untils, new)

    def out(self, now: float) -> int:
        """How many of those that answered once are out."""
        return len(self._untils) - bisect_right(self._untils, now)


class Health:
    """Of all targets. `rules` may be set anew at any time."""

    def __init__(self, rules: HealthRules | None = None) -> None:
        self.rules = rules or HealthRules()
        self._targets: OrderedDict[Place, _Target] = OrderedDict()
        self._of: dict[str, _Account] = {}
        self._troubled: set[Place] = set()
        """Targets whose breaker is not closed: most often none, so that asking costs nothing."""

    def __len__(self) -> int:
        return len(self._targets)

    @property
    def all_well(self) -> bool:
        """No breaker is open, nor half-open."""
        return not self._troubled

    def figures(self, place: Place) -> Figures:
        """What is known of a target."""
        found = self._targets.get(place)
        return UNTRIED if found is None else found.figures

    def figures_of(self, account: str) -> Figures:
        """Those of all models of an account together, each by its share of the attempts."""
        found = self._of.get(account)
        if found is None:
            return UNTRIED
        for model in found.changed:
            target = self._targets[account, model]
            found.add(target.counted, -1)
            found.add(target.figures)
            target.counted = target.figures
        found.changed.clear()
        return found.figures()

    def models_of(self, account: str) -> list[str]:
        """Its models that were tried, in the order of their names."""
        found = self._of.get(account)
        return [] if found is None else sorted(found.models)

    def worst(self, account: str, now: float) -> State:
        """The worst breaker among its models."""
        found = self._of.get(account) if self._troubled and self.rules.breaker else None
        if found is None or not found.troubled:
            return State.CLOSED
        is_open = (
            self._targets[account, model].breaker.state(now) is State.OPEN
            for model in found.troubled
        )
        return State.OPEN if any(is_open) else State.HALF_OPEN

    def state(self, place: Place, now: float) -> State:
        """Of its breaker; closed while the rules have no breakers."""
        if not self._troubled or not self.rules.breaker:
            return State.CLOSED
        found = self._targets.get(place)
        own = State.CLOSED if found is None else found.breaker.state(now)
        if own is State.CLOSED and self.account_out(place[0], now):
            return State.OPEN
        return own

    def admits(self, place: Place, now: float) -> bool:
        """A call may try it. Changes nothing."""
        if not self._troubled or not self.rules.breaker:
            return True
        found = self._targets.get(place)
        if found is not None and place in self._troubled:
            return found.breaker.admits(now)
        return not self.account_out(place[0], now)

    def wait(self, place: Place, now: float) -> float | None:
        """Seconds until it may be tried; None when that is not known."""
        found = self._targets.get(place)
        return None if found is None else found.breaker.wait(now)

    def claim(self, place: Place, now: float) -> Permit | None:
        """As `admits`, at the moment when an attempt begins: in a half-open state only the first may. What it gets
        is said again with its outcome. None: it may not.
        """
        if not self._troubled or not self.rules.breaker:
            return FREE
        if not self.admits(place, now):
            return None
        found = self._targets.get(place) if place in self._troubled else None
        return FREE if found is None else found.breaker.claim(now)

    def release(self, place: Place, permit: Permit) -> None:
        """An attempt ended without a word on its target: its client left, or we stopped it."""
        if permit is not FREE and (found := self._targets.get(place)) is not None:
            found.breaker.release(permit)

    def good(
        self,
        place: Place,
        now: float,
        first_ms: float | None = None,
        total_ms: float | None = None,
        *,
        began: float | None = None,
        permit: Permit | None = None,
    ) -> None:
        """It answered, in so many milliseconds, an attempt that began then and got this leave. Without: an attempt
        of the past, that gets its leave now, for the time when it began (None: now).
        """
        target = self._target(place)
        target.proven = True
        old = target.figures
        target.figures = Figures(
            old.calls + 1,
            _moved(old.errors, 0.0, old.calls),
            old.first_ms if first_ms is None else _averaged(old.first_ms, first_ms),
            old.total_ms if total_ms is None else _averaged(old.total_ms, total_ms),
        )
        self._of[place[0]].changed.add(place[1])
        began = now if began is None else began
        if permit is None:
            permit = target.breaker.claim(began) or FREE
        target.breaker.good(now, self.rules, began, permit)
        self._mark(place, target)

    def bad(
        self,
        place: Place,
        code: str,
        now: float,
        *,
        began: float | None = None,
        permit: Permit | None = None,
    ) -> None:
        """It failed with this code; `began` and `permit` as in `good`. What the rules ignore, and what was our own
        fault, does not count.
        """
        if code in NEITHER or code in _NO_OUTAGE or self.rules.ignores(code):
            if permit is not None:
                self.release(place, permit)
            return
        target = self._target(place)
        old = target.figures
        errors = _moved(old.errors, 1.0, old.calls)
        target.figures = Figures(old.calls + 1, errors, old.first_ms, old.total_ms)
        self._of[place[0]].changed.add(place[1])
        began = now if began is None else began
        if permit is None:
            permit = target.breaker.claim(began) or FREE
        target.breaker.bad(now, self.rules, began, permit)
        self._mark(place, target)

    def clear(self) -> None:
        """Close every breaker: the rules have changed, and with them perhaps what was wrong."""
        for place in list(self._troubled):
            target = self._targets[place]
            target.breaker.forget()
            self._mark(place, target)

    def places(self) -> list[Place]:
        """Every target that was tried."""
        return list(self._targets)

    def _target(self, place: Place) -> _Target:
        found = self._targets.get(place)
        if found is None:
            found = self._targets[place] = _Target()
            self._of.setdefault(place[0], _Account()).models.add(place[1])
            if len(self._targets) > KEPT:
                self._forget()
        else:
            self._targets.move_to_end(place)
        return found

    def _forget(self) -> None:
        """The one that nobody used for longest. One that is out is used by nobody, and stays all the same."""
        oldest = islice(self._targets, LOOKED_AT)
        place = next((p for p in oldest if p not in self._troubled), next(iter(self._targets)))
        target = self._targets.pop(place)
        self._troubled.discard(place)
        account = self._of[place[0]]
        account.models.discard(place[1])
        account.troubled.discard(place[1])
        account.changed.discard(place[1])
        if not account.models:
            del self._of[place[0]]
            return
        account.add(target.counted, -1)
        account.count_out(target.out, None)

    def _mark(self, place: Place, target: _Target) -> None:
        until = target.breaker.until
        if until is None and place not in self._troubled:
            return
        account = self._of[place[0]]
        if until is None:
            self._troubled.discard(place)
            account.troubled.discard(place[1])
        else:
            self._troubled.add(place)
            account.troubled.add(place[1])
        out = until if target.proven else None
        account.count_out(target.out, out)
        target.out = out

    def account_out(self, account: str, now: float) -> bool:
        """So many of its models are out that the provider itself must be (B-082, B-146). Models that never
        answered are none: whoever calls may make up names.
        """
        limit = self.rules.disable_after
        if limit is None or len(self._troubled) < limit or not self.rules.breaker:
            return False
        found = self._of.get(account)
        return found is not None and found.out(now) >= limit


def _mean(total: float, calls: int) -> float | None:
    return max(total / calls, 0.0) if calls else None


def _averaged(old: float | None, new: float) -> float:
    return new if old is None else old + WEIGHT * (new - old)


def _moved(old: float, new: float, calls: int) -> float:
    """The plain mean while there are few, so that the first failure is not half of the truth."""
    return (
        old + max(WEIGHT, 1.0 / (calls + 1)) * (new - old)
        if calls < 1 / WEIGHT
        else old + WEIGHT * (new - old)
    )
