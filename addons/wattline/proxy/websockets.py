"""The client's side of a WebSocket: after our 101, bytes go between the connection and the service.

mitmproxy's own WebSocket layer is not used: it keeps every message of a connection, without bound, and
ties the provider's connection to the client's. The stream stays in its place; only what a WebSocket's
bytes mean is left to the service. What goes to the client is pushed by the call's delivery.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, override

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator, Layer

HIGH = 262_144
"""Bytes that wait for the service; beyond them the client's socket is not read."""
LOW = 65_536


class ClientInbox:
    """`service.sockets.inbox.Inbox`: bytes of a client, and the brake on its socket."""

    def __init__(self) -> None:
        self.busy = False
        self.retiring = False
        self._transport: asyncio.Transport | None = None
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._filled = asyncio.Event()
        self._held = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._size} bytes>"

    def connect(self, transport: asyncio.Transport | None) -> None:
        """The client's socket, whose reading is paused while too much waits."""
        self._transport = transport

    def put(self, data: bytes) -> None:
        """Bytes have come. Never waits; asks the socket to stop when there are too many."""
        self._pieces.append(data)
        self._size += len(data)
        self._filled.set()
        if self._size > HIGH:
            self._hold()

    async def read(self) -> bytes:
        """See `Inbox.read`."""
        while not self._pieces:
            self._filled.clear()
            await self._filled.wait()
        data = self._pieces.popleft()
        self._size -= len(data)
        if self._held and self._size < LOW:
            self._release()
        return data

    def _hold(self) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.pause_reading()
            self._held = True

    def _release(self) -> None:
        transport = self._transport
        self._held = False
        if transport is not None and not transport.is_closing():
            transport.resume_reading()


class ClientSocket(Layer):
    """Above an upgraded stream: hands what the client sends to the inbox, tells when it leaves."""

    def __init__(self, context: Context, inbox: ClientInbox, gone: Callable[[], None]) -> None:
        super().__init__(context)
        self.inbox = inbox
        self.gone = gone
        self._over = False

    @override
    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.DataReceived):
            if not self._over:
                self.inbox.put(event.data)
        elif not isinstance(event, events.Start) and not self._over:
            # The client has left, or our own answer has come to an end, clean or not.
            self._over = True
            from_client = getattr(event, "connection", None) is self.context.client
            if from_client:
                self.gone()
            yield commands.CloseConnection(self.context.client)


def transport_of(handler: Any) -> asyncio.Transport | None:
    """The socket of a connection handler's client."""
    io = handler.transports.get(handler.client)
    return io.writer.transport if io is not None else None
