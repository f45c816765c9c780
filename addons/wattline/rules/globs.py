"""Name patterns: `*` for any run of characters, `?` for one, everything else itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

WILDCARDS = frozenset("*?")
_RUNS = re.compile(r"\*+")


def is_glob(pattern: str) -> bool:
    """The pattern holds a wildcard."""
    return not WILDCARDS.isdisjoint(pattern)


def translate(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression that never backtracks over a `*` it has passed.

    Each part between two stars is an atomic group that takes its first match, which is enough for a
    glob: the work is bounded by length of text times length of pattern. Brackets are plain text.
    """
    first, *rest = (_literal(part) for part in _RUNS.split(pattern))
    if not rest:
        return re.compile(first, re.DOTALL)
    *middle, last = rest
    groups = "".join(f"(?>.*?{part})" for part in middle)
    return re.compile(f"{first}{groups}.*{last}", re.DOTALL)


def _literal(part: str) -> str:
    return "".join("." if char == "?" else re.escape(char) for char in part)


@dataclass(frozen=True, slots=True)
class Glob:
    """One compiled pattern."""

    pattern: str
    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_regex", translate(self.pattern))

    def matches(self, text: str) -> bool:
        """The whole text fits. Case counts."""
        return self._regex.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Patterns:
    """One or more patterns, of which any may fit: exact ones in a set, globs in their order."""

    exact: frozenset[str]
    globs: tuple[Glob, ...]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Patterns:
        """Sort patterns into exact names and globs."""
        every = tuple(dict.fromkeys(patterns))
        return cls(
            frozenset(name for name in every if not is_glob(name)),
            tuple(Glob(name) for name in every if is_glob(name)),
        )

    def matches(self, text: str) -> bool:
        """Some pattern fits the whole text."""
        if text in self.exact:
            return True
        for glob in self.globs:  # noqa: SIM110  (`any` costs a generator on the hot path)
            if glob.matches(text):
                return True
        return False

    @property
    def matches_all(self) -> bool:
        """Any text fits."""
        return any(set(glob.pattern) == {"*"} for glob in self.globs)

    def __str__(self) -> str:
        names = [*sorted(self.exact), *(glob.pattern for glob in self.globs)]
        return " or ".join(repr(name) for name in names)
