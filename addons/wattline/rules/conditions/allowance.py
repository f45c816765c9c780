"""How full a window is, and how much energy its caller has left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import override

from wattline.base.amounts import units
from wattline.rules.compiled.facts import Facts
from wattline.rules.compiled.window import GLOBAL_KEY, Scope, Window
from wattline.rules.conditions.line import Line
from wattline.wire.call import Call


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
