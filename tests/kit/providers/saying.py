"""What a fake provider is to say, and how it is to fail: the same script for every dialect."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """How an answer goes wrong. `*_FIRST` is before any output, `*_MID` after the first of it."""

    NONE = ""
    STATUS = "status"
    """An error with a status and the dialect's body."""
    ERROR_FIRST = "error_first"
    """An error inside a 200."""
    ERROR_MID = "error_mid"
    CUT_HEAD = "cut_head"
    """The connection ends without an answer."""
    CUT_FIRST = "cut_first"
    CUT_MID = "cut_mid"
    STALL_HEAD = "stall_head"
    STALL_FIRST = "stall_first"
    STALL_MID = "stall_mid"
    GARBAGE = "garbage"
    """A page of HTML with status 200."""
    EMPTY = "empty"


@dataclass(frozen=True)
class Called:
    """A tool call of the model."""

    id: str
    name: str
    arguments: dict
    signature: str | None = None


@dataclass(frozen=True)
class Saying:
    """One answer. Texts are blocks of their own where the dialect has such; counts are totals: `prompt`
    includes `cached` and `written`, `completion` includes `reasoning`.
    """

    texts: tuple[str, ...] = ("Grüße — hello \U0001f30d.",)
    thought: str | None = None
    signature: str | None = "c2lnbmF0dXJl"
    redacted: str | None = None
    calls: tuple[Called, ...] = ()
    refusal: str | None = None
    stop: str = ""
    """`end`, `length`, `tool`, `filter`, `sequence`; empty: what fits."""
    sequence: str | None = None
    prompt: int = 30
    completion: int = 12
    cached: int = 0
    written: int = 0
    reasoning: int = 0
    usage: bool = True
    n: int = 1
    model: str = "model-as-dated-2026"
    fault: Fault = Fault.NONE
    status: int = 500
    message: str = "the message of the provider"
    headers: dict[str, str] = field(default_factory=dict)
    bytewise: bool = False

    @property
    def why(self) -> str:
        """The reason to stop."""
        if self.stop:
            return self.stop
        if self.refusal is not None:
            return "filter"
        return "tool" if self.calls else "end"


def halves(text: str) -> list[str]:
    """A text in small pieces, so that it is streamed."""
    step = max(1, len(text) // 3)
    return [text[start : start + step] for start in range(0, len(text), step)]
