"""What is wrong with a rules file: every mistake with its place and, where there is one, the right word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = 50
"""Lines in the text of a `RulesError`; `problems` has all of them."""
LONGEST_NAME = 80
FEW = 16
"""Names that are all listed when none of them is near."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake. `line` and `column` count from 1; `path` is like `rules[1].try[0]`. One that is not in the
    file has no `file`.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        if not self.file:
            return self.message
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place} {self.path}: {self.message}" if self.path else f"{place} {self.message}"


class RulesError(ValueError):
    """The rules can't be used. `problems` are in the order of the file; the text has one line each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [str(problem) for problem in self.problems[:SHOWN]]
        if (more := len(self.problems) - SHOWN) > 0:
            lines.append(f"… and {more} more")
        return "\n".join(lines)


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The known word that was most likely meant."""
    if len(word) > LONGEST_NAME:
        return None
    known = list(words)
    by_fold = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[close[0]] if close else None


def unknown(kind: str, word: str, words: Iterable[str]) -> str:
    """`unknown model 'gpt-4oo'. Did you mean 'gpt-4o'?`."""
    known = sorted(words)
    shown = word if len(word) <= LONGEST_NAME else f"{word[:LONGEST_NAME]}…"
    text = f"unknown {kind} {shown!r}"
    if meant := nearest(word, known):
        return f"{text}. Did you mean {meant!r}?"
    if 0 < len(known) <= FEW:
        return f"{text}. Known: {', '.join(known)}."
    return text
