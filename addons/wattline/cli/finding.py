"""One line of `wattline doctor`: how a check came out, and what to do."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """How a check came out."""

    GOOD = "✓"
    BAD = "✗"
    NOTE = "·"


_ASCII = {Mark.GOOD: "ok", Mark.BAD: "NO", Mark.NOTE: "--"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line; `advice` says what to do."""

    mark: Mark
    text: str
    advice: str = ""

    def line(self) -> str:
        """For people; with marks that the output can show."""
        mark: str = self.mark
        try:
            mark.encode(sys.stdout.encoding or "ascii")
        except UnicodeEncodeError:
            mark = _ASCII[self.mark]
        advice = f"\n    {self.advice}" if self.advice else ""
        return f"{mark} {self.text}{advice}"
