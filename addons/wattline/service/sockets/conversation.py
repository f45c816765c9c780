"""One client's WebSocket after its upgrade: messages to a provider and back, each response metered.

Rules of this file. Two pumps run, one for each direction, and a watch over idle times; `run` gives what
goes to the client. A `response.create` goes out only after its row is durable; the event that ends a
response goes to the client only after its settlement is, and nothing overtakes it. Whatever way the
conversation ends, each open response is settled once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from wattline.service.sockets.asking import Asking
from wattline.service.sockets.parting import shutting_down, uncancel
from wattline.store.base import State
from wattline.wire.http import Ending
from wattline.wire.websocket import GOING_AWAY, SERVICE_RESTART

IDLE: Final = 570.0
"""Seconds without a message in either direction, and no response under way, after which a socket is
closed: less than mitmproxy's own 600, which would end it without a word."""


class Conversation(Asking):
    """See the module: begun by `run`, ended by either side or by silence."""

    async def run(self) -> AsyncGenerator[bytes]:
        """What goes to the client. All is settled when it ends or is closed."""
        self._start(self._listen(), "listen to a client")
        self._start(self._watch(), "watch a socket")
        if self.bound is not None:
            self._relay = self._start(self._hear(self.bound), "listen to a provider")
        try:
            while data := await self._outbox.get():
                yield data
        except asyncio.CancelledError:
            if self.request.departure.reason is not Ending.SHUTDOWN:
                raise
            uncancel()
            yield self._last_words()
        finally:
            await self._leave()

    def _last_words(self) -> bytes:
        """To a client that we leave since we stop."""
        words = b""
        if len(self._lanes):
            words = self._error(shutting_down())
        return words + self._frames.close(SERVICE_RESTART, "the sidecar stops")

    async def _leave(self) -> None:
        """Settle what is open, close the provider's end."""
        self._settle_left()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._settle_left()  # one whose row was written a moment ago
        if self.bound is not None:
            self.bound.socket.close(GOING_AWAY)

    def _settle_left(self) -> None:
        reason = self.request.departure.reason
        state = State.ABORTED if reason is Ending.CLIENT_GONE else State.TRUNCATED
        for turn in self._lanes.drain():
            self._ends.left(turn, state, "internal_error" if reason is None else reason.value)

    async def _watch(self) -> None:
        """End what is silent for too long. A message does not wake it: it looks when the last one was."""
        while (due := self._due()) > self._loop.time():
            self._stirred.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._stirred.wait()
        if len(self._lanes) and self.bound is not None:
            await self._lost(self.bound, "idle_timeout")
        else:
            self._end(GOING_AWAY, "nothing was said for too long")

    def _due(self) -> float:
        """When the provider has been silent for too long in a response; without one, when everybody has."""
        if not len(self._lanes) or self.bound is None:
            return self._last + IDLE
        timeouts = self.bound.timeouts()
        if self._outbox.full:  # it is the client that we wait for
            return self._loop.time() + timeouts.idle
        asked = max(turn.asked for turn in self._lanes.turns())
        if self._heard < asked:
            return asked + timeouts.first_byte
        return self._heard + timeouts.idle
