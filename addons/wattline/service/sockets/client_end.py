"""The client's end of a conversation: what it is told, and in which form."""

from __future__ import annotations

from typing import Final

from wattline.base.errors import Fault
from wattline.base.ids import new_id
from wattline.dialects.openai import realtime
from wattline.service.sockets.outbox import Outbox
from wattline.service.watching.conversed import Witness
from wattline.wire.call import Operation
from wattline.wire.websocket import Frames, Item, Message, Ping

MAX_MESSAGE: Final = 16 * 1024 * 1024
"""Bytes of one message, in either direction."""


class ClientEnd:
    """Frames to and from a client. Nothing is sent here: it lies in an outbox until `next` takes it."""

    __slots__ = ("_frames", "_operation", "_outbox")

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._frames = Frames(client=False, max_bytes=MAX_MESSAGE)
        self._outbox = Outbox()

    @property
    def full(self) -> bool:
        """Telling it more waits until it has read some."""
        return self._outbox.full

    def read(self, data: bytes) -> list[Item]:
        """What the client's bytes complete."""
        return self._frames.feed(data)

    async def tell(self, message: Message, witness: Witness | None = None) -> None:
        """Pass a message on, and wait until there is room for more."""
        frame = self._frames.message(message)
        if witness is not None:
            witness.passed(message, frame)
        await self._outbox.put(frame)

    async def answer(self, ping: Ping) -> None:
        """Answer its ping."""
        await self._outbox.put(self._frames.pong(ping))

    async def refuse(
        self, fault: Fault, asked_by: str | None = None, lane: str | None = None
    ) -> None:
        """Tell a fault as an event; `asked_by` and `lane` name the message that it answers."""
        await self._outbox.put(self._error(fault, asked_by, lane))

    def refuse_now(self, fault: Fault) -> None:
        """The same without waiting: for last words."""
        self._outbox.put_now(self._error(fault))

    def goodbye(self, code: int, reason: str = "") -> None:
        """Close it after what is on its way."""
        self._outbox.put_now(self._frames.close(code, reason))
        self._outbox.end()

    def last_words(self, code: int, reason: str, fault: Fault | None = None) -> bytes:
        """What is said in place of all that still lies here."""
        words = b"" if fault is None else self._error(fault)
        return words + self._frames.close(code, reason)

    async def next(self) -> bytes:
        """Bytes for the client; empty at the end."""
        return await self._outbox.get()

    def _error(self, fault: Fault, asked_by: str | None = None, lane: str | None = None) -> bytes:
        event = realtime.error_event(fault, self._operation, new_id("event"), asked_by, lane)
        return self._frames.message(Message(event))
