"""Where a call goes. Pure: the same call, book, view and clock readings give the same plan."""

from __future__ import annotations

from collections.abc import Iterable

from wattline.dialects.crossing import crosses
from wattline.engine.near import near, quoted
from wattline.engine.plan import Plan, Skip
from wattline.engine.targets import Choice, choices, draw_order
from wattline.engine.view import View
from wattline.rules.book import Asked, Book, Deny, Pass, Rule, Target, Weighted
from wattline.wire.call import Call

DEMO = "demo: no provider key is set; this answer is made up"


def decide(call: Call, book: Book, view: View, now: float, wall: float, draw: float = 0.0) -> Plan:
    """The plan of the first rule that applies: its conditions hold, and it can stand for this call.

    `now` is monotonic seconds, `wall` seconds since 1970, `draw` a number in [0, 1) for weighted
    choices. Never raises.
    """
    reasons: list[str] = []
    for position, rule in book.candidates(call.model):
        if not holds(rule, call, view, now, wall):
            continue
        obstacle = inapplicable(rule, call, book)
        if obstacle is None:
            return _plan(rule, position, call, book, view, now, draw, reasons)
        if obstacle not in reasons:
            reasons.append(obstacle)
    return _undecided(call, book, reasons)


def holds(rule: Rule, call: Call, view: View, now: float, wall: float) -> bool:
    """All conditions of a rule hold."""
    for condition in rule.conditions:  # noqa: SIM110  (`all` costs a generator on the hot path)
        if not condition.test(call, view, now, wall):
            return False
    return True


def inapplicable(rule: Rule, call: Call, book: Book) -> str | None:
    """Why a rule whose conditions hold can't stand for this call all the same."""
    if isinstance(rule.action, Asked) and not book.names.knows(call):
        return unknown_model(call.model)
    if isinstance(rule.action, Pass) and not call.forward:
        return f"rule {rule.name!r} passes calls on to their own host, and this one named none"
    return None


def unknown_model(model: str) -> str:
    """The reason; without the names that were likely meant, since finding those takes time."""
    return f"model {quoted(model)} is unknown"


def obstacle_of(target: Target, call: Call, view: View, now: float) -> Skip | None:
    """Why a target can't be tried now; what never passes comes before what does."""
    provider = target.provider
    if provider.unavailable is not None:
        return Skip(str(target), "unavailable", provider.unavailable)
    if not crosses(call.operation, call.dialect, provider.dialect):
        reason = f"{provider.name} speaks {provider.dialect}, which has no {call.operation} of {call.dialect}'s kind"
        return Skip(str(target), "dialect", reason)
    rest = view.resting(provider.name, now)
    if rest is not None:
        left = rest.until - now
        reason = f"resting for {left:.1f} s: {rest.reason}"
        return Skip(str(target), "resting", reason, left, rest.limited)
    full = view.full(provider, call.tokens, now)
    if full is not None:
        return Skip(str(target), "window_full", str(full), full.retry_after, limited=True)
    return None


def _sorted(
    found: Iterable[Choice | Skip], call: Call, view: View, now: float
) -> tuple[list[Choice], list[Skip]]:
    """What can be tried and what can't, each target once."""
    open_choices: list[Choice] = []
    skipped: list[Skip] = []
    seen: set[tuple[str, str]] = set()
    for item in found:
        if isinstance(item, Skip):
            skipped.append(item)
            continue
        place = (item.target.provider.name, item.target.model)
        if place in seen:
            continue
        seen.add(place)
        skip = obstacle_of(item.target, call, view, now)
        if skip is None:
            open_choices.append(item)
        else:
            skipped.append(skip)
    return open_choices, skipped


def _plan(
    rule: Rule,
    position: int,
    call: Call,
    book: Book,
    view: View,
    now: float,
    draw: float,
    reasons: list[str],
) -> Plan:
    action = rule.action
    open_choices: list[Choice] = []
    skipped: list[Skip] = []
    if not isinstance(action, Deny | Pass):
        open_choices, skipped = _sorted(choices(action, call, book), call, view, now)
    if isinstance(action, Weighted):
        open_choices = draw_order(open_choices, draw)
    reasons.extend(choice.note for choice in open_choices if choice.note is not None)
    if any(choice.target.provider.demo for choice in open_choices):
        reasons.append(DEMO)
    return Plan(
        rule=rule.name,
        position=position,
        targets=tuple(choice.target for choice in open_choices),
        skipped=tuple(skipped),
        deny=action if isinstance(action, Deny) else None,
        passed=isinstance(action, Pass),
        defaults=rule.defaults,
        overrides=rule.overrides,
        on=rule.on,
        adapt=rule.adapt,
        drop=rule.drop,
        reasons=tuple(reasons),
        version=book.version,
        unknown=not book.names.has(call.model),
    )


def _undecided(call: Call, book: Book, reasons: list[str]) -> Plan:
    """No rule applies: a call to a provider's own host goes there, any other nowhere."""
    unknown = not book.names.has(call.model)
    names: tuple[str, ...] = ()
    if not call.forward:
        if unknown and (text := unknown_model(call.model)) not in reasons:
            reasons.append(text)
        reasons.append("no rule applies")
        names = near(call.model, book.models) if unknown else ()
    return Plan(
        rule=None,
        position=None,
        targets=(),
        passed=call.forward,
        reasons=tuple(reasons),
        version=book.version,
        unknown=unknown,
        near=names,
    )
