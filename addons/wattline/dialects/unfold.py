"""A whole answer as the events of a stream (A-052)."""

from __future__ import annotations

from collections.abc import Iterator

from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.parts import Image, Part, Reasoning, Refusal, Text, ToolCall
from wattline.wire.reply import Reply

PIECE = 64
"""Characters of text in one event: some words, so that a client sees a text grow."""


def events_of(reply: Reply, piece: int = PIECE) -> Iterator[Event]:
    """The events of a whole answer, one alternative after the other. Text comes in pieces of at most
    `piece` characters, a call's arguments whole. Sounds and files of a model have no events.
    """
    yield Started(reply.id, reply.model, reply.created)
    for index, alternative in enumerate(reply.alternatives):
        calls = 0
        for part in alternative.parts:
            if isinstance(part, ToolCall):
                yield CallStarted(calls, part.id, part.name, index, part.signature)
                if part.arguments:
                    yield CallDelta(calls, part.arguments, index)
                calls += 1
            else:
                yield from _events(part, index, piece)
        if alternative.stop is not None:
            yield Stopped(alternative.stop, index, alternative.sequence)
    if reply.usage is not None:
        yield Counted(reply.usage)
    if reply.bad_usage:
        yield Counted(None, bad=True)
    yield Ended()


def _events(part: Part, index: int, piece: int) -> Iterator[Event]:
    match part:
        case Text(text=text):
            yield from (TextDelta(cut, index) for cut in _cuts(text, piece))
        case Refusal(text=text):
            yield from (RefusalDelta(cut, index) for cut in _cuts(text, piece))
        case Reasoning(text=text):
            yield from (ReasoningDelta(cut, index) for cut in _cuts(text, piece))
            if part.signature is not None or part.redacted is not None:
                yield ReasoningSealed(part.signature, part.redacted, index)
        case Image(data=str(data)):
            yield Picture(part.media_type or "image/png", data, index)
        case Image(url=str(url)):
            yield TextDelta(url, index)


def _cuts(text: str, piece: int) -> Iterator[str]:
    return (text[start : start + piece] for start in range(0, len(text), piece))
