"""The lines of a `when`, compiled: each is asked with a call, the facts, and the two clocks' readings.

They are asked on every call, so each test is a few comparisons; only `why_not` makes text.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import override

from wattline.base.amounts import units
from wattline.base.origin import Origin
from wattline.rules.compiled.facts import HEALTHY, Facts, Fares, Subject
from wattline.rules.compiled.window import Scope, Window
from wattline.rules.globs import Patterns
from wattline.rules.names import Names
from wattline.wire.call import Call

MICRO = 1_000_000
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ENOUGH = 5
"""Attempts after which a score says something."""
GLOBAL_KEY = "all"
"""What a window of scope `global` counts under."""

READERS: dict[str, Callable[[Call], str | None]] = {
    "host": lambda call: call.host.lower(),
    "path": lambda call: call.path,
    "method": lambda call: call.method,
    "operation": lambda call: call.operation,
    "dialect": lambda call: call.dialect,
    "model": lambda call: call.model,
    "principal": lambda call: call.principal.id,
    "user": lambda call: call.principal.user or call.user,
    "tier": lambda call: call.principal.tier,
}
"""The text of a call that each of these conditions looks at; None when the call has none."""

FLAGS: dict[str, Callable[[Call], bool]] = {
    "stream": lambda call: call.stream,
    "tools": lambda call: call.tools,
    "images": lambda call: call.images,
    "forward": lambda call: call.forward,
}


_WELL = Fares(HEALTHY)
_FIGURES: Mapping[str, tuple[str, Callable[[float], str]]] = MappingProxyType(
    {
        "score": ("score", lambda value: f"{value:.2f}"),
        "errors": ("share of failures", lambda value: f"{value:.0%}"),
        "first_ms": ("time to the first output", lambda value: f"{value / 1000:.2f} s"),
    }
)
"""What a figure is called, and how it is shown."""


class Line(ABC):
    """One condition; see `book.Condition`, which asks for a `field` too."""

    __slots__ = ()

    @abstractmethod
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        """Whether it holds. Never raises."""

    @abstractmethod
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        """What was found and what was wanted."""


@dataclass(frozen=True, slots=True)
class TextIs(Line):
    """A text of the call fits a pattern. A call without that text fits none."""

    field: str
    patterns: Patterns
    read: Callable[[Call], str | None]

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        text = self.read(call)
        return text is not None and self.patterns.matches(text)

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        text = self.read(call)
        found = "not known" if text is None else _short(text)
        return f"{self.field} is {found}, wanted {self.patterns}"


@dataclass(frozen=True, slots=True)
class Tagged(Line):
    """Some tag of the call fits a pattern."""

    patterns: Patterns
    field: str = "tag"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        return any(self.patterns.matches(tag) for tag in call.tags)

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        tags = ", ".join(_short(tag) for tag in sorted(call.tags)) or "not set"
        return f"tag is {tags}, wanted {self.patterns}"


@dataclass(frozen=True, slots=True)
class HeaderIs(Line):
    """A header of the call fits a pattern. Its value is not repeated: it may be private."""

    name: str
    patterns: Patterns
    field: str = "header"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        value = call.headers.get(self.name)
        return value is not None and self.patterns.matches(value)

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        found = "is another" if self.name in call.headers else "is not sent"
        return f"header {self.name} {found}, wanted {self.patterns}"


@dataclass(frozen=True, slots=True)
class FlagIs(Line):
    """A property of the call is as wanted."""

    field: str
    wanted: bool
    read: Callable[[Call], bool]

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        return self.read(call) is self.wanted

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        return f"{self.field} is {_word(self.read(call))}, wanted {_word(self.wanted)}"


@dataclass(frozen=True, slots=True)
class Fixed(Line):
    """What the rules themselves decide, once, when they are loaded (`unconfigured`). It is false for a caller
    with a key of its own for one of `but`.
    """

    field: str
    wanted: bool
    found: bool
    but: frozenset[tuple[str, Origin]] = frozenset()

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        return self._found(call) is self.wanted

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        return f"{self.field} is {_word(self._found(call))}, wanted {_word(self.wanted)}"

    def _found(self, call: Call) -> bool:
        owned = call.principal.providers
        return self.found and (not owned or self.but.isdisjoint(owned))


@dataclass(frozen=True, slots=True)
class TokensWithin(Line):
    """The estimate of the prompt's tokens is within bounds, both included."""

    least: int | None
    most: int | None
    field: str = "tokens"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        if self.least is not None and call.tokens < self.least:
            return False
        return self.most is None or call.tokens <= self.most

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        bounds = [f"at least {self.least}"] if self.least is not None else []
        bounds += [f"at most {self.most}"] if self.most is not None else []
        return f"tokens are about {call.tokens}, wanted {' and '.join(bounds)}"


@dataclass(frozen=True, slots=True)
class HourWithin(Line):
    """The hour of the day is in one of the ranges; a range may pass midnight."""

    ranges: tuple[tuple[int, int], ...]
    zone: tzinfo
    field: str = "hour"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        moment = _moment(wall, self.zone)
        return moment is not None and any(_within(moment.hour, *span) for span in self.ranges)

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        moment = _moment(wall, self.zone)
        found = "not known" if moment is None else str(moment.hour)
        wanted = " or ".join(f"{start}-{end}" for start, end in self.ranges)
        return f"hour is {found} ({self.zone}), wanted {wanted}"


@dataclass(frozen=True, slots=True)
class WeekdayIs(Line):
    """The day of the week, as the clock says now (a night that began yesterday is today)."""

    days: frozenset[int]
    zone: tzinfo
    field: str = "weekday"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        moment = _moment(wall, self.zone)
        return moment is not None and moment.weekday() in self.days

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        moment = _moment(wall, self.zone)
        found = "not known" if moment is None else DAYS[moment.weekday()]
        wanted = " or ".join(DAYS[day] for day in sorted(self.days))
        return f"weekday is {found} ({self.zone}), wanted {wanted}"


@dataclass(frozen=True, slots=True)
class FilledOver(Line):
    """A window is fuller than a share of it. Of a provider with several keys, the windows of all of them are."""

    window: Window
    over: float
    others: tuple[Window, ...] = ()
    """Those of further keys."""
    field: str = "window"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        return self.fill(call, facts, now) > self.over

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        fill = self.fill(call, facts, now)
        return f"window {self.window.name} is {fill:.0%} full, wanted over {self.over:.0%}"

    def fill(self, call: Call, facts: Facts, now: float) -> float:
        """How full it is, 0.0 to 1.0; of several the one with the most room."""
        fill = facts.fill(self.window, self.key(call), now)
        if not self.others:
            return fill
        return min(fill, *(facts.fill(window, window.name, now) for window in self.others))

    def key(self, call: Call) -> str:
        """What the window counts this call under."""
        if self.window.scope is Scope.PROVIDER:
            return self.window.name
        return call.principal.id if self.window.scope is Scope.PRINCIPAL else GLOBAL_KEY

    def keys(self, call: Call) -> list[tuple[Window, str]]:
        """All windows, and what each counts this call under."""
        return [(self.window, self.key(call)), *((other, other.name) for other in self.others)]


@dataclass(frozen=True, slots=True)
class BalanceIs(Line):
    """The caller has less, or more, than so many micro-units left. No limit is more than any."""

    below: int | None
    above: int | None
    field: str = "balance"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        balance = facts.balance(call.principal.id)
        if balance is None:
            return self.above is not None
        if self.below is not None:
            return balance < self.below
        return self.above is not None and balance > self.above

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        balance = facts.balance(call.principal.id)
        found = "without limit" if balance is None else units(balance)
        if self.below is not None:
            return f"balance is {found}, wanted below {units(self.below)}"
        return f"balance is {found}, wanted above {units(self.above or 0)}"


@dataclass(frozen=True, slots=True)
class HealthIs(Line):
    """A provider, or a model of it, does as well or as badly as is said. Of what was tried fewer than `ENOUGH`
    times nothing bad is known: its score is 1, it has no failures, and is not slow.
    """

    subject: Subject
    states: frozenset[str] = frozenset()
    """Empty: any."""
    bounds: tuple[Bound, ...] = ()
    field: str = "health"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        fares = facts.fares(self.subject, now)
        if self.states and fares.state not in self.states:
            return False
        for bound in self.bounds:  # noqa: SIM110  (`all` costs a generator on the hot path)
            if not bound.holds(fares):
                return False
        return True

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        fares = facts.fares(self.subject, now)
        if self.states and fares.state not in self.states:
            return f"{self.subject} is {fares.state}, wanted {' or '.join(sorted(self.states))}"
        texts = [bound.why_not(fares) for bound in self.bounds if not bound.holds(fares)]
        return f"{self.subject}: {'; '.join(texts)}"


@dataclass(frozen=True, slots=True)
class Bound:
    """One figure of a provider or target must be above, or below, a number."""

    figure: str
    """`score`, `errors` or `first_ms`."""
    than: float
    above: bool

    def holds(self, fares: Fares) -> bool:
        """The figure is on the right side of the number, and not equal to it."""
        found = self._found(fares)
        return found > self.than if self.above else found < self.than

    def why_not(self, fares: Fares) -> str:
        """What was found and what was wanted."""
        name, form = _FIGURES[self.figure]
        if self.figure == "first_ms" and fares.first_ms is None:
            return f"{name} is not known, it gave no output lately; wanted {self._word} {form(self.than)}"
        few = (
            ""
            if fares.calls >= ENOUGH
            else f" (only {fares.calls} attempt{'' if fares.calls == 1 else 's'})"
        )
        return f"{name} is {form(self._found(fares))}{few}, wanted {self._word} {form(self.than)}"

    @property
    def _word(self) -> str:
        return "above" if self.above else "below"

    def _found(self, fares: Fares) -> float:
        known = fares if fares.calls >= ENOUGH else _WELL
        if self.figure == "score":
            return known.score
        return known.errors if self.figure == "errors" else known.first_ms or 0.0


@dataclass(frozen=True, slots=True)
class ModelKnown(Line):
    """What `try: model` needs: the file knows the called model. A call to a provider's own host must
    also find a provider with a key, so that a later `pass` can serve it with the client's.
    """

    names: Names
    field: str = "known"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        return self.names.ready(call) if call.forward else self.names.knows(call)

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        if self.names.has(call.model):
            return f"no provider of model {_short(call.model)} is configured"
        return f"model {_short(call.model)} is not known here"


def _moment(wall: float, zone: tzinfo) -> datetime | None:
    try:
        return datetime.fromtimestamp(wall, UTC).astimezone(zone)
    except (OverflowError, OSError, ValueError):
        return None


def _within(hour: int, start: int, end: int) -> bool:
    return start <= hour < end if start < end else hour >= start or hour < end


def _short(text: str) -> str:
    return repr(str(text)) if len(text) <= 80 else f"{text[:80]!r}…"


def _word(flag: bool) -> str:  # noqa: FBT001  (the value is the subject)
    return "true" if flag else "false"
