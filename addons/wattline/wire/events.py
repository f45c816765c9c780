"""The events of a streamed answer, in no provider's shape, in the order in which they happen.

A stream is: `Started`, then parts, then for each alternative `Stopped`, then `Counted` (once or more, the
last one counts; it may also come earlier), then `Ended`. Parts are told by kind and come one after the
other within an alternative, but for tool calls, whose arguments may come in turns: `call` says which one.
`alternative` counts from 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wattline.wire.reply import Stop
from wattline.wire.usage import Usage


@dataclass(frozen=True, slots=True)
class Started:
    """The answer begins. `created` is Unix seconds."""

    id: str | None = None
    model: str | None = None
    created: int | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text."""

    text: str = field(repr=False)
    alternative: int = 0


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More thought."""

    text: str = field(repr=False)
    alternative: int = 0


@dataclass(frozen=True, slots=True)
class ReasoningSealed:
    """The thought so far is complete and signed; or, with `redacted`, a thought that can't be read."""

    signature: str | None = field(default=None, repr=False)
    redacted: str | None = field(default=None, repr=False)
    alternative: int = 0


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """More of the model's refusal."""

    text: str = field(repr=False)
    alternative: int = 0


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A tool call begins. `call` counts the calls of an alternative from 0. An id that the provider does
    not give is made by the reader, unique within the answer.
    """

    call: int
    id: str
    name: str
    alternative: int = 0
    signature: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CallDelta:
    """More of a tool call's arguments (JSON text)."""

    call: int
    arguments: str = field(repr=False)
    alternative: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that the model made, whole: base64 and its type."""

    media_type: str
    data: str = field(repr=False)
    alternative: int = 0


@dataclass(frozen=True, slots=True)
class Stopped:
    """An alternative is complete."""

    stop: Stop
    alternative: int = 0
    sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """What was used so far; None with `bad` for counts that can't be true."""

    usage: Usage | None
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """An error inside a 200. `word` is one of `dialects.words`' (`rate_limit`, `overloaded`, …)."""

    word: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """Something that the dialect does not promise; nothing of it can be passed on."""


@dataclass(frozen=True, slots=True)
class Idle:
    """A sign of life without content (a ping)."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The dialect's end marker, or its last event."""


Event = (
    Started
    | TextDelta
    | ReasoningDelta
    | ReasoningSealed
    | RefusalDelta
    | CallStarted
    | CallDelta
    | Picture
    | Stopped
    | Counted
    | Failed
    | Malformed
    | Idle
    | Ended
)
