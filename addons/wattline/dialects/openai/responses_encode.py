"""Writes neutral events as the stream of a response.

Events and their order: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Sequence

from wattline.dialects.openai.responses_events import EventWriter
from wattline.dialects.openai.responses_open import (
    Open,
    OpenCall,
    OpenMessage,
    OpenPicture,
    OpenThought,
)
from wattline.dialects.openai.responses_output import (
    COMPLETED,
    IN_PROGRESS,
    Head,
    Item,
    image_item,
    response,
    status_of,
)
from wattline.wire.call import Call
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Idle,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.parts import Image, ToolCall
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Stop
from wattline.wire.usage import Usage

MAX_KEPT = 32 * 1024 * 1024
"""Characters of an answer that are kept for its end."""
PER_ITEM = 256
"""Characters that an item counts for beside its text."""

PING = b": ping\n\n"
"""A comment: clients skip it, and know that the stream lives."""


class ResponsesEncoder:
    """Writes one stream. Calls stay open until the stop, as their arguments may come in turns.

    The last event repeats the whole answer. Past `max_kept` characters nothing more is passed on, and the
    answer ends as one that met its limit: so the deltas and the last event never differ.
    """

    def __init__(self, call: Call, max_kept: int = MAX_KEPT) -> None:
        self._call = call
        self._room = max_kept
        self._writer = EventWriter()
        self._head: Head | None = None
        self._items: list[Item | None] = []
        self._open: dict[int, Open] = {}
        self._calls: dict[int, OpenCall] = {}
        self._message: OpenMessage | None = None
        self._thought: OpenThought | None = None
        self._stop: Stop | None = None
        self._stopped = False
        self._usage: Usage | None = None
        self._ended = False

    def encode(self, event: Event) -> Sequence[Piece]:
        """What the client gets for an event. Alternatives beside the first are left out: no client of
        this API can ask for them.
        """
        if self._ended:
            return ()
        match event:
            case TextDelta(alternative=0) if self._message is not None and not self._stopped:
                return self._say(event.text, refuses=False)  # most of all events
            case Started():
                return self._start(event)
            case Counted():
                self._usage = event.usage
                return ()
            case Idle():
                return (Piece(Mark.STARTUP, PING),)
            case Ended():
                return self._end()
            case Stopped(alternative=0) if not self._stopped:
                return self._finish(event.stop)
            case _ if self._stopped or getattr(event, "alternative", None) != 0:
                return ()
            case _ if self._head is None:
                return [*self._start(Started()), *self._content(event)]
            case _:
                return self._content(event)

    def _start(self, event: Started) -> list[Piece]:
        if self._head is not None:
            return []
        name, model = event.id or f"resp_{self._call.id}", event.model or self._call.model
        self._head = Head(name, model, event.created or 0)
        started = response(self._head, IN_PROGRESS)
        write = self._writer.piece
        return [
            write(Mark.STARTUP, "response.created", response=started),
            write(Mark.STARTUP, "response.in_progress", response=started),
        ]

    def _content(self, event: Event) -> list[Piece]:
        match event:
            case TextDelta():
                return self._say(event.text, refuses=False)
            case CallDelta():
                found = self._calls.get(event.call)
                return self._more(found, event.arguments) if found is not None else []
            case ReasoningDelta():
                return self._think(event.text)
            case RefusalDelta():
                return self._say(event.text, refuses=True)
            case CallStarted():
                return self._begin_call(event)
            case ReasoningSealed():
                return self._seal(event)
            case Picture():
                return self._show(event)
            case _:
                return []

    def _takes(self, size: int) -> bool:
        """Whether there is room for more; without it the answer is cut here."""
        self._room -= size
        if self._room >= 0:
            return True
        self._room = -1
        self._stop = Stop.LENGTH
        return False

    def _say(self, text: str, *, refuses: bool) -> list[Piece]:
        if not text or not self._takes(len(text)):
            return []
        pieces: list[Piece] = []
        if self._message is None:
            pieces = self._close(self._thought)
            name, index = self._place("msg")
            self._message = OpenMessage(self._writer, name, index)
            pieces += self._begin(self._message)
        return pieces + self._message.add(text, refuses=refuses)

    def _think(self, text: str) -> list[Piece]:
        if not text or not self._takes(len(text)):
            return []
        pieces, thought = self._open_thought()
        return pieces + thought.add(text)

    def _open_thought(self) -> tuple[list[Piece], OpenThought]:
        if self._thought is not None:
            return [], self._thought
        pieces = self._close(self._message)
        name, index = self._place("rs")
        self._thought = opened = OpenThought(self._writer, name, index)
        return pieces + self._begin(opened), opened

    def _seal(self, event: ReasoningSealed) -> list[Piece]:
        """A thought that can't be read is an item of its own."""
        if event.redacted is None and event.signature is None:
            return self._close(self._thought)
        if not self._takes(len(event.redacted or event.signature or "")):
            return []
        pieces = self._close(self._thought) if event.redacted is not None else []
        begun, thought = self._open_thought()
        thought.signature, thought.redacted = event.signature, event.redacted
        return pieces + begun + self._close(thought)

    def _begin_call(self, event: CallStarted) -> list[Piece]:
        if event.call in self._calls or not self._takes(len(event.name) + len(event.id)):
            return []
        pieces = self._close(self._message) + self._close(self._thought)
        name, index = self._place("fc")
        opened = OpenCall(self._writer, name, index, ToolCall(event.id, event.name, ""))
        self._calls[event.call] = opened
        return pieces + self._begin(opened)

    def _more(self, opened: OpenCall, arguments: str) -> list[Piece]:
        if not arguments or not self._takes(len(arguments)):
            return []
        return opened.add(arguments)

    def _show(self, event: Picture) -> list[Piece]:
        if not self._takes(len(event.data)):
            return []
        pieces = self._close(self._message) + self._close(self._thought)
        name, index = self._place("ig")
        item = image_item(name, IN_PROGRESS, Image(event.media_type, data=event.data))
        opened = OpenPicture(self._writer, name, index, item)
        return pieces + self._begin(opened) + self._close(opened)

    def _place(self, prefix: str) -> tuple[str, int]:
        """The id and the index of the next item."""
        index = len(self._items)
        return f"{prefix}_{self._call.id}_{index}", index

    def _begin(self, opened: Open) -> list[Piece]:
        self._room -= PER_ITEM
        self._items.append(None)
        self._open[opened.index] = opened
        return opened.start()

    def _close(self, opened: Open | None, status: str = COMPLETED) -> list[Piece]:
        """End an item, if it is open."""
        if opened is None or self._open.pop(opened.index, None) is None:
            return []
        if opened is self._message:
            self._message = None
        elif opened is self._thought:
            self._thought = None
        pieces, self._items[opened.index] = opened.close(status)
        return pieces

    def _finish(self, stop: Stop) -> list[Piece]:
        """End what is open. If the answer is incomplete, then in its last item."""
        pieces = self._start(Started())
        self._stop = self._stop or stop
        self._stopped = True
        last = len(self._items) - 1
        for index, opened in sorted(self._open.items()):
            status = status_of(self._stop) if index == last else COMPLETED
            pieces += self._close(opened, status)
        return pieces

    def _end(self) -> list[Piece]:
        pieces = [] if self._stopped else self._finish(Stop.END)
        self._ended = True
        head = self._head or Head(f"resp_{self._call.id}", self._call.model)
        status = status_of(self._stop)
        items = [item for item in self._items if item is not None]
        whole = response(head, status, items, self._usage, self._stop)
        return [*pieces, self._writer.last(f"response.{status}", whole, self._usage)]
