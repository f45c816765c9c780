"""The WebSockets that are open, so that a stop can close them with a word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wattline.base.tasks import spawn

KEY: Final = "wattline.socket"
"""Where a WebSocket's scope has its `OpenSocket`."""
GOING_AWAY: Final = 1001
"""RFC 6455, 7.4.1."""
LAST_WORDS: Final = 1.0
"""Seconds for what is said before a close, and for the close itself: a client may not read."""


async def nothing() -> None:
    """No last words."""


class OpenSocket:
    """One WebSocket. While somebody works on its behalf it is left open as long as the stop's grace lasts."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._accepted = False
        self._ended = asyncio.Event()
        self._working = 0
        self._closing = False
        self.farewell: Callable[[], Awaitable[None]] = nothing
        """What to do before a stop closes it, while messages can still be sent."""

    @property
    def closing(self) -> bool:
        """The sidecar stops: what is under way may end, nothing new should begin."""
        return self._closing

    async def receive(self) -> Message:
        """The client's next message, or the disconnect that a stop makes."""
        if self._ended.is_set():
            return {"type": "websocket.disconnect", "code": GOING_AWAY}
        coming = asyncio.ensure_future(self._receive())
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((coming, ending), return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                return coming.result()
            return {"type": "websocket.disconnect", "code": GOING_AWAY}
        finally:
            coming.cancel()
            ending.cancel()

    async def send(self, message: Message) -> None:
        """A message to the client; none goes out after the close."""
        if self._ended.is_set():
            return
        kind = message["type"]
        if kind == "websocket.accept":
            self._accepted = True
        elif kind == "websocket.close":
            self._ended.set()
        await self._send(message)

    @contextmanager
    def work(self) -> Iterator[None]:
        """Around what a client waits for: a stop lets it end within its grace."""
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            if self._closing and not self._working:
                spawn(self.close(), name="close a WebSocket")

    async def stop(self) -> None:
        """Close it now, or as soon as the work on its behalf is done."""
        self._closing = True
        if not self._working:
            await self.close()

    async def close(self) -> None:
        """Say that we go away. Idempotent."""
        if self._accepted and not self._ended.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS):
                    await self.farewell()
            message = {"type": "websocket.close", "code": GOING_AWAY, "reason": "the sidecar stops"}
            with suppress(TimeoutError, OSError):  # it does not read, or was faster
                async with asyncio.timeout(LAST_WORDS):
                    await self.send(message)
        self._ended.set()


class Sockets:
    """An ASGI layer that knows every open WebSocket below it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: set[OpenSocket] = set()

    def __len__(self) -> int:
        return len(self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on; WebSockets with their `OpenSocket` in the scope."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        socket = OpenSocket(receive, send)
        self._open.add(socket)
        try:
            await self._app({**scope, KEY: socket}, socket.receive, socket.send)
        finally:
            self._open.discard(socket)

    async def stop(self) -> None:
        """Close those that nobody works for; the others follow when their work is done."""
        await asyncio.gather(*(socket.stop() for socket in list(self._open)))

    async def close(self) -> None:
        """Close them all."""
        await asyncio.gather(*(socket.close() for socket in list(self._open)))
