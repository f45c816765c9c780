"""The items of a streamed answer while they are written: what opens them, adds to them, closes them.

Each keeps its text, since the API repeats it whole when the item is done and once more at the end.
"""

from __future__ import annotations

from io import StringIO
from typing import Any

from wattline.dialects.openai.responses_events import EventWriter, delta_head
from wattline.dialects.openai.responses_output import (
    COMPLETED,
    IN_PROGRESS,
    Item,
    call_item,
    message_item,
    reasoning_item,
    refusal_part,
    text_part,
)
from wattline.wire.parts import Reasoning, ToolCall
from wattline.wire.piece import Mark, Piece

ADDED = "response.output_item.added"
DONE = "response.output_item.done"


class OpenMessage:
    """A message: texts and refusals, one after the other."""

    def __init__(self, writer: EventWriter, name: str, index: int) -> None:
        self._writer = writer
        self._name = name
        self.index = index
        self._content: list[Item] = []
        self._refuses: bool | None = None
        self._text = StringIO()
        self._head = b""

    def start(self) -> list[Piece]:
        """The events that open it."""
        item = message_item(self._name, IN_PROGRESS, [])
        return [self._writer.piece(Mark.STARTUP, ADDED, output_index=self.index, item=item)]

    def add(self, text: str, *, refuses: bool) -> list[Piece]:
        """More text, or more of a refusal."""
        pieces = [] if self._refuses is refuses else self._turn(refuses=refuses)
        self._text.write(text)
        pieces.append(self._writer.delta(self._head, text))
        return pieces

    def _turn(self, *, refuses: bool) -> list[Piece]:
        """The end of the part before, and the start of a new one."""
        pieces = self._end_part()
        self._refuses = refuses
        self._text = StringIO()
        place = self._place()
        if refuses:
            self._head = delta_head("response.refusal.delta", **place)
        else:
            self._head = delta_head("response.output_text.delta", **place, logprobs=[])
        kind = "response.content_part.added"
        part = self._part("")
        return [*pieces, self._writer.piece(Mark.STARTUP, kind, **place, part=part)]

    def _place(self) -> dict[str, Any]:
        at = {"item_id": self._name, "output_index": self.index}
        return at | {"content_index": len(self._content)}

    def _part(self, text: str) -> Item:
        return refusal_part(text) if self._refuses else text_part(text)

    def _end_part(self) -> list[Piece]:
        if self._refuses is None:
            return []
        text, place = self._text.getvalue(), self._place()
        part = self._part(text)
        if self._refuses:
            done = self._writer.piece(Mark.OUTPUT, "response.refusal.done", **place, refusal=text)
        else:
            done = self._writer.piece(
                Mark.OUTPUT, "response.output_text.done", **place, text=text, logprobs=[]
            )
        kind = "response.content_part.done"
        ended = self._writer.piece(Mark.OUTPUT, kind, **place, part=part)
        self._content.append(part)
        return [done, ended]

    def close(self, status: str) -> tuple[list[Piece], Item]:
        """The events that end it, and the whole item."""
        pieces = self._end_part()
        item = message_item(self._name, status, self._content)
        return [*pieces, _done(self._writer, self.index, item)], item


class OpenThought:
    """A thought: one part of a summary, and its seal."""

    def __init__(self, writer: EventWriter, name: str, index: int) -> None:
        self._writer = writer
        self._name = name
        self.index = index
        self._text = StringIO()
        self._head = b""
        self._place: dict[str, Any] = {
            "item_id": name,
            "output_index": index,
            "summary_index": 0,
        }
        self.signature: str | None = None
        self.redacted: str | None = None

    def start(self) -> list[Piece]:
        """The events that open it."""
        item = reasoning_item(self._name, Reasoning(redacted="")) | {"encrypted_content": None}
        return [self._writer.piece(Mark.STARTUP, ADDED, output_index=self.index, item=item)]

    def add(self, text: str) -> list[Piece]:
        """More thought."""
        pieces = [] if self._head else self._begin()
        self._text.write(text)
        pieces.append(self._writer.delta(self._head, text))
        return pieces

    def _begin(self) -> list[Piece]:
        self._head = delta_head("response.reasoning_summary_text.delta", **self._place)
        kind = "response.reasoning_summary_part.added"
        return [self._writer.piece(Mark.STARTUP, kind, **self._place, part=_summary(""))]

    def close(self, status: str) -> tuple[list[Piece], Item]:  # noqa: ARG002  (items have it in common)
        """The events that end it, and the whole item."""
        text, write = self._text.getvalue(), self._writer.piece
        pieces: list[Piece] = []
        if self.redacted is None:
            pieces = [] if self._head else self._begin()
            kind = "response.reasoning_summary_text.done"
            pieces.append(write(Mark.OUTPUT, kind, **self._place, text=text))
            kind = "response.reasoning_summary_part.done"
            pieces.append(write(Mark.OUTPUT, kind, **self._place, part=_summary(text)))
        item = reasoning_item(self._name, Reasoning(text, self.signature, self.redacted))
        return [*pieces, _done(self._writer, self.index, item)], item


class OpenCall:
    """A call of a tool. `call` has no arguments yet."""

    def __init__(self, writer: EventWriter, name: str, index: int, call: ToolCall) -> None:
        self._writer = writer
        self._name = name
        self.index = index
        self._call = call
        self._place: dict[str, Any] = {"item_id": name, "output_index": index}
        self._head = delta_head("response.function_call_arguments.delta", **self._place)
        self._text = StringIO()

    def start(self) -> list[Piece]:
        """The events that open it."""
        item = call_item(self._name, IN_PROGRESS, self._call)
        return [self._writer.piece(Mark.OUTPUT, ADDED, output_index=self.index, item=item)]

    def add(self, arguments: str) -> list[Piece]:
        """More of the arguments."""
        self._text.write(arguments)
        return [self._writer.delta(self._head, arguments)]

    def close(self, status: str) -> tuple[list[Piece], Item]:
        """The events that end it, and the whole item."""
        arguments = self._text.getvalue()
        kind = "response.function_call_arguments.done"
        said = {"name": self._call.name, "arguments": arguments}
        done = self._writer.piece(Mark.OUTPUT, kind, **self._place, **said)
        whole = ToolCall(self._call.id, self._call.name, arguments)
        item = call_item(self._name, status, whole)
        return [done, _done(self._writer, self.index, item)], item


class OpenPicture:
    """A picture: it comes whole, so that it is over when it begins."""

    def __init__(self, writer: EventWriter, name: str, index: int, item: Item) -> None:
        self._writer = writer
        self.index = index
        self._item = item
        self._place: dict[str, Any] = {"item_id": name, "output_index": index}

    def start(self) -> list[Piece]:
        """The events that open it."""
        item = self._item | {"status": IN_PROGRESS, "result": None}
        write, kind = self._writer.piece, "response.image_generation_call"
        return [
            write(Mark.OUTPUT, ADDED, output_index=self.index, item=item),
            write(Mark.OUTPUT, f"{kind}.in_progress", **self._place),
            write(Mark.OUTPUT, f"{kind}.generating", **self._place),
        ]

    def close(self, status: str) -> tuple[list[Piece], Item]:  # noqa: ARG002  (items have it in common)
        """The events that end it, and the whole item."""
        kind = "response.image_generation_call.completed"
        ended = self._writer.piece(Mark.OUTPUT, kind, **self._place)
        item = self._item | {"status": COMPLETED}
        return [ended, _done(self._writer, self.index, item)], item


Open = OpenMessage | OpenThought | OpenCall | OpenPicture


def _summary(text: str) -> Item:
    return {"type": "summary_text", "text": text}


def _done(writer: EventWriter, index: int, item: Item) -> Piece:
    return writer.piece(Mark.OUTPUT, DONE, output_index=index, item=item)
