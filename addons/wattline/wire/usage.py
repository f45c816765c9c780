"""Token counts of an answer, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_TOKENS = 1_000_000_000
"""No single answer has more; a larger count from an upstream is refused."""


class UsageSource(StrEnum):
    """How far a count can be trusted."""

    PROVIDER = "provider"
    COUNTED = "counted"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt. 0 is 0: a missing count is a missing `Usage`, never a zero."""

    prompt: int
    completion: int
    cached: int = 0
    """Part of `prompt` that the provider read from its cache."""
    reasoning: int = 0
    """Part of `completion` that the client does not see."""
    source: UsageSource = UsageSource.PROVIDER
    written: int = 0
    """Part of `prompt` that the provider wrote into its cache."""

    @property
    def total(self) -> int:
        """Tokens in all."""
        return self.prompt + self.completion

    def __add__(self, other: Usage) -> Usage:
        source = self.source if self.source == other.source else UsageSource.ESTIMATED
        return Usage(
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
            source,
            self.written + other.written,
        )
