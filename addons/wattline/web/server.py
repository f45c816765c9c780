"""The web face's listener: uvicorn in the sidecar's own event loop, on a loopback port of its own."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from wattline.base.clock import Clock, SystemClock
from wattline.service.accounts.master import MasterToken
from wattline.service.entrance.styles import Styles
from wattline.service.entrance.visitor import Visits
from wattline.service.idempotency.once import Once
from wattline.web.door import Door
from wattline.web.lazy import LazyApp
from wattline.web.repeats import Repeats
from wattline.web.sockets import Sockets

HOST = "127.0.0.1"
MAX_MESSAGE = 1024 * 1024
"""Bytes of one WebSocket message."""
HEARTBEAT = 30.0
PARTING = 1.0
"""Seconds for the other ends of WebSockets to answer a close."""
CUT = "ASGI callable returned without completing response."
"""What uvicorn logs of a stream that we cut on purpose: its provider broke off, and its client must see that."""
MAX_HEAD = 128 * 1024
"""Above what the gate lets through, with the internal headers."""


class WebFace:
    """`await face.start()`, later `await face.drain(grace)` and `await face.stop()`.

    `make` gives the app; it is called for the first request, since most sidecars never serve a page. A
    WebSocket is pinged every `heartbeat` seconds and closed when it does not answer for as long. `once` sees
    to requests with an Idempotency-Key, also of whoever has the `master` token.
    """

    def __init__(
        self,
        make: Callable[[], ASGIApp],
        styles: Styles,
        visits: Visits,
        heartbeat: float = HEARTBEAT,
        *,
        once: Once | None = None,
        master: MasterToken | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.secret = secrets.token_urlsafe(32)
        self.port = 0
        self._sockets = Sockets(LazyApp(make))
        self._socket: socket.socket | None = None
        self._grace: asyncio.Timeout | None = None
        pages: ASGIApp = self._sockets
        if once is not None:
            pages = Repeats(pages, once, styles, master, clock or SystemClock())
        config = uvicorn.Config(
            Door(pages, self.secret, styles, visits),
            http="h11",
            ws="wsproto",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            ws_max_size=MAX_MESSAGE,
            ws_per_message_deflate=False,
            ws_ping_interval=heartbeat,
            ws_ping_timeout=heartbeat,
            h11_max_incomplete_event_size=MAX_HEAD,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)

    async def start(self) -> None:
        """Listen. Raises OSError."""
        listener = socket.create_server((HOST, 0))
        # Connections inherit it. asyncio sets it on none of them, since this socket does not name its protocol,
        # and then an answer's body waits 40 ms for the client's system to acknowledge the head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self.port = listener, listener.getsockname()[1]
        config = self._server.config
        config.load()
        logging.getLogger("uvicorn.error").addFilter(_worth_telling)
        self._server.lifespan = config.lifespan_class(config)
        # Its main loop, which we leave out, only renews a Date header and waits for the end.
        await self._server.startup(sockets=[listener])

    @property
    def _tasks(self) -> set[asyncio.Task[None]]:
        """Requests being answered, and open WebSockets."""
        return self._server.server_state.tasks

    @property
    def busy(self) -> bool:
        """Something is still being answered."""
        return bool(self._tasks)

    async def drain(self, grace: float) -> None:
        """Let what is under way end for `grace` seconds; then tell the WebSockets that we go."""
        await self._sockets.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace) as self._grace:
                while self._tasks:
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        await self._sockets.close()
        await self._part()

    async def _part(self) -> None:
        """Wait for the clients' answers to our closes: what comes next cuts every connection."""
        kind = self._server.config.ws_protocol_class
        state = self._server.server_state
        with suppress(TimeoutError):
            async with asyncio.timeout(PARTING):
                while any(isinstance(one, kind or ()) for one in state.connections):  # noqa: ASYNC110  (uvicorn has no event for it)
                    await asyncio.sleep(0.005)

    def hurry(self) -> None:
        """End the grace that `drain` gives."""
        if self._grace is not None and not self._grace.expired():
            with suppress(RuntimeError):  # it is over
                self._grace.reschedule(0)

    async def stop(self) -> None:
        """Close every connection and stop listening. Idempotent."""
        listener, self._socket = self._socket, None
        if listener is None:
            return
        state = self._server.server_state
        if state.connections or state.tasks:
            await self._server.shutdown(sockets=[listener])
            return
        # uvicorn would wait a tenth of a second for connections that there are not.
        for server in self._server.servers:
            server.close()
        listener.close()


def _worth_telling(record: logging.LogRecord) -> bool:
    return record.msg != CUT
