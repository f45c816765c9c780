"""Rules that can be used, and do not do what somebody who wrote them most likely wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from wattline.rules.compiled.facts import Condition
from wattline.rules.compiled.rule import Asked, Deny, Listed, Pass, Rule, Tiered, Weighted
from wattline.rules.compiled.target import Target
from wattline.rules.conditions.call import FlagIs, TextIs
from wattline.rules.report import Report

MOST: Final = 200
"""Rules of which each is compared with all before it."""
_ALWAYS: Final = frozenset({"host", "path", "method", "operation", "dialect", "model", "principal"})
"""Texts that every call has."""


def doubt_rules(
    rules: Mapping[int, Rule], models: Mapping[str, tuple[Target, ...]], report: Report
) -> None:
    """Warn of rules that are never reached, and of fields that can have no effect."""
    _unreachable(rules, report)
    for index, rule in rules.items():
        path = ("rules", index)
        if rule.midstream and not _goes_on(rule, models):
            text = "a stream is continued by the next target, and here is no second one"
            report.doubtful((*path, "midstream"), text)
        shadow = rule.shadow
        if shadow is not None and _only(rule) == str(shadow.target):
            text = f"calls go to {shadow.target} alone: their copies go there too, and show nothing"
            report.doubtful((*path, "shadow", "target"), text)


def _unreachable(rules: Mapping[int, Rule], report: Report) -> None:
    """Rules whose calls an earlier one takes. `try: model` takes none for sure: unknown models are left to the next."""
    deciding: dict[frozenset[Condition], Rule] = {}
    for index, rule in rules.items():
        conditions = frozenset(_effective(rule))
        before = next(_before(deciding, rule, conditions), None)
        if before is not None:
            asked, taker = before
            how = (
                "takes every call" if not asked else
                "has the same conditions" if asked == conditions else "takes all of its calls"
            )  # fmt: skip
            text = f"rule {rule.name!r} is never reached: {taker.name!r} {how}"
            report.doubtful(("rules", index, "name"), text)
        if not isinstance(rule.action, Asked):
            deciding.setdefault(conditions, rule)


def _before(
    deciding: Mapping[frozenset[Condition], Rule], rule: Rule, conditions: frozenset[Condition]
) -> Iterator[tuple[frozenset[Condition], Rule]]:
    """Earlier rules that take all calls of a rule. Of more than `MOST` only those are looked at that take every call, or
    have the same conditions.
    """
    near = deciding if len(deciding) <= MOST else (frozenset[Condition](), conditions)
    for asked in near:
        before = deciding.get(asked)
        if before is not None and _takes(before, asked, rule, conditions):
            yield asked, before


def _effective(rule: Rule) -> Iterator[Condition]:
    """Its conditions but those that hold for every call."""
    for one in rule.conditions:
        if not (isinstance(one, TextIs) and one.field in _ALWAYS and one.patterns.matches_all):
            yield one


def _takes(
    before: Rule, asked: frozenset[Condition], rule: Rule, conditions: frozenset[Condition]
) -> bool:
    """Each call for which the later conditions hold is the earlier rule's."""
    passes = isinstance(before.action, Pass) and not isinstance(rule.action, Pass)
    if passes and not any(map(_is_forward, conditions)):
        return False  # only calls to another host can be passed on
    return all(any(_implies(c, wanted) for c in conditions) for wanted in asked)


def _is_forward(condition: Condition) -> bool:
    return isinstance(condition, FlagIs) and condition.field == "forward" and condition.wanted


def _implies(found: Condition, wanted: Condition) -> bool:
    """Where `found` holds, `wanted` does."""
    if found == wanted:
        return True
    if not (isinstance(found, TextIs) and isinstance(wanted, TextIs)):
        return False
    names = found.patterns
    same = found.field == wanted.field and not names.globs
    return same and all(map(wanted.patterns.matches, names.exact))


def _goes_on(rule: Rule, models: Mapping[str, tuple[Target, ...]]) -> bool:
    """Some call may have a second target, or its first one a second key."""
    match rule.action:
        case Asked():
            return any(_several(chain) for chain in models.values())
        case Listed(targets):
            return _several(targets)
        case Weighted(choices):
            return _several(target for target, _ in choices)
        case Tiered(_, providers):
            return len(providers) > 1 or any(one.keys for one in providers)
        case Deny() | Pass():
            return False


def _several(targets: Iterable[Target]) -> bool:
    found = list(targets)
    return len({str(target) for target in found}) > 1 or any(t.provider.keys for t in found)


def _only(rule: Rule) -> str | None:
    """The one target of a rule that names its targets."""
    names = set(_named(rule))
    return names.pop() if len(names) == 1 else None


def _named(rule: Rule) -> Iterator[str]:
    match rule.action:
        case Listed(targets):
            yield from map(str, targets)
        case Weighted(choices):
            yield from (str(target) for target, _ in choices)
