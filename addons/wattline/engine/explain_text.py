"""An explanation as plain text, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wattline.base.amounts import plain, units
from wattline.engine.explanation import (
    ConditionFound,
    Explanation,
    RuleFound,
    TargetFound,
    WindowFound,
)
from wattline.engine.near import quoted
from wattline.engine.plan import Plan
from wattline.wire.call import Call

_UNTOLD = frozenset({"header", "health"})
"""Fields whose reason does not say all that was found."""


def render(explanation: Explanation) -> str:
    """Lines of text without colours. Names that came from a client can't control the terminal."""
    return "\n".join(_visible(line) for line in _lines(explanation)) + "\n"


def _lines(explanation: Explanation) -> Iterator[str]:
    call = explanation.call
    yield (
        f"call      {call.operation} {call.dialect} model {quoted(call.model)}"
        f"{', stream' if call.stream else ''}{', forward' if call.forward else ''}"
    )
    yield f"          {call.method} {call.host}{call.path}"
    yield f"caller    {call.principal.id}, about {call.tokens} tokens {_how(call)}{_balance(explanation)}"
    yield f"rules     version {explanation.plan.version}"
    for rule in explanation.rules:
        yield from _rule(rule)
    if explanation.after:
        yield f"  {_count(explanation.after, 'rule')} after it not asked"
    yield from _section("windows", (_window(found) for found in explanation.windows))
    yield from _section(
        "targets",
        (
            f"  {target.target}{_key(target)}: {'ready' if target.why_not is None else target.why_not}"
            f"{' (demo)' if target.demo else ''}{_standing(target)}"
            for target in explanation.targets
        ),
    )
    if explanation.order not in (None, "given"):
        yield f"order     {explanation.order}"
    if explanation.refused is not None:
        yield f"refused   before any of them is tried: {explanation.refused}"
    yield from _plan(explanation.plan)
    if explanation.near:
        yield f"  did you mean {' or '.join(map(repr, explanation.near))}?"


def _how(call: Call) -> str:
    return "(counted)" if call.counted else "(by length)"


def _balance(explanation: Explanation) -> str:
    if explanation.balance is None:
        return ""
    return f", {units(explanation.balance)} energy left"


def _rule(rule: RuleFound) -> Iterator[str]:
    held = all(condition.why_not is None for condition in rule.conditions)
    said = "decides" if rule.decides else "holds, but can't stand for this call" if held else "no"
    line = f", line {rule.line}" if rule.line else ""
    yield f"  {rule.position + 1}. {rule.name}{line}: {said}"
    for condition in rule.conditions:
        yield f"       {_condition(condition)}"
    if rule.obstacle is not None:
        yield f"       {rule.obstacle}"
    if rule.decides:
        yield f"       {rule.action}"


def _condition(condition: ConditionFound) -> str:
    what = f"{condition.field} {condition.name}".rstrip()
    if condition.why_not is None:
        return f"+ {what} is {condition.value}" if condition.value else f"+ {what}"
    if condition.field in _UNTOLD:
        return f"- {condition.why_not} ({what} is {condition.value})"
    return f"- {condition.why_not}"


def _key(found: TargetFound) -> str:
    return f" with key {found.key} ({found.mask})" if found.key else ""


def _standing(found: TargetFound) -> str:
    standing = found.standing
    if standing is None:
        return ""
    parts = [f"key {standing.credential}", f"breaker {standing.breaker.replace('_', '-')}"]
    figures = standing.figures
    if figures.calls:
        parts.append(f"{_count(figures.calls, 'attempt')}, {figures.errors:.0%} failed")
        if figures.first_ms is not None:
            parts.append(f"first output after {figures.first_ms:.0f} ms")
        parts.append(f"score {figures.score:.2f}")
    else:
        parts.append("not tried lately")
    return f" ({'; '.join(parts)})"


def _window(found: WindowFound) -> str:
    window = found.window
    limits = [f"{window.calls} calls"] if window.calls is not None else []
    limits += [f"{window.tokens} tokens"] if window.tokens is not None else []
    fill = "fill depends on the address" if found.fill is None else f"{found.fill:.0%} full"
    return (
        f"  {window.name} ({window.scope}): {fill}, {' and '.join(limits)} in {plain(window.per)} s"
    )


def _plan(plan: Plan) -> Iterator[str]:
    if plan.deny is not None:
        yield f"plan      denied with {plan.deny.status}: {plan.deny.message}"
    elif plan.passed:
        yield "plan      passed on to the host that the client named, with the client's own key"
    elif plan.targets:
        yield f"plan      try {', then '.join(target.label for target in plan.targets)}"
    elif plan.rule is None:
        yield "plan      nothing to try"
    else:
        yield "plan      nothing: no target can be tried now"
    for reason in plan.reasons:
        yield f"  {reason}"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield title
        yield from found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _visible(line: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
    )
