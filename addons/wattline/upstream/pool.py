"""Requests to providers over shared connections: HTTP/1.1, TLS verified, nothing followed."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from contextlib import suppress

from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage

from wattline.base.origin import Origin
from wattline.rules.compiled.provider import Timeouts
from wattline.upstream.addresses import Resolve, system_resolve
from wattline.upstream.answer import Answer
from wattline.upstream.base import Outgoing, Unsent
from wattline.upstream.connections import Connections, Target, drop, handler_of
from wattline.upstream.credentials import check
from wattline.upstream.faults import (
    CONNECT_ERRORS,
    HEAD_ERRORS,
    LOST,
    NotHttp,
    connect_fault,
    head_fault,
)
from wattline.upstream.guard import Listeners
from wattline.upstream.request import Read, Request
from wattline.upstream.tls import client_context
from wattline.wire.header_names import lower_name

log = logging.getLogger("wattline.upstream")

MAX_TARGETS = 1_024
KEEPALIVE = 90.0
"""Seconds that an idle connection is kept: as long as Go's clients do (https://pkg.go.dev/net/http#DefaultTransport).
A new one costs a handshake; one that its server closes is dropped at once.
"""
STALE_SECONDS = 1.0
"""A pooled connection that fails later than this, some round trips, after the request was closed because of the
request, not because it had lain too long: it is not tried again, since its server may have worked on it."""

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class _Stale(Exception):
    """A pooled connection was dead before any byte of an answer."""


class AiohttpUpstream:
    """`Upstream` on aiohttp's connector. To be made inside a running event loop.

    `tls` replaces the trust store, for tests; verification can't be skipped. `proxy` is an outbound HTTP
    proxy's URL; the environment's proxies are ignored, since the sidecar itself may be one of them.
    `per_host` bounds the connections to one origin (0: no bound); `keepalive` is in seconds.
    """

    def __init__(
        self,
        *,
        listeners: Listeners | None = None,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        per_host: int = 0,
        keepalive: float = KEEPALIVE,
    ) -> None:
        self._connections = Connections(
            tls=client_context() if tls is None else tls,
            listeners=Listeners() if listeners is None else listeners,
            resolve=resolve,
            proxy=proxy,
            per_host=per_host,
            keepalive=keepalive,
        )
        self._loop = asyncio.get_running_loop()
        self._targets: dict[Origin, Target] = {}
        self._open: set[Answer] = set()

    async def send(self, outgoing: Outgoing, timeouts: Timeouts) -> Answer:
        """Up to the answer's head. Raises Broken, Unsent.

        `timeouts.total` counts from here; `first_byte` from the request's writing, anew with each
        block of an upload.
        """
        check(outgoing)
        request = Request(outgoing, self._target(outgoing.origin))
        deadline = self._loop.time() + timeouts.total
        try:
            return await self._ask(request, timeouts, deadline, fresh=False)
        except _Stale:
            log.info(
                "%s closed a kept connection; its request is sent again", request.target.origin
            )
            return await self._ask(request, timeouts, deadline, fresh=True)

    async def close(self) -> None:
        """Close all connections; answers still being read break off. Idempotent."""
        for answer in list(self._open):
            answer.close()
        await self._connections.close()

    def _target(self, origin: Origin) -> Target:
        target = self._targets.get(origin)
        if target is None:
            if len(self._targets) >= MAX_TARGETS:
                self._targets.clear()
            target = self._targets[origin] = self._connections.target(origin)
        return target

    async def _ask(
        self, request: Request, timeouts: Timeouts, deadline: float, *, fresh: bool
    ) -> Answer:
        try:
            connection = await self._connect(request.target, timeouts, deadline, fresh=fresh)
        except asyncio.CancelledError as cancelled:
            if fresh:
                raise  # it went out once, over a connection that was dead
            raise Unsent(*cancelled.args) from cancelled
        try:
            message, payload = await self._exchange(request, connection, timeouts, deadline)
            answer = Answer(
                origin=request.target.origin,
                status=message.code,
                headers=_headers(message),
                payload=payload,
                declared=message.chunked or "content-length" in message.headers,
                connection=connection,
                reused=handler_of(connection).served,
                idle=timeouts.idle,
                deadline=deadline,
                forget=self._open.discard,
            )
        except NotHttp as error:
            drop(connection)
            raise head_fault(error, request.target.origin, late=None, reused=False) from error
        except BaseException:
            drop(connection)
            raise
        self._open.add(answer)
        return answer

    async def _connect(
        self, target: Target, timeouts: Timeouts, deadline: float, *, fresh: bool
    ) -> Connection:
        seconds = max(min(timeouts.connect, deadline - self._loop.time()), 0.001)
        try:
            return await self._connections.acquire(target, seconds, fresh=fresh)
        except CONNECT_ERRORS as error:
            raise connect_fault(error, target.origin, seconds) from error

    async def _exchange(
        self, request: Request, connection: Connection, timeouts: Timeouts, deadline: float
    ) -> Read:
        """Raises Broken, or `_Stale` when the same request may go out once more."""
        handler = handler_of(connection)
        reused, began = handler.served, self._loop.time()

        def progress() -> None:
            with suppress(RuntimeError):  # it has run out just now
                timer.reschedule(min(deadline, self._loop.time() + timeouts.first_byte))

        timer = asyncio.timeout_at(min(deadline, began + timeouts.first_byte))
        try:
            async with timer:
                return await request.run(handler, progress)
        except HEAD_ERRORS as error:
            now = self._loop.time()
            lost_at_once = isinstance(error, LOST) and now - began < STALE_SECONDS
            if reused and lost_at_once and not handler.heard:
                raise _Stale from error
            late = "total_timeout" if now >= deadline else None
            raise head_fault(error, request.target.origin, late=late, reused=reused) from error


def _headers(message: RawResponseMessage) -> tuple[tuple[str, str], ...]:
    """Raises NotHttp: a control character in a value could end the header in the client's answer."""
    raw = message.raw_headers
    if _CONTROL.search(b"".join([value for _, value in raw])):
        raise NotHttp("a header holds a control character")
    return tuple([(lower_name(name), value.strip(b" \t").decode("latin-1")) for name, value in raw])
