"""Why a call goes where it goes: the plan of `decide`, with everything that led to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from wattline.base.ids import mask
from wattline.base.origin import AuthStyle
from wattline.engine.decide import decide, inapplicable
from wattline.engine.explain_json import as_json
from wattline.engine.explain_text import render
from wattline.engine.explain_values import seen_by
from wattline.engine.explanation import (
    ConditionFound,
    Explanation,
    RuleFound,
    Standing,
    TargetFound,
    WindowFound,
)
from wattline.engine.near import near, quoted
from wattline.engine.plan import Plan
from wattline.engine.view import View
from wattline.rules.book import Book
from wattline.rules.compiled.facts import Condition
from wattline.rules.compiled.provider import account_name
from wattline.rules.compiled.rule import Action, Asked, Deny, Listed, Pass, Rule, Tiered, Weighted
from wattline.rules.compiled.target import Target
from wattline.rules.compiled.window import GLOBAL_KEY, Scope
from wattline.wire.call import Call

__all__ = ["Explanation", "as_json", "explain", "render"]


def explain(
    call: Call,
    book: Book,
    view: View,
    now: float,
    wall: float,
    draw: float = 0.0,
    *,
    made: Callable[[Plan], Plan] | None = None,
) -> Explanation:
    """Decide, and look at each rule up to the one that decided. Arguments as for `decide`; `made` is what becomes of
    its plan, where that depends on more than rules: callers' own keys, and what the call goes on from.
    """
    plan = decide(call, book, view, now, wall, draw)
    if made is not None:
        plan = made(plan)
    asked = len(book.rules) if plan.position is None else plan.position + 1
    rules = tuple(
        _rule(rule, position, plan, call, book, view, now, wall)
        for position, rule in enumerate(book.rules[:asked])
    )
    return Explanation(
        call=call,
        rules=rules,
        after=len(book.rules) - asked,
        windows=tuple(_windows(plan, call, book, view, now)),
        targets=tuple(
            replace(found, standing=_standing(found.target, call, book, view, now))
            for found in _targets(plan)
        ),
        near=(plan.near or near(call.model, book.models)) if plan.unknown else (),
        balance=view.balance(call.principal.id),
        plan=plan,
        order=None if plan.position is None else book.rules[plan.position].order,
        refused=_refused(call, book, view, now),
    )


def _refused(call: Call, book: Book, view: View, now: float) -> str | None:
    """What stops the caller itself. Windows by address are not looked at: the call does not say its address."""
    allowed = call.principal.models
    if allowed is not None and not allowed.matches(call.model):
        return f"the caller's key may not call the model {quoted(call.model)}"
    keys = {Scope.PRINCIPAL: call.principal.id, Scope.GLOBAL: GLOBAL_KEY}
    for window in book.windows_over(call.principal.tier):
        if window.scope in keys:
            full = view.peek(window, keys[window.scope], now, call.tokens)
            if full is not None:
                return str(full)
    return None


def _standing(name: str, call: Call, book: Book, view: View, now: float) -> Standing | None:
    said, _, model = name.partition("/")
    provider = book.providers.get(said)
    if provider is None:
        return None
    owner = call.principal.id if provider.owned_by(call.principal) else None
    target = Target(provider, model, model, owner=owner)
    if owner is not None:
        credential = "the caller's own"
    elif provider.auth is AuthStyle.NONE:
        credential = "not needed"
    else:
        missing = provider.unavailable is not None and provider.credential is None
        credential = "absent" if missing else "present"
    return Standing(credential, view.breaker(target, now), view.figures(target))


def _rule(
    rule: Rule,
    position: int,
    plan: Plan,
    call: Call,
    book: Book,
    view: View,
    now: float,
    wall: float,
) -> RuleFound:
    conditions = tuple(_condition(c, call, view, now, wall) for c in rule.conditions)
    hold = all(condition.why_not is None for condition in conditions)
    return RuleFound(
        name=rule.name,
        position=position,
        line=rule.line,
        action=describe(rule.action),
        conditions=conditions,
        obstacle=inapplicable(rule, call, book) if hold else None,
        decides=position == plan.position,
    )


def _condition(
    condition: Condition, call: Call, view: View, now: float, wall: float
) -> ConditionFound:
    held = condition.test(call, view, now, wall)
    why_not = None if held else condition.why_not(call, view, now, wall)
    name, value = seen_by(condition, call, view, now, wall)
    return ConditionFound(condition.field, value, why_not, name)


def describe(action: Action) -> str:
    """An action in the words of rules.yaml."""
    match action:
        case Asked():
            return "try the chain of the called model"
        case Listed(targets):
            return f"try {', '.join(map(str, targets))}"
        case Weighted(choices):
            return f"try by weight {', '.join(f'{target}: {weight}' for target, weight in choices)}"
        case Tiered(tier, providers):
            return f"try tier {tier} of {', '.join(provider.name for provider in providers)}"
        case Deny(_, status):
            return f"deny with {status}"
        case Pass():
            return "pass it on"


def _windows(plan: Plan, call: Call, book: Book, view: View, now: float) -> Iterable[WindowFound]:
    """Those over the caller, then those of each provider that the plan names."""
    keys = {Scope.PRINCIPAL: call.principal.id, Scope.GLOBAL: GLOBAL_KEY}
    for window in book.windows_over(call.principal.tier):
        key = keys.get(window.scope)
        if key is not None:
            yield WindowFound(window, key, view.fill(window, key, now))
        elif window.scope is Scope.ADDRESS:
            yield WindowFound(window, "", None)
    named = [str(target) for target in plan.targets] + [skip.target for skip in plan.skipped]
    seen = set()
    for name in dict.fromkeys(target.partition("/")[0] for target in named):
        provider = book.providers.get(name)
        if provider is None:
            continue
        owner = call.principal.id if provider.owned_by(call.principal) else None
        every = provider.each if owner is None else (provider,)
        for window in (window for one in every for window in one.windows):
            key = account_name(window.name, owner)
            if (window, key) not in seen:
                seen.add((window, key))
                yield WindowFound(window, key, view.fill(window, key, now))


def _key(target: Target) -> tuple[int, str | None]:
    """Which key of several, and how it may be shown. A caller's own is not shown here."""
    provider = target.provider
    if not provider.key or target.owner is not None or provider.credential is None:
        return 0, None
    return provider.key, mask(provider.credential.secret)


def _targets(plan: Plan) -> Iterable[TargetFound]:
    for target in plan.targets:
        number, shown = _key(target)
        yield TargetFound(str(target), "ready", None, target.provider.demo, number, shown)
    for target, skip in plan.keys_out:
        number, shown = _key(target)
        yield TargetFound(str(target), skip.code, skip.reason, key=number, mask=shown)
    for skip in plan.skipped:
        yield TargetFound(skip.target, skip.code, skip.reason)
