"""The events of a stream as a whole answer."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

from wattline.dialects.codec import ReplyError
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Failed,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.parts import Image, Part, Reasoning, Refusal, Text, ToolCall
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage

MAX_CHARACTERS = 32 * 1024 * 1024
PART_COST = 256
"""What a part counts beside its characters: a flood of empty ones must not be free."""


class AssemblyFull(Exception):
    """The answer is larger than the assembly's bound."""


class _Growing:
    """A part that grows: its text, and what makes a part of it. `kind` tells what continues it."""

    __slots__ = ("kind", "make", "text")

    def __init__(self, kind: type[Part], make: Callable[[str], Part]) -> None:
        self.kind = kind
        self.make = make
        self.text = StringIO()


class _Open:
    """One alternative so far."""

    __slots__ = ("calls", "parts", "sequence", "stop")

    def __init__(self) -> None:
        self.parts: list[_Growing | Part] = []
        self.calls: dict[int, _Growing] = {}
        self.stop: Stop | None = None
        self.sequence: str | None = None

    def closed(self) -> Alternative:
        """It as it is now."""
        parts = (
            part.make(part.text.getvalue()) if isinstance(part, _Growing) else part
            for part in self.parts
        )
        return Alternative(tuple(parts), self.stop, self.sequence)


class Assembly:
    """Takes the events of one stream. It holds at most `max_characters` of text, thought, arguments and
    pictures together.
    """

    __slots__ = ("_alternatives", "_bad", "_head", "_left", "_usage", "ended")

    def __init__(self, max_characters: int = MAX_CHARACTERS) -> None:
        self.ended = False
        """`Ended` was seen: the answer is whole."""
        self._head = Started()
        self._alternatives: dict[int, _Open] = {}
        self._usage: Usage | None = None
        self._bad = False
        self._left = max_characters

    def add(self, event: Event) -> None:
        """One more event. Raises AssemblyFull past the bound, ReplyError for `Failed`."""
        match event:
            case TextDelta(text=text, alternative=index):
                self._grow(index, Text, Text, text)
            case ReasoningDelta(text=text, alternative=index):
                self._grow(index, Reasoning, Reasoning, text)
            case RefusalDelta(text=text, alternative=index):
                self._grow(index, Refusal, Refusal, text)
            case CallStarted():
                self._start_call(event)
            case CallDelta():
                self._grow_call(event)
            case ReasoningSealed():
                self._seal(event)
            case Picture(media_type=media_type, data=data, alternative=index):
                self._put(index, Image(media_type, data), len(data))
            case Stopped(stop=stop, alternative=index):
                found = self._alternative(index)
                found.stop, found.sequence = stop, event.sequence
            case _:
                self._note(event)

    def reply(self) -> Reply:
        """The answer so far, alternatives in their order. One that no event named is not there."""
        return Reply(
            tuple(found.closed() for _, found in sorted(self._alternatives.items())),
            id=self._head.id,
            model=self._head.model,
            created=self._head.created,
            usage=self._usage,
            bad_usage=self._bad,
        )

    def _note(self, event: Event) -> None:
        match event:
            case Started():
                self._head = event
            case Counted(usage=usage):
                self._usage = usage or self._usage
                self._bad = self._bad or event.bad
            case Ended():
                self.ended = True
            case Failed(word=word):
                raise ReplyError(word)

    def _alternative(self, index: int) -> _Open:
        found = self._alternatives.get(index)
        if found is None:
            self._take(PART_COST)
            found = self._alternatives[index] = _Open()
        return found

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise AssemblyFull

    def _put(self, index: int, part: _Growing | Part, size: int) -> None:
        self._take(size + PART_COST)
        self._alternative(index).parts.append(part)

    def _grow(self, index: int, kind: type[Part], make: Callable[[str], Part], text: str) -> None:
        parts = self._alternative(index).parts
        last = parts[-1] if parts else None
        if not isinstance(last, _Growing) or last.kind is not kind:
            last = _Growing(kind, make)
            self._put(index, last, 0)
        self._take(len(text))
        last.text.write(text)

    def _start_call(self, event: CallStarted) -> None:
        id_, name, signature = event.id, event.name, event.signature
        growing = _Growing(ToolCall, lambda text: ToolCall(id_, name, text, signature))
        self._put(event.alternative, growing, len(id_) + len(name) + len(signature or ""))
        self._alternative(event.alternative).calls[event.call] = growing

    def _grow_call(self, event: CallDelta) -> None:
        """Arguments of a call that never began belong to nothing."""
        growing = self._alternative(event.alternative).calls.get(event.call)
        if growing is not None:
            self._take(len(event.arguments))
            growing.text.write(event.arguments)

    def _seal(self, event: ReasoningSealed) -> None:
        """Close the open thought with its signature; a redacted one is a part of its own."""
        parts = self._alternative(event.alternative).parts
        last = parts[-1] if parts else None
        open_ = isinstance(last, _Growing) and last.kind is Reasoning
        size = len(event.signature or "") + len(event.redacted or "")
        if event.redacted is None and isinstance(last, _Growing) and open_:
            self._take(size)
            parts[-1] = Reasoning(last.text.getvalue(), event.signature)
        else:
            self._put(event.alternative, Reasoning("", event.signature, event.redacted), size)
