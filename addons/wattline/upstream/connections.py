"""The pool of connections, on aiohttp's connector and its response protocol.

Rules of this file. It is the only one that touches what aiohttp does not document: `TCPConnector`'s
`_factory`, and `ResponseHandler`'s `set_response_params`, `read`, `should_close` and `abort`. Going
through `ClientSession` instead nearly doubles the CPU of a small call (80 us against 46 on the same
machine), and it can't say whether a connection came from the pool, nor ask for one that does not.
What aiohttp does here: names to addresses (happy eyeballs), TCP, TLS, CONNECT to a proxy, keep-alive,
parsing answers. What it does not: writing requests, redirects, cookies, decompression, retries.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from wattline.base.origin import Origin
from wattline.upstream.addresses import Address, BadHost, Resolve, read_address, read_host
from wattline.upstream.base import Broken
from wattline.upstream.guard import Listeners

NEVER_ROUNDED = 1e9
"""aiohttp rounds timeouts above a threshold up to whole seconds; ours are kept as they are."""


class Handler(ResponseHandler):
    """One connection, from its first request to its end."""

    served = False
    """It has carried a request before the present one."""
    heard = False
    """A byte of the present answer has come."""
    resting = False
    """It lies in the pool: whatever comes now was not asked for."""
    lost: BaseException | None = None
    """Why it ended, when it did not end with a clean close."""

    def data_received(self, data: bytes) -> None:
        """Bytes on a resting connection would be taken for the next call's answer: end it."""
        self.heard = True
        if self.resting:
            self.abort()
            return
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Keep the reason: a body that ends with its connection hides a reset otherwise."""
        self.lost = exc
        super().connection_lost(exc)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """A parser's error has to reach the reader of the body too, not only that of the head."""
        payload = self._payload
        super().set_exception(exc, exc if exc_cause is None else exc_cause)
        if payload is not None and payload.exception() is None and not payload.is_eof():
            payload.set_exception(exc, exc if exc_cause is None else exc_cause)


@dataclass(slots=True)
class Target:
    """What stays the same for all requests to an origin. `request` carries the origin, TLS and the
    proxy to aiohttp's connector; it is never sent.
    """

    origin: Origin
    request: ClientRequest
    literal: tuple[str, Address, int] | None
    """Host, address and port that are connected to (the proxy's, if there is one), when the host is an
    address: aiohttp asks no resolver for it."""
    fixed_lines: str
    """`host`, and the proxy's credential when the proxy reads the request itself."""
    path_prefix: str
    """Empty; the origin itself when the proxy reads the request (absolute form)."""


class _OwnResolver(AbstractResolver):
    """Names to addresses, none of which may be one of our own listeners."""

    def __init__(self, resolve: Resolve, check: Callable[[str, Address, int], None]) -> None:
        self._resolve = resolve
        self._check = check

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = []
        for text in await self._resolve(host, port):
            address = read_address(text)
            self._check(host, address, port)
            actual = socket.AF_INET6 if ":" in text else socket.AF_INET
            if family in (socket.AF_UNSPEC, actual):
                found.append(
                    ResolveResult(
                        hostname=host, host=text, port=port, family=actual, proto=0, flags=0
                    )
                )
        if not found:
            raise OSError(None, "no address")
        return found

    async def close(self) -> None:
        """Nothing is held open."""


class Connections:
    """Connections to all origins. To be made inside a running event loop.

    `per_host` bounds the connections to one origin (0: no bound), `keepalive` is how many seconds an
    unused one is kept, `proxy` an HTTP proxy's URL through which all go.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext,
        listeners: Listeners,
        resolve: Resolve,
        proxy: str | None,
        per_host: int,
        keepalive: float,
    ) -> None:
        self._listeners = listeners
        self._proxy = None if proxy is None else URL(proxy)
        self._connector = TCPConnector(
            ssl=tls,
            limit=0,
            limit_per_host=per_host,
            keepalive_timeout=keepalive,
            resolver=_OwnResolver(resolve, self._check_address),
            timeout_ceil_threshold=NEVER_ROUNDED,
        )
        self._loop = self._connector._loop  # noqa: SLF001  (the running loop, checked by aiohttp)
        self._connector._factory = _handlers(self._loop)  # noqa: SLF001  (see above)

    def target(self, origin: Origin) -> Target:
        """Raises Broken (`unsendable`, `forbidden_address`) for a host that is none."""
        try:
            host = read_host(origin.host)
            url = URL.build(scheme=origin.scheme, host=origin.host, port=origin.port)
        except (BadHost, ValueError) as error:
            raise Broken("unsendable", f"{str(origin)[:200]!r} is no origin: {error}") from error
        if not isinstance(host, str) and not _is_usual(origin.host):
            raise Broken(
                "forbidden_address",
                f"the host of {origin} is an unusual spelling of {host}; write it so",
            )
        literal = _literal(url if self._proxy is None else self._proxy)
        request = ClientRequest("POST", url, loop=self._loop, proxy=self._proxy)
        fixed = f"host: {str(origin).split('://', 1)[1]}\r\n"
        if self._proxy is None or origin.scheme == "https":
            return Target(origin, request, literal, fixed, "")
        return Target(origin, request, literal, fixed + _proxy_line(self._proxy), str(origin))

    async def acquire(self, target: Target, seconds: float, *, fresh: bool) -> Connection:
        """A connection that is connected, TLS included; `fresh`: not one from the pool, whose others to
        the same origin are closed, since one of them was found dead.

        Raises aiohttp's errors, TimeoutError after `seconds`, Broken (`own_listener`).
        """
        if target.literal is not None:
            self._check_address(*target.literal)
        timeout = ClientTimeout(total=None, connect=seconds, ceil_threshold=NEVER_ROUNDED)
        while True:
            connection = await self._connector.connect(target.request, [], timeout)
            handler = handler_of(connection)
            if not handler.served or not (fresh or handler.should_close):
                handler.resting = handler.heard = False
                return connection
            drop(connection)

    def _check_address(self, host: str, address: Address, port: int) -> None:
        if self._listeners.owns(address, port):
            raise Broken(
                "own_listener",
                f"{host} port {port} is this sidecar itself: a provider's base URL, or the outbound "
                "proxy, must be another",
            )

    async def close(self) -> None:
        """Close every connection, those in use too. Idempotent."""
        await self._connector.close()


def _literal(url: URL) -> tuple[str, Address, int] | None:
    host = url.raw_host or ""
    if not _is_usual(host):
        return None
    return host, read_address(host), url.port or 0


def _is_usual(host: str) -> bool:
    try:
        read_address(host)
    except ValueError:
        return False
    return True


def _handlers(loop: asyncio.AbstractEventLoop) -> functools.partial[Any]:
    return functools.partial(Handler, loop=loop)


def _proxy_line(proxy: URL) -> str:
    if not proxy.user:
        return ""
    pair = f"{proxy.user}:{proxy.password or ''}".encode()
    return f"proxy-authorization: Basic {base64.b64encode(pair).decode()}\r\n"


def handler_of(connection: Connection) -> Handler:
    """Raises ConnectionError when the connection is gone already."""
    handler = connection.protocol
    if not isinstance(handler, Handler):
        raise ConnectionResetError("the connection was closed")
    return handler


def give_back(connection: Connection) -> None:
    """The answer was read to its end: into the pool, unless one side wants it closed."""
    handler = connection.protocol
    if isinstance(handler, Handler):
        handler.served = handler.resting = True
    connection.release()


def drop(connection: Connection) -> None:
    """Close at once: no farewell that a stuck peer could delay."""
    handler = connection.protocol
    if handler is not None:
        handler.abort()
    connection.close()
