"""Collects problems and warnings while a tree is read, so that all are told at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wattline.rules.problems import Problem
from wattline.rules.tree import Key, Tree


@dataclass(slots=True)
class Report:
    """What is wrong, and what is most likely wrong, with one file."""

    tree: Tree
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def wrong(self, path: Sequence[Key], message: str, *, key: bool = False) -> None:
        """The file can't be used."""
        self.problems.append(self.tree.problem(path, message, key=key))

    def outside(self, message: str) -> None:
        """What is beside the file can't be used: the environment."""
        self.problems.append(Problem("", 0, 0, "", message))

    def doubtful(self, path: Sequence[Key], message: str, *, key: bool = False) -> None:
        """The file can be used, and somebody should look at this."""
        self.warnings.append(self.tree.problem(path, message, key=key))
