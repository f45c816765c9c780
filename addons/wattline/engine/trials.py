"""Which calls a rule's drill and shadow are for. Pure: the same draw gives the same answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from wattline.base.amounts import percent
from wattline.engine.plan import Plan
from wattline.rules.compiled.rule import Rule
from wattline.rules.compiled.target import Target
from wattline.rules.conditions.call import READERS
from wattline.rules.drill import Drill
from wattline.wire.call import Call

_FAULT: Final = 65_537
_SHADOW: Final = 1_000_003
"""A plan has one draw, which weighs targets too: multiplied by a large number and cut to its fraction it
is another one, as even and as good as unrelated.
"""


def with_trials(plan: Plan, rule: Rule, call: Call, wall: float, draw: float) -> Plan:
    """The plan with the drill and the shadow that this call has. `wall` is Unix seconds, `draw` is in
    [0, 1).
    """
    drill, reasons = rule.fault, plan.reasons
    if drill is not None and fits(drill, call, wall):
        reasons = (*reasons, f"drill: {drill.kind} for {_which(drill.share)}")
        if drawn(drill.share, draw * _FAULT):
            return replace(plan, fault=drill, reasons=reasons)
    shadow = rule.shadow
    if shadow is not None and not plan.passed and drawn(shadow.share, draw * _SHADOW):
        reasons = (*reasons, f"shadow: asked at {shadow.target} too, where that is possible")
        return replace(plan, shadow=shadow, reasons=reasons)
    return plan if reasons is plan.reasons else replace(plan, reasons=reasons)


def _which(share: float) -> str:
    return "each such call" if share == 1 else f"{percent(share)} of such calls"


def fits(drill: Drill, call: Call, wall: float) -> bool:
    """The drill is on and for calls like this one."""
    if wall >= drill.until:
        return False
    if drill.principals is not None and not drill.principals.matches(call.principal.id):
        return False
    if drill.users is not None:
        user = READERS["user"](call)
        if user is None or not drill.users.matches(str(user)):
            return False
    for name, patterns in drill.headers:
        value = call.headers.get(name)
        if value is None or not patterns.matches(value):
            return False
    return True


def aims_at(drill: Drill, target: Target) -> bool:
    """The drill is for attempts at this target."""
    names = drill.targets
    if names is None:
        return True
    return any(names.matches(name) for name in (str(target), target.entry, target.provider.name))


def drawn(share: float, draw: float) -> bool:
    """The fraction of `draw` is below the share."""
    return draw % 1.0 < share
