"""A completion that has ended, as far as either protocol speaks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from wattline.dialects.frames.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Finished:
    """`text` is None when it was too long to be held; `choices` are those of a whole answer that is more
    than one plain text.
    """

    text: str | None = field(repr=False)
    reason: str | None
    usage: Mapping[str, Any] | None
    model: str | None
    created: int | None
    provider: str | None
    latency_ms: int
    streamed: bool
    tool_calls: Sequence[Any] | None = field(default=None, repr=False)
    choices: Sequence[Any] | None = field(default=None, repr=False)


class Frames(Protocol):
    """One request's messages to its client."""

    def begun(self) -> bytes | None:
        """The request was accepted."""
        ...

    def part(self, chunk: Mapping[str, Any]) -> bytes | None:
        """One chunk of a stream; None when it has nothing that is told."""
        ...

    def done(self, finished: Finished) -> bytes:
        """The end of an answer."""
        ...

    def failed(self, trouble: Trouble) -> bytes:
        """The end of a request without one, or in the middle of it."""
        ...


def delta_of(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the first choice of a chunk adds; empty when it is not of the first choice."""
    choice = first_of(chunk)
    delta = choice.get("delta")
    return delta if isinstance(delta, dict) and choice.get("index", 0) == 0 else {}


def first_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first member of `choices`."""
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def text_of(message: Mapping[str, Any]) -> str:
    """The content of a message or a delta."""
    content = message.get("content")
    return content if isinstance(content, str) else ""
