"""How targets fare: their speed, their failures, and which are left out for a while.

Fed with the outcome of each attempt, asked by decisions. A target is known by its account at the provider
and its model there. Pure: no I/O, and the clock is an argument, in monotonic seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import Final

from wattline.engine.breaker import Breaker, State
from wattline.rules.book import HealthRules

WEIGHT: Final = 0.2
"""Of the newest attempt in each moving average (B-080)."""
SLOW_MS: Final = 2_000.0
"""Milliseconds to the first output that halve a score."""
KEPT: Final = 4_096
"""Most targets that are remembered: accounts of users with keys of their own are without number."""
LOOKED_AT: Final = 256
"""Of the oldest ones, when one must be forgotten."""
NEITHER: Final = frozenset({"internal_error", "not_sent", "answer_too_large"})
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
    __slots__ = ("breaker", "figures", "proven")

    def __init__(self) -> None:
        self.breaker = Breaker()
        self.figures = UNTRIED
        self.proven = False
        """It answered once."""


class Health:
    """Of all targets. `rules` may be set anew at any time."""

    def __init__(self, rules: HealthRules | None = None) -> None:
        self.rules = rules or HealthRules()
        self._targets: OrderedDict[Place, _Target] = OrderedDict()
        self._of: dict[str, set[str]] = {}
        """The models that were tried, by account."""
        self._troubled: set[Place] = set()
        """Targets whose breaker is not closed: most often none, so that asking costs nothing."""

    def __len__(self) -> int:
        return len(self._targets)

    def figures(self, place: Place) -> Figures:
        """What is known of a target."""
        found = self._targets.get(place)
        return UNTRIED if found is None else found.figures

    def figures_of(self, account: str) -> Figures:
        """Those of all models of an account together, each by its share of the attempts."""
        found = [self._targets[account, model].figures for model in self._of.get(account, ())]
        calls = sum(one.calls for one in found)
        if not calls:
            return UNTRIED
        errors = sum(one.errors * one.calls for one in found) / calls
        return Figures(calls, errors, _mean(found, "first_ms"), _mean(found, "total_ms"))

    def models_of(self, account: str) -> list[str]:
        """Its models that were tried, in the order of their names."""
        return sorted(self._of.get(account, ()))

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

    def claim(self, place: Place, now: float) -> bool:
        """As `admits`, at the moment when an attempt begins: in a half-open state only the first may."""
        if not self._troubled or not self.rules.breaker:
            return True
        if not self.admits(place, now):
            return False
        found = self._targets.get(place) if place in self._troubled else None
        return found is None or found.breaker.claim(now)

    def release(self, place: Place) -> None:
        """An attempt ended without a word on its target: its client left, or we stopped it."""
        found = self._targets.get(place) if place in self._troubled else None
        if found is not None:
            found.breaker.release()

    def good(
        self, place: Place, now: float, first_ms: float | None = None, total_ms: float | None = None
    ) -> None:
        """It answered, in so many milliseconds."""
        target = self._target(place)
        target.proven = True
        old = target.figures
        target.figures = Figures(
            old.calls + 1,
            _moved(old.errors, 0.0, old.calls),
            old.first_ms if first_ms is None else _averaged(old.first_ms, first_ms),
            old.total_ms if total_ms is None else _averaged(old.total_ms, total_ms),
        )
        target.breaker.good(now, self.rules)
        self._mark(place, target, now)

    def bad(self, place: Place, code: str, now: float) -> None:
        """It failed with this code. What the rules ignore, and what was our own fault, does not count."""
        if code in NEITHER or self.rules.ignores(code):
            self.release(place)
            return
        if code in _NO_OUTAGE:
            self.release(place)
            return
        target = self._target(place)
        old = target.figures
        errors = _moved(old.errors, 1.0, old.calls)
        target.figures = Figures(old.calls + 1, errors, old.first_ms, old.total_ms)
        target.breaker.bad(now, self.rules)
        self._mark(place, target, now)

    def clear(self) -> None:
        """Close every breaker: the rules have changed, and with them perhaps what was wrong."""
        for place in self._troubled:
            self._targets[place].breaker = Breaker()
        self._troubled.clear()

    def places(self) -> list[Place]:
        """Every target that was tried."""
        return list(self._targets)

    def _target(self, place: Place) -> _Target:
        found = self._targets.get(place)
        if found is None:
            found = self._targets[place] = _Target()
            self._of.setdefault(place[0], set()).add(place[1])
            if len(self._targets) > KEPT:
                self._forget()
        else:
            self._targets.move_to_end(place)
        return found

    def _forget(self) -> None:
        """The one that nobody used for longest. One that is out is used by nobody, and stays all the same."""
        oldest = islice(self._targets, LOOKED_AT)
        place = next((p for p in oldest if p not in self._troubled), next(iter(self._targets)))
        del self._targets[place]
        self._troubled.discard(place)
        models = self._of[place[0]]
        models.discard(place[1])
        if not models:
            del self._of[place[0]]

    def _mark(self, place: Place, target: _Target, now: float) -> None:
        if target.breaker.state(now) is State.CLOSED:
            self._troubled.discard(place)
        else:
            self._troubled.add(place)

    def account_out(self, account: str, now: float) -> bool:
        """So many of its models are out that the provider itself must be (B-082, B-146). Models that never
        answered are none: whoever calls may make up names.
        """
        limit = self.rules.disable_after
        if limit is None or len(self._troubled) < limit:
            return False
        models = self._of.get(account, ())
        out = sum(
            (account, model) in self._troubled
            and (found := self._targets[account, model]).proven
            and found.breaker.state(now) is State.OPEN
            for model in models
        )
        return out >= limit


def _mean(found: list[Figures], name: str) -> float | None:
    known = [(time, one.calls) for one in found if (time := getattr(one, name)) is not None]
    calls = sum(count for _, count in known)
    return sum(time * count for time, count in known) / calls if calls else None


def _averaged(old: float | None, new: float) -> float:
    return new if old is None else old + WEIGHT * (new - old)


def _moved(old: float, new: float, calls: int) -> float:
    """The plain mean while there are few, so that the first failure is not half of the truth."""
    return (
        old + max(WEIGHT, 1.0 / (calls + 1)) * (new - old)
        if calls < 1 / WEIGHT
        else old + WEIGHT * (new - old)
    )
