"""The client-facing half of a call: takes the service's answer and pushes it into mitmproxy's layers.

Rules of this file. One task runs a call from its beginning to its last byte. The stream's layer is
paused until there is a head to send or the whole answer; from then on each piece goes in as an `EdgePush` through the
connection handler's `server_event`, the way mitmproxy injects WebSocket messages. Pushing before the
head is out would pile up in the paused stream: `started` is waited for first. A call ends in exactly one
of: end of message, protocol error, or the client's own departure.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from mitmproxy import http
from mitmproxy.proxy import events
from mitmproxy.proxy.layers.http import (
    HttpEvent,
    ResponseData,
    ResponseEndOfMessage,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._events import ErrorCode

from wattline.base.tasks import spawn
from wattline.dialects.base import Route
from wattline.proxy.awaited import AnswerReady, AwaitAnswer
from wattline.proxy.messages import stream_response, whole_response
from wattline.proxy.websockets import transport_of
from wattline.wire.http import Ending, Head, Items, Request, Truncated, Whole

if TYPE_CHECKING:
    from mitmproxy.proxy.server import ConnectionHandler

    from wattline.proxy.head import EdgeHttp1Server
    from wattline.proxy.stream import EdgeStream
    from wattline.proxy.websockets import ClientInbox

log = logging.getLogger(__name__)

WRITE_HIGH = 65_536
"""Bytes in the client's write buffer above which pushing waits for the client to read."""

Answer = Callable[[Request, Route], Items]
"""The service: a head and pieces, or one whole answer. Raises only `Truncated`."""


class EdgePush(events.Event):
    """A piece of an answer on its way to its stream, entering at the outermost layer."""

    def __init__(self, stream: EdgeStream, event: HttpEvent) -> None:
        self.stream = stream
        self.event = event


class Delivery:
    """One call being answered."""

    __slots__ = (
        "_handler",
        "_is_started",
        "_over",
        "_room",
        "_started",
        "_task",
        "_wire",
        "answer",
        "awaited",
        "inbox",
        "ready",
        "request",
        "response",
        "route",
        "stream",
        "streaming",
    )

    def __init__(self, stream: EdgeStream, request: Request, route: Route, answer: Answer) -> None:
        self.stream = stream
        self.request = request
        self.route = route
        self.answer = answer
        self.response: http.Response | None = None
        self.streaming = False
        self.inbox: ClientInbox | None = None
        """What the client sends after its upgrade to a WebSocket; None for other calls."""
        self.ready = False
        """There is a response, or the call is over without one."""
        self.awaited: AwaitAnswer | None = None
        """What the stream's layer waits with, once it waits."""
        self._is_started = False
        self._started: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._handler: ConnectionHandler | None = None
        self._wire: EdgeHttp1Server | None = None
        self._over: list[Callable[[Delivery], None]] = []

    def __repr__(self) -> str:
        state = "streaming" if self.streaming else "answered" if self.response else "waiting"
        return f"<Delivery {self.request.id} {state}>"

    @property
    def gone(self) -> bool:
        """The client left before its answer was complete."""
        return self.request.departure.reason is Ending.CLIENT_GONE

    def begin(self, handler: ConnectionHandler) -> None:
        """Start the call; its first steps run at once."""
        self._handler = handler
        if self.inbox is not None:
            self.inbox.connect(transport_of(handler))
        self._task = spawn(self._run(), name="call")
        self._task.add_done_callback(self._done)

    def when_over(self, tell: Callable[[Delivery], None]) -> None:
        """Call `tell` once the call has ended, however it ended."""
        self._over.append(tell)

    def end(self, reason: Ending) -> None:
        """End the call early. Not from within a push: that task must not cancel itself."""
        if self.request.departure.reason is None:
            self.request.departure.reason = reason
        task = self._task
        if task is not None and not task.done() and task is not asyncio.current_task():
            task.cancel(reason)

    def retire(self) -> None:
        """The sidecar stops: a WebSocket without a response under way has nothing to wait for."""
        if self.inbox is not None:
            self.inbox.retiring = True
            if not self.inbox.busy:
                self.end(Ending.SHUTDOWN)

    async def wait(self) -> None:
        """Until the call is over, however it ends."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def _done(self, task: asyncio.Task[None]) -> None:
        for tell in self._over:
            tell(self)
        if self.request.spool is not None:
            self.request.spool.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("call %s: delivery failed", self.request.id, exc_info=error)
        if not self.ready:
            spawn(self._answered(), name=f"end of call {self.request.id}")

    async def _run(self) -> None:
        try:
            async with aclosing(self.answer(self.request, self.route)) as items:
                async for item in items:
                    await self._deliver(item)
            if self.streaming:
                await self._push(ResponseEndOfMessage(self.stream.stream_id))
        except (Truncated, asyncio.CancelledError):
            if self.streaming and not self.gone:
                await self._break_off()
            elif self.response is None:
                raise

    async def _deliver(self, item: Head | Whole | bytes) -> None:
        if type(item) is bytes:
            await self._push(ResponseData(self.stream.stream_id, item))
        elif isinstance(item, Whole):
            self.response = whole_response(item)
            await self._answered()
        elif isinstance(item, Head):
            self.response = stream_response(item, self.stream.flow.request)
            self._wire = self.stream.edge_layer.bare()
            self.streaming = True
            self.stream.let_go()
            await self._answered()
            await self._head_sent()

    async def _answered(self) -> None:
        """Let the stream's layer go on. It does not wait yet when the call's first steps were enough."""
        self.ready = True
        if self.awaited is not None and self._handler is not None:
            await self._handler.server_event(AnswerReady(self.awaited))

    def started(self) -> None:
        """The head is out: pieces may come."""
        self._is_started = True
        if self._started is not None and not self._started.done():
            self._started.set_result(None)

    def room(self) -> None:
        """The stream's HTTP/2 window is open again."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    async def _head_sent(self) -> None:
        if not self._is_started:
            self._started = asyncio.get_running_loop().create_future()
            await self._started

    async def _break_off(self) -> None:
        await self._push(
            ResponseProtocolError(
                self.stream.stream_id, "the answer broke off", ErrorCode.GENERIC_SERVER_ERROR
            )
        )

    async def _push(self, event: HttpEvent) -> None:
        handler = self._handler
        assert handler is not None  # noqa: S101  (begin set it)
        if isinstance(event, ResponseData) and self._write(handler, event.data):
            return
        await handler.server_event(EdgePush(self.stream, event))
        if self.stream.edge_layer.backlog(self.stream):
            await self._wait_for_window()
        io: Any = handler.transports.get(handler.client)
        if io is not None and io.writer.transport.get_write_buffer_size() > WRITE_HIGH:
            await handler.drain_writers()

    def _write(self, handler: ConnectionHandler, data: bytes) -> bool:
        """Where nothing lies between the stream and its socket (HTTP/1, no TLS, no tunnel), a piece can
        be written at once: it is what the layers would come to. False when they must be asked, or when
        the client has to read first.
        """
        wire = self._wire
        if wire is None or not self.stream.edge_layer.has(self.stream):
            return False
        io: Any = handler.transports.get(handler.client)
        if io is None or io.writer.is_closing():
            return False
        if io.writer.transport.get_write_buffer_size() > WRITE_HIGH:
            return False
        handler.timeout_watchdog.register_activity()
        io.writer.write(wire.framed(data))
        return True

    async def _wait_for_window(self) -> None:
        """HTTP/2 alone: the socket has room but the stream's window has none, and mitmproxy would
        buffer without bound.
        """
        layer = self.stream.edge_layer
        layer.waiting.add(self)
        try:
            while layer.backlog(self.stream):
                self._room = asyncio.get_running_loop().create_future()
                await self._room
        finally:
            layer.waiting.discard(self)
