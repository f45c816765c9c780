"""The demo provider's port: listening, refusing, and knowing at once when a client goes."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

type Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
type Gone = Callable[[object], None]

STOP_SECONDS = 2.0
"""How long `stop` waits for handlers whose connections it has closed."""
HEAD_LIMIT = 64 * 1024
"""Bytes of one header line."""


class Listener:
    """A port with aiohttp's HTTP server on it. Connections are aiohttp's `request.protocol`."""

    def __init__(self, server: Server, bound: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._server = server
        self._bound: socket.socket | None = bound
        """The port while nothing listens on it."""
        self._address: tuple[Any, ...] = bound.getsockname()
        self._tls = tls
        self._listening: asyncio.Server | None = None

    @classmethod
    async def open(
        cls, host: str, port: int, tls: ssl.SSLContext | None, handler: Handler, gone: Gone
    ) -> Listener:
        """Bind and listen. Raises OSError."""
        listener = cls(Server(handler, gone), _bind((host, port)), tls)
        await listener.accept()
        return listener

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        host, port = self._address[:2]
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self._tls else 'http'}://{shown}:{port}"

    async def accept(self) -> None:
        """Listen, again if need be, on the same port."""
        if self._bound is not None:
            bound, self._bound = self._bound, None
            loop = asyncio.get_running_loop()
            self._listening = await loop.create_server(self._server, sock=bound, ssl=self._tls)

    def refuse(self) -> None:
        """Refuse new connections. The port stays ours: bound, but nothing listens on it."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
            self._bound = _bind(self._address)

    def close_connections(self, but: Callable[[object], bool] = lambda _: False) -> None:
        """Close all connections, or all `but` some."""
        for connection in self._server.connections:
            if not but(connection):
                close(connection.transport)

    async def stop(self) -> None:
        """Give up the port, close all connections, wait for their handlers to end."""
        if self._listening is not None:
            self._listening.close()
        if self._bound is not None:
            self._bound.close()
        self._listening = self._bound = None
        self.close_connections()
        self._server.pre_shutdown()
        await self._server.shutdown(STOP_SECONDS)


class Server(web.Server):
    """Tells of a lost connection as soon as the event loop knows, and cancels its handler."""

    def __init__(self, handler: Handler, gone: Gone) -> None:
        super().__init__(
            handler,
            handler_cancellation=True,
            access_log=None,
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
            lingering_time=0,
        )
        self._on_gone = gone

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """Called by each connection when it ends."""
        self._on_gone(handler)
        super().connection_lost(handler, exc)


def close(transport: asyncio.Transport | None, *, reset: bool = False) -> None:
    """Close a connection: with FIN after what is written, or at once with RST."""
    if transport is None:
        return
    if reset:
        link: socket.socket = transport.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()


def _bind(address: tuple[Any, ...]) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
