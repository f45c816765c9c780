"""A whole answer, in no provider's shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from wattline.wire.parts import Part
from wattline.wire.usage import Usage


class Stop(StrEnum):
    """Why a model stopped."""

    END = "end"
    LENGTH = "length"
    SEQUENCE = "sequence"
    """One of the client's stop sequences; many providers don't tell it from END."""
    TOOL_CALLS = "tool_calls"
    FILTERED = "filtered"
    """By the provider's content filter, or refused."""
    PAUSED = "paused"
    """Anthropic's `pause_turn`: send the answer back to go on."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of the answers (`n` of them). `stop` is None when the provider gave no reason; `sequence` is the
    stop sequence that was met, where it is told.
    """

    parts: tuple[Part, ...] = field(repr=False)
    stop: Stop | None = None
    sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `created` is Unix seconds. Without a usage there was none, or with `bad_usage` one
    that can't be true.
    """

    alternatives: tuple[Alternative, ...]
    id: str | None = None
    model: str | None = None
    created: int | None = None
    usage: Usage | None = None
    bad_usage: bool = False
    provider: str | None = None
    """Who gave it, by the name in the rules."""
