"""What an explanation holds: every step of a decision as data."""

from __future__ import annotations

from dataclasses import dataclass

from wattline.engine.breaker import State
from wattline.engine.health import Figures
from wattline.engine.plan import Plan
from wattline.rules.compiled.window import Window
from wattline.wire.call import Call


@dataclass(frozen=True, slots=True)
class ConditionFound:
    """One condition, what the call has there, and why it does not hold (None: it does). `name`: of the header, window,
    provider or target that it looks at.
    """

    field: str
    value: str
    why_not: str | None
    name: str = ""


@dataclass(frozen=True, slots=True)
class RuleFound:
    """One rule that was asked. `obstacle`: why it can't stand for the call though its conditions hold."""

    name: str
    position: int
    line: int
    action: str
    conditions: tuple[ConditionFound, ...]
    obstacle: str | None
    decides: bool


@dataclass(frozen=True, slots=True)
class WindowFound:
    """One window that counts this call, and how full it is (None: not known without the address)."""

    window: Window
    key: str
    fill: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a target stands: whose key it is called with, its breaker, and how it fared lately."""

    credential: str
    """`present`, `absent`, `the caller's own` or `not needed`."""
    breaker: State
    figures: Figures


@dataclass(frozen=True, slots=True)
class TargetFound:
    """One target of the plan. `why_not` is None when it is tried."""

    target: str
    code: str
    why_not: str | None
    demo: bool = False
    key: int = 0
    """Which of its provider's keys; 0 where it has one."""
    mask: str | None = None
    """Of that key: enough to recognise it, too little to use it."""
    standing: Standing | None = None
    """None for a name that the book does not know."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`rules` ends with the one that decides, if one does; `after` is how many were not asked."""

    call: Call
    rules: tuple[RuleFound, ...]
    after: int
    windows: tuple[WindowFound, ...]
    targets: tuple[TargetFound, ...]
    near: tuple[str, ...]
    balance: int | None
    plan: Plan
    order: str | None = None
    """In which the rule's targets are tried; None where no rule decides."""
    refused: str | None = None
    """Why the call would end before any target is tried, whatever its plan says."""
