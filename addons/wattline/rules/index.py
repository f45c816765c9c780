"""Which rules can apply to a model: a dictionary for exact names, globs in order, answers kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cachetools import LRUCache

from wattline.rules.globs import Glob, Patterns

KEPT = 4_096
"""Answers kept. Model names come from clients, so both their number and their length are bounded."""
LONGEST = 256


class Conditioned(Protocol):
    """A rule, as far as this index looks."""

    @property
    def conditions(self) -> Sequence[object]:
        """What must hold."""
        ...


class ModelIndex[R: Conditioned]:
    """Rules by what they ask of the model's name. An answer depends on the name alone, so keeping it
    is no visible state.
    """

    __slots__ = ("_always", "_exact", "_globs", "_kept", "_rules")

    def __init__(self, rules: Sequence[R]) -> None:
        self._rules = tuple(rules)
        self._always: list[int] = []
        self._exact: dict[str, list[int]] = {}
        self._globs: list[tuple[Glob, int]] = []
        self._kept: LRUCache[str, tuple[tuple[int, R], ...]] = LRUCache(KEPT)
        for position, rule in enumerate(self._rules):
            self._add(position, model_patterns(rule))

    def _add(self, position: int, patterns: Patterns | None) -> None:
        if patterns is None:
            self._always.append(position)
            return
        for name in patterns.exact:
            self._exact.setdefault(name, []).append(position)
        self._globs.extend((glob, position) for glob in patterns.globs)

    def candidates(self, model: str) -> tuple[tuple[int, R], ...]:
        """The rules whose model condition can hold, in order, with their positions."""
        kept = self._kept.get(model)
        if kept is None:
            kept = tuple((position, self._rules[position]) for position in self._find(model))
            if len(model) <= LONGEST:
                self._kept[model] = kept
        return kept

    def _find(self, model: str) -> list[int]:
        found = {position for glob, position in self._globs if glob.matches(model)}
        found.update(self._always, self._exact.get(model, ()))
        return sorted(found)


def model_patterns(rule: Conditioned) -> Patterns | None:
    """What a rule asks of the model's name; None when it asks nothing that is known here."""
    for condition in rule.conditions:
        if getattr(condition, "field", None) == "model":
            patterns = getattr(condition, "patterns", None)
            if isinstance(patterns, Patterns):
                return patterns
    return None
