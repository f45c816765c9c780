"""What a stream's reader makes of an upstream's bytes: one piece for each event."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from wattline.wire.usage import Usage


class Mark(Enum):
    """What a piece means for failover and metering."""

    STARTUP = auto()
    """Says only that the stream began (role chunk, `response.created`, ping): may be held back."""
    OUTPUT = auto()
    """Carries something of the answer: after it no other target can be tried."""
    USAGE = auto()
    """Carries the usage and no output."""
    END = auto()
    """The dialect's end marker."""
    ERROR = auto()
    """An error inside a 200; `error` says which."""
    MALFORMED = auto()
    """Not what the dialect promises. Passed on as it came: one bad line is not fatal."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One event of a stream. `raw` is its bytes exactly as they came, terminator included."""

    mark: Mark
    raw: bytes = field(repr=False)
    output: int = 0
    """Characters of output in it."""
    usage: Usage | None = None
    """Set on any piece that carries a valid usage; the last one counts."""
    bad_usage: bool = False
    """The piece carried a usage that can't be true (negative, huge, no number)."""
    error: str | None = None
    """Status-like word of an in-band error: `rate_limit`, `overloaded`, `server_error`, …"""
    model: str | None = None
    finish: bool = False
    """The answer is complete (a finish reason was given): a clean end after it is no cut."""
