"""What all conditions have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from wattline.rules.compiled.facts import Facts
from wattline.wire.call import Call


class Line(ABC):
    """One condition; see `book.Condition`, which asks for a `field` too."""

    __slots__ = ()

    @abstractmethod
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        """Whether it holds. Never raises."""

    @abstractmethod
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        """What was found and what was wanted."""


def short(text: str) -> str:
    """A text of the call, as `why_not` shows it."""
    return repr(str(text)) if len(text) <= 80 else f"{text[:80]!r}…"


def word(flag: bool) -> str:  # noqa: FBT001  (the value is the subject)
    """A flag as rules.yaml has it."""
    return "true" if flag else "false"
