"""Both ends of one conversation over a WebSocket, and what is open on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from wattline.base.errors import Fault, OurFault, UpstreamFault
from wattline.base.ids import new_id
from wattline.base.tasks import spawn
from wattline.dialects.base import Route
from wattline.dialects.openai import realtime
from wattline.dialects.openai.lanes import Lanes
from wattline.engine.meter import Meter
from wattline.rules.book import Target
from wattline.service.entrance.refusal import refusal
from wattline.service.exchange import Exchange
from wattline.service.sockets.bound import Bound, Services
from wattline.service.sockets.inbox import Inbox
from wattline.service.sockets.outbox import Outbox
from wattline.service.sockets.turns import Turn, TurnSettlement
from wattline.upstream.base import Broken
from wattline.upstream.scrub import scrub
from wattline.wire.http import Request
from wattline.wire.websocket import INTERNAL_ERROR, Closed, Frames, Message

log = logging.getLogger(__name__)

MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes of one message, in either direction."""
MAX_TURNS = 64
"""Responses that may be open on one connection."""


class Line:
    """What the two directions share. `bound` is None until the first message says which model is wanted."""

    def __init__(
        self,
        services: Services,
        request: Request,
        route: Route,
        inbox: Inbox,
        bound: Bound | None = None,
        incapable: Callable[[], None] = lambda: None,
    ) -> None:
        """`incapable` is called when no provider of a model has WebSockets."""
        self.services = services
        self.request = request
        self.route = route
        self.inbox = inbox
        self.bound = bound
        self.incapable = incapable
        self._frames = Frames(client=False, max_bytes=MAX_MESSAGE)
        self._outbox = Outbox()
        self._lanes: Lanes[Turn] = Lanes()
        self._ends = TurnSettlement(services.settlement)
        self._loop = asyncio.get_running_loop()
        self._heard = self._last = self._loop.time()
        self._stirred = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._relay: asyncio.Task[None] | None = None
        self._ending = False
        self._telling = asyncio.Lock()
        """Held while a provider's message is on its way to the client: it may wait for a commit."""
        self._owed_turns = 0
        """Since the last response that was seen to begin."""
        self._context = 0
        """Tokens of the last response and what led to it: the next one reads at least these."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.request.id} {self.bound} {self._lanes!r}>"

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = spawn(self._guarded(work), name=name)
        self._tasks = [*(other for other in self._tasks if not other.done()), task]
        return task

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s: a conversation failed", self.request.id)
            fault = OurFault("wattline failed on this connection. The log has the details.")
            self._outbox.put_now(self._error(fault))
            self._end(INTERNAL_ERROR)

    def _end(self, code: int, reason: str = "") -> None:
        """Say goodbye to the client; `run` ends after what is on its way."""
        self._outbox.put_now(self._frames.close(code, reason))
        self._outbox.end()

    async def _send(self, bound: Bound, message: Message) -> None:
        patience = bound.timeouts().idle
        try:
            async with asyncio.timeout(patience):
                await bound.socket.send(bound.socket.frames.message(message))
        except TimeoutError:
            await self._lost(bound, "idle_timeout")
        except Broken as broken:
            await self._lost(bound, broken.code)

    async def _exchange(self, body: bytes) -> Exchange:
        """The exchange of one response, its caller's windows taken. Raises Fault."""
        request = replace(self.request, id=new_id("req"), body=body)
        exchange = await self.services.opening.open(request, self.route)
        tokens = exchange.call.tokens + self._context
        exchange.call = replace(exchange.call, stream=True, tokens=tokens)
        exchange.body, exchange.value = b"", {}
        return exchange

    async def _turn(self, exchange: Exchange, target: Target) -> Turn:
        """Slots taken, row durable. Raises Fault."""
        attempt = await self.services.attempts.begin(exchange, target)
        if attempt is None:
            raise refusal(exchange)
        return Turn(
            exchange, attempt, Meter(exchange.call, exchange.call.tokens), self._loop.time()
        )

    async def _lost(self, bound: Bound, code: str, closed: Closed | None = None) -> None:
        """The provider's end is gone, and with it this conversation."""
        if self._ending or self.bound is None or bound.socket is not self.bound.socket:
            return
        self._ending = True
        bound.socket.close()
        turns = self._lanes.drain()
        # All of them at once: whoever ends this task while it waits must find none unsettled.
        settled = [(turn, self._ends.lost(turn, code)) for turn in turns]
        for turn, done in settled:
            await self._durable(turn, done)
        if turns:
            fault = UpstreamFault(
                f"The provider broke off in the middle of its answer ({code}).",
                code="upstream_broke_off",
                should_retry=False,
            )
            self._outbox.put_now(self._error(fault))
        if closed is not None:
            self._end(closed.code, scrub(closed.reason.encode(), bound.secrets()).decode())
        else:
            self._end(INTERNAL_ERROR, f"the provider's connection ended ({code})")

    async def _durable(self, turn: Turn, settled: Awaitable[bool] | None) -> None:
        if settled is not None:
            await self.services.settlement.committed(turn.exchange, settled)

    def _error(self, fault: Fault, asked_by: str | None = None, lane: str | None = None) -> bytes:
        event = realtime.error_event(fault, self.route.operation, new_id("event"), asked_by, lane)
        return self._frames.message(Message(event))
