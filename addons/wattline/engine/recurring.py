"""Plans of calls that are alike: over a long past the same is decided again and again.

A plan is used again only where `decide` would come to the very same one: as far as the rules ask, the calls are equal,
nothing that the rules look at changes with time, nothing is drawn, and nothing stands in the way of its targets now.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterator, Mapping
from operator import attrgetter
from typing import Final, NamedTuple

from wattline.engine.past_call import NO_FEATURES, Features, Known
from wattline.engine.plan import UNKNOWN_THERE, Plan
from wattline.engine.then import ThenView
from wattline.rules.book import Book
from wattline.rules.compiled.facts import Condition
from wattline.rules.compiled.rule import Rule, Tiered, Weighted
from wattline.rules.compiled.target import Target
from wattline.rules.conditions.call import FlagIs, HeaderIs, Tagged, TextIs, TokensWithin
from wattline.rules.conditions.configuration import Fixed, ModelKnown
from wattline.rules.conditions.moment import HourWithin, WeekdayIs

MOST: Final = 4_096
"""Plans that are kept; the names of models come from clients."""
QUARTER: Final = 900.0
"""Seconds in which no clock of any zone comes to another hour."""
_SINCE: Final = 1e9
"""Seconds since 1970 UTC. Earlier some zones were not whole quarters of an hour from UTC."""
_OF_ROW: Final = frozenset({"principal", "stream"})
_OF_FEATURES: Final = frozenset({"host", "path", "method", "user", "tier", "tools", "images"})
_ALWAYS: Final = frozenset({"model", "operation", "dialect", "forward"})
"""What conditions ask that is in each key."""
_LASTING: Final = frozenset({"unavailable", "dialect", "no_model", UNKNOWN_THERE})
"""Why a target is left out at any time, and whatever the size of the call."""
_STEADY_ORDERS: Final = frozenset({"given", "least_energy"})


class Course(NamedTuple):
    """A plan, and the names of its targets, each once, in its order. A target with several keys is there several
    times: `firsts` has the first of them, `by_name` the last.
    """

    plan: Plan
    names: list[str]
    firsts: Mapping[str, Target]
    by_name: Mapping[str, Target]


def course(plan: Plan) -> Course:
    """Of one plan."""
    by_name = {str(target): target for target in plan.targets}
    firsts = by_name
    if len(by_name) < len(plan.targets):
        firsts = {str(target): target for target in reversed(plan.targets)}
        firsts = {name: firsts[name] for name in by_name}
    return Course(plan, list(by_name), firsts, by_name)


class Recurring:
    """The plans of one book."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._kept: dict[Hashable, Course] = {}
        self._steady = tuple(all(map(_lasts, rule.conditions)) for rule in book.rules)
        self._bounds = sorted(set(_bounds(book)))
        self._scored = frozenset(
            name for name, tier in book.tiers.items() if tier.min_score is not None
        )
        conditions = [condition for rule in book.rules for condition in rule.conditions]
        fields = {c.field for c in conditions}
        self._headers = tuple({c.name for c in conditions if isinstance(c, HeaderIs)})
        self._tags = any(isinstance(c, Tagged) for c in conditions)
        self._hours = any(isinstance(c, HourWithin | WeekdayIs) for c in conditions)
        self._of_row = attrgetter("requested", "operation", "dialect", *(fields & _OF_ROW))
        self._of_features = attrgetter("forward", "provider", *(fields & _OF_FEATURES))

    def key(self, row: Known, found: Features, wall: float) -> Hashable:
        """What a call is known by; None for one whose plan is its own. `wall` is seconds since 1970 UTC."""
        if found.skipped or found.own or found.kept is not None or not found.path:
            return None
        if found is NO_FEATURES or (self._scored and found.tier in self._scored):
            return None
        if self._hours and wall < _SINCE:
            return None
        key = (
            self._of_row(row),
            self._of_features(found),
            bisect_right(self._bounds, found.tokens),
            wall // QUARTER if self._hours else 0.0,
        )
        if self._headers or self._tags:
            sent = found.headers or {}
            tags = frozenset(found.tags) if self._tags and found.tags else None
            return (*key, tags, *[sent.get(name) for name in self._headers])
        return key

    def find(self, key: Hashable, view: ThenView, tokens: int, now: float) -> Course | None:
        """The plan of an equal call, if it holds now."""
        kept = self._kept.get(key)
        return kept if kept is not None and view.clear(kept.plan.targets, tokens, now) else None

    def keep(self, key: Hashable, model: str, made: Course) -> None:
        """Remember what was decided, if it may be used again."""
        if key in self._kept:
            return
        if not self._lasts(model, made.plan):
            return
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept[key] = made

    def _lasts(self, model: str, plan: Plan) -> bool:
        """All rules up to that of the plan, and that one's action, come to the same at any time."""
        if plan.panic or plan.keys_out or plan.draw is not None or plan.kept is not None:
            return False
        if any(skip.code not in _LASTING for skip in plan.skipped):
            return False
        if any(target.provider.keys or target.provider.key for target in plan.targets):
            return False
        for position, rule in self._book.candidates(model):
            if not self._steady[position]:
                return False
            if position == plan.position:
                return _is_steady(rule)
        return True


def _is_steady(rule: Rule) -> bool:
    """Its targets come in the same order each time, and nothing is drawn."""
    trials = rule.fault is not None or rule.shadow is not None
    return not trials and rule.order in _STEADY_ORDERS and not isinstance(rule.action, Weighted)


def _lasts(condition: Condition) -> bool:
    """It asks for nothing but the call and the hour, and for nothing of the call that is not in the key."""
    if isinstance(condition, TextIs | FlagIs):
        return condition.field in _OF_ROW | _OF_FEATURES | _ALWAYS
    return isinstance(
        condition, Tagged | HeaderIs | Fixed | HourWithin | ModelKnown | TokensWithin | WeekdayIs
    )


def _bounds(book: Book) -> Iterator[int]:
    """The sizes of a prompt from which on something else may be decided."""
    for rule in book.rules:
        for condition in rule.conditions:
            if isinstance(condition, TokensWithin):
                yield from () if condition.least is None else (condition.least,)
                yield from () if condition.most is None else (condition.most + 1,)
        if isinstance(rule.action, Tiered):
            for provider in rule.action.providers:
                yield from (m.context + 1 for m in provider.models if m.context is not None)
