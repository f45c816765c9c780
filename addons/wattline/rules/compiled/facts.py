"""What conditions may ask, and what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from wattline.rules.compiled.window import Window
from wattline.wire.call import Call

HEALTHY, RESTING, OUT = "healthy", "resting", "out"
"""States of a provider or target: it can be asked; it asked to wait, or refused its keys; it failed too often, or
was switched off.
"""


class Fares(NamedTuple):
    """How a provider or a target does. Times are milliseconds, None while unknown; `errors` is a share."""

    state: str
    calls: int = 0
    score: float = 1.0
    errors: float = 0.0
    first_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a condition on health is about: a provider, or one model of it."""

    provider: str
    accounts: tuple[str, ...]
    """One for each of its keys."""
    model: str = ""
    """Empty: the whole provider."""

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.model else self.provider


class Facts(Protocol):
    """What conditions may ask beside the call itself."""

    def fill(self, window: Window, key: str, now: float) -> float:
        """How full a window is, 0.0 to 1.0."""
        ...

    def balance(self, principal: str) -> int | None:
        """Micro-units of energy left; None when the principal has no limit."""
        ...

    def fares(self, subject: Subject, now: float) -> Fares:
        """How a provider or a target does."""
        ...


class Condition(Protocol):
    """One line of a `when`. Compiled once, asked often."""

    @property
    def field(self) -> str:
        """Its key in `when`."""
        ...

    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        """Whether it holds. Total: never raises."""
        ...

    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        """`model is 'gpt-4o', wanted 'claude-*'`: for explain, after `test` said no."""
        ...
