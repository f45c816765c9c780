"""One request of a WebSocket: a call like any other, its answer told in messages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextlib import aclosing
from typing import Final

from wattline.base.errors import OurFault
from wattline.base.tasks import spawn
from wattline.dialects.base import Route
from wattline.dialects.frames.asked import Ask, Speech
from wattline.dialects.frames.chat import ChatFrames
from wattline.dialects.frames.finished import Frames
from wattline.dialects.frames.inference import InferenceFrames
from wattline.dialects.frames.reply import Reply
from wattline.dialects.frames.trouble import of_fault
from wattline.service.parting import shutting_down, uncancel
from wattline.web.ws.parts import ChatParts
from wattline.web.ws.talk import Gone, Talk
from wattline.wire.call import Operation
from wattline.wire.http import Ending, Request, Truncated

log = logging.getLogger(__name__)

ROUTE: Final = Route("openai", Operation.CHAT, "/chat/completions")
START_AFTER: Final = 0.2
"""Seconds after which a client is told that its request is under way, when nothing was refused by then
and no answer has come.
"""


class Work:
    """One request. `await work.run(slots)` in a task of its own; `end` ends it early."""

    def __init__(self, parts: ChatParts, talk: Talk, ask: Ask, request: Request) -> None:
        self._parts = parts
        self._talk = talk
        self._request = request
        self._reply = Reply(_frames(ask, request.id), parts.clock.monotonic())
        self.size = len(request.body)
        """Bytes that it holds."""
        self.task: asyncio.Task[None] | None = None

    def end(self, reason: Ending) -> None:
        """Nobody waits for it any more, or we stop."""
        if self._request.departure.reason is None:
            self._request.departure.reason = reason
        if self.task is not None:
            self.task.cancel()

    async def run(self, slots: asyncio.Semaphore) -> None:
        """The whole request. Raises CancelledError only."""
        cut = False
        try:
            async with slots:
                cut = await self._ask()
        except asyncio.CancelledError:
            if self._request.departure.reason is not Ending.SHUTDOWN:
                raise
            uncancel()
            self._reply.fail(of_fault(shutting_down()))
        except Gone:
            return
        except Exception:
            log.exception("%s: a request of a WebSocket failed", self._request.id)
            self._reply.fail(of_fault(OurFault("wattline failed on this request.")))
        with contextlib.suppress(Gone):
            await self._talk.say(self._reply.end(self._parts.clock.monotonic(), cut=cut))

    async def _ask(self) -> bool:
        """Whether the answer broke off."""
        starting = spawn(self._start(), name="tell that a request has begun")
        try:
            async with aclosing(self._parts.answers.answer(self._request, ROUTE)) as items:
                async for item in items:
                    await self._say(self._reply.take(item))
        except Truncated:
            return True
        finally:
            starting.cancel()
        return False

    async def _start(self) -> None:
        await asyncio.sleep(START_AFTER)
        with contextlib.suppress(Gone):
            await self._talk.say(self._reply.begin())

    async def _say(self, frames: list[bytes]) -> None:
        try:
            await self._talk.say(frames)
        except Gone:
            if self._request.departure.reason is None:
                self._request.departure.reason = Ending.CLIENT_GONE
            raise


def _frames(ask: Ask, call_id: str) -> Frames:
    name = call_id if ask.name is None else ask.name
    return ChatFrames(name) if ask.speech is Speech.CHAT else InferenceFrames(name)
