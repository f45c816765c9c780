"""How a provider, or a model of it, does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import override

from wattline.rules.compiled.facts import HEALTHY, Facts, Fares, Subject
from wattline.rules.conditions.line import Line
from wattline.wire.call import Call

ENOUGH = 5
"""Attempts after which a score says something."""
_WELL = Fares(HEALTHY)
_FIGURES: Mapping[str, tuple[str, Callable[[float], str]]] = MappingProxyType(
    {
        "score": ("score", lambda value: f"{value:.2f}"),
        "errors": ("share of failures", lambda value: f"{value:.0%}"),
        "first_ms": ("time to the first output", lambda value: f"{value / 1000:.2f} s"),
    }
)
"""What a figure is called, and how it is shown."""


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
