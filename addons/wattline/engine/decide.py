"""Where a call goes. Pure: the same call, book, view and clock readings give the same plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from wattline.dialects.crossing import crosses
from wattline.engine.breaker import State
from wattline.engine.keys import OF_ONE_KEY, all_out, in_turn, keyed
from wattline.engine.near import near, quoted
from wattline.engine.order import ordered
from wattline.engine.plan import UNKNOWN_THERE, KeyOut, Plan, Skip
from wattline.engine.targets import Choice, choices, draw_order
from wattline.engine.trials import with_trials
from wattline.engine.view import View
from wattline.rules.book import Book
from wattline.rules.compiled.rule import Asked, Deny, Pass, Rule, Tiered, Weighted
from wattline.rules.compiled.target import Target
from wattline.rules.conditions.health import ENOUGH
from wattline.rules.unconfigured import NO_KEY, why_unconfigured
from wattline.wire.call import Call

BREAKER = "breaker"
"""The code of a target that its breaker keeps out."""
PANIC = "every target failed too often or was limited lately: they are tried all the same"
MADE_UP = "this answer is made up"
DEMO = f"demo: {NO_KEY}; {MADE_UP}"


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
            plan = _plan(rule, position, call, book, view, now, draw, reasons)
            if rule.fault is not None or rule.shadow is not None:
                plan = with_trials(plan, rule, call, wall, draw)
            return plan if plan.targets else _with_named(plan, call, book)
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
    own = provider.owned_by(call.principal)
    if provider.unavailable is not None and not own:
        return Skip(str(target), "unavailable", provider.unavailable)
    parked = view.parked(provider.name, target.model)
    if parked is not None:
        what = provider.name if view.parked(provider.name) is not None else str(target)
        return Skip(str(target), "parked", f"{what} is {parked}")
    if not crosses(call.operation, call.dialect, provider.dialect):
        reason = f"{provider.name} speaks {provider.dialect}, which has no {call.operation} of {call.dialect}'s kind"
        return Skip(str(target), "dialect", reason)
    owner = call.principal.id if own else None
    rest = view.resting(provider.account_of(owner), now)
    if rest is not None:
        left = rest.until - now
        reason = f"resting for {left:.1f} s: {rest.reason}"
        return Skip(str(target), "resting", reason, left, rest.limited, rest.guessed)
    full = view.full(provider, call.tokens, now, owner)
    if full is not None:
        return Skip(str(target), "window_full", str(full), full.retry_after, limited=True)
    placed = target if target.owner == owner else replace(target, owner=owner)
    return None if view.admits(placed, now) else _broken(placed, view, now)


def _broken(target: Target, view: View, now: float) -> Skip:
    wait = view.breaker_wait(target, now)
    if wait is not None:
        reason = f"it failed too often; tried again in {wait:.1f} s"
    elif view.breaker(target, now) is State.HALF_OPEN:
        reason = "it failed too often; another call is trying it now"
    else:
        reason = "too many other models of its provider fail"
    return Skip(str(target), BREAKER, reason, wait)


def _gate(target: Target, call: Call, book: Book, view: View) -> Skip | None:
    """The caller's tier asks for providers with a better score (B-062)."""
    tier = book.tiers.get(call.principal.tier) if call.principal.tier is not None else None
    if tier is None or tier.min_score is None:
        return None
    figures = view.gated(target)
    if figures.calls < ENOUGH or figures.score >= tier.min_score:
        return None
    reason = (
        f"score {figures.score:.2f}; tier {call.principal.tier} asks for {float(tier.min_score):g}"
    )
    return Skip(str(target), "score", reason)


def _with_keys(
    item: Choice, call: Call, view: View, now: float, draw: float, out: list[KeyOut]
) -> tuple[Choice, Skip | None]:
    """A choice with the keys of its provider that can be used, and what keeps all of it out. Keys that can't be
    used are added to `out`.
    """
    usable: list[Target] = []
    waiting: list[KeyOut] = []
    broken: Skip | None = None
    for target in keyed(item.target):
        skip = obstacle_of(target, call, view, now)
        if skip is None or skip.code == BREAKER:
            usable.append(target)
            broken = skip
        elif skip.code in OF_ONE_KEY:
            waiting.append(KeyOut(target, skip))
        else:
            return item, skip
    if not usable and (guessed := [one for one in waiting if one.skip.guessed]):
        usable = [one.target for one in guessed]
        broken = replace(all_out(item.target, waiting), guessed=True)
        waiting = [one for one in waiting if not one.skip.guessed]
    out.extend(waiting)
    if not usable:
        return item, all_out(item.target, waiting)
    first, *others = in_turn(usable, call, draw)
    return replace(item, target=first, others=tuple(others)), broken


def _sorted(
    found: Iterable[Choice | Skip],
    call: Call,
    book: Book,
    view: View,
    now: float,
    draw: float,
    out: list[KeyOut],
) -> tuple[list[Choice], list[Skip], bool]:
    """What can be tried and what can't, each target once; and whether that is so for want of any that does well:
    the last ones are never left out for what we only suppose. Keys that can't be used are added to `out`.
    """
    held: list[Choice] = []
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
        choice = item
        if item.target.provider.keys and not item.target.provider.owned_by(call.principal):
            choice, skip = _with_keys(item, call, view, now, draw, out)
        else:
            skip = obstacle_of(item.target, call, view, now)
        if skip is None or _is_supposed(skip):
            skip = _gate(choice.target, call, book, view) or skip
        if skip is None:
            open_choices.append(choice)
            continue
        skipped.append(skip)
        if _is_supposed(skip):
            held.append(choice)
    if open_choices or not held:
        return open_choices, skipped, False
    return held, [skip for skip in skipped if not _is_supposed(skip)], True


def _is_supposed(skip: Skip) -> bool:
    """It keeps a target out that may do well all the same."""
    return skip.code == BREAKER or skip.guessed


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
    keys_out: list[KeyOut] = []
    panic = False
    if not isinstance(action, Deny | Pass):
        found = choices(action, call, book)
        open_choices, skipped, panic = _sorted(found, call, book, view, now, draw, keys_out)
    if panic:
        reasons.append(PANIC)
    if rule.order != "given":
        open_choices = ordered(open_choices, rule.order, call, view)
    if isinstance(action, Weighted):
        open_choices = draw_order(open_choices, draw)
    kept: bool | None = None
    if call.conversation is not None and _sticks(rule, book):
        open_choices, kept = _kept_first(open_choices, call, view, now, reasons)
    reasons.extend(choice.note for choice in open_choices if choice.note is not None)
    if any(choice.target.provider.demo for choice in open_choices):
        reasons.append(f"demo: {why_unconfigured(book)}; {MADE_UP}")
    if call.principal.providers:
        reasons.extend(_owned(open_choices, call))
    several = any(choice.others for choice in open_choices)
    return Plan(
        rule=rule.name,
        position=position,
        targets=_flat(open_choices) if several else tuple(c.target for c in open_choices),
        skipped=tuple(skipped),
        deny=action if isinstance(action, Deny) else None,
        passed=isinstance(action, Pass),
        defaults=rule.defaults,
        overrides=rule.overrides,
        on=rule.on,
        adapt=rule.adapt,
        drop=rule.drop,
        midstream=rule.midstream,
        tiered=isinstance(action, Tiered),
        panic=panic,
        draw=draw if several or isinstance(action, Weighted) else None,
        keys_out=tuple(keys_out),
        kept=kept,
        reasons=tuple(reasons),
        version=book.version,
        unknown=not isinstance(action, Tiered) and not book.names.has(call.model),
    )


def _flat(found: Iterable[Choice]) -> tuple[Target, ...]:
    return tuple(target for choice in found for target in (choice.target, *choice.others))


def _sticks(rule: Rule, book: Book) -> bool:
    """Its conversations stay where they are."""
    if isinstance(rule.action, Deny | Pass):
        return False
    return book.affinity.enabled if rule.affinity is None else rule.affinity


def _kept_first(
    found: list[Choice], call: Call, view: View, now: float, reasons: list[str]
) -> tuple[list[Choice], bool]:
    """What answered this conversation last before the others, if it can be tried; and whether it was found."""
    place = view.kept_at(call, now)
    if place is None:
        return found, False
    for choice in found:
        target = choice.target
        if (target.provider.name, target.model) == place:
            reasons.append(f"{target} answered this conversation last")
            return [choice, *(other for other in found if other is not choice)], True
    reasons.append(f"{place[0]}/{place[1]} answered this conversation last and can't be tried now")
    return found, False


def _with_named(plan: Plan, call: Call, book: Book) -> Plan:
    """The plan that nothing can be tried of, with what the client's own words say of it: the provider that the
    model's name begins with was passed over by the rule for known models, and another rule took its place.
    """
    if plan.deny is not None or plan.passed or call.forward:
        return plan
    said, slash, model = call.model.partition("/")
    provider = book.names.provider(said) if slash and model else None
    if provider is None or any(
        skip.target.startswith(f"{provider.name}/") for skip in plan.skipped
    ):
        return plan
    place = f"{provider.name}/{model}"
    if provider.open_to(call.principal):
        skip = Skip(place, UNKNOWN_THERE, f"{provider.name} has no model {quoted(model)}")
    else:
        skip = Skip(place, "unavailable", provider.unavailable or f"{provider.name} has no key")
    return replace(plan, skipped=(skip, *plan.skipped))


def _owned(open_choices: Iterable[Choice], call: Call) -> Iterable[str]:
    """Which providers get the caller's own key in place of the operator's."""
    providers = (choice.target.provider for choice in open_choices)
    names = (p.name for p in providers if p.owned_by(call.principal))
    return (f"{name}: with the caller's own key" for name in dict.fromkeys(names))


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
