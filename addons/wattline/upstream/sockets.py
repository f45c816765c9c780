"""WebSockets to providers: HTTP/1.1 upgrades over connections of their own, TLS verified.

A provider's name is resolved once, and the connection goes to an address that was checked: none of our
own listeners. Nothing is followed, nothing is retried, no extension is offered.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, RejectConnection, RejectData, Request
from wsproto.utilities import ProtocolError

from wattline.base.origin import Origin
from wattline.rules.compiled.provider import Timeouts
from wattline.upstream.addresses import Resolve, read_address, system_resolve
from wattline.upstream.base import Broken, Outgoing
from wattline.upstream.credentials import check, header_lines
from wattline.upstream.faults import connect_fault
from wattline.upstream.guard import Listeners
from wattline.upstream.tls import client_context
from wattline.wire.http import Headers
from wattline.wire.websocket import Frames, Item

READ = 65_536
ERROR_BODY = 65_536
"""Bytes of a refusal's body that are read."""
GOODBYE_SECONDS = 5.0
"""How long what was written last may take to go out."""
WRITE_HIGH = 262_144
"""Bytes that wait for a provider to read; a sender waits beyond them."""


class Refused(Exception):
    """The provider answered the upgrade with something else than 101."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.headers = headers
        self.body = body


class Socket:
    """An open WebSocket to a provider. Leave it with `close`, always."""

    __slots__ = ("_frames", "_lost", "_reader", "_writer", "origin", "protocol")

    def __init__(
        self,
        origin: Origin,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        frames: Frames,
        protocol: str | None,
    ) -> None:
        """`protocol` is the subprotocol that the provider chose."""
        self.origin = origin
        self.protocol = protocol
        self._reader = reader
        self._writer = writer
        self._frames = frames
        self._lost = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.origin}>"

    async def read(self) -> list[Item]:
        """What came; `Closed` is the last of all. Raises Broken (`cut`)."""
        found = self._frames.feed(b"")
        while not found:
            try:
                data = await self._reader.read(READ)
            except OSError as error:
                raise self._cut("it was reset") from error
            if not data:
                raise self._cut("it ended without a close frame")
            found = self._frames.feed(data)
        return found

    @property
    def frames(self) -> Frames:
        """Makes what `send` takes."""
        return self._frames

    async def send(self, data: bytes) -> None:
        """Write, and wait while too much waits to be read. Raises Broken (`cut`)."""
        if not data:
            return
        try:
            self._writer.write(data)
            if self._writer.transport.get_write_buffer_size() > WRITE_HIGH:
                await self._writer.drain()
        except OSError as error:
            raise self._cut("it was reset") from error

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Say goodbye with `code` and close; without one, close at once. Idempotent."""
        if self._lost:
            return
        self._lost = True
        if code is None:
            self._writer.transport.abort()
            return
        with suppress(OSError, RuntimeError):
            self._writer.write(self._frames.close(code, reason))
        transport = self._writer.transport
        transport.close()
        # A provider that reads no more would keep what was written, and us, for ever.
        asyncio.get_running_loop().call_later(GOODBYE_SECONDS, transport.abort)

    def _cut(self, how: str) -> Broken:
        return Broken("cut", f"the WebSocket to {self.origin} broke off: {how}", sent=True)


class SocketConnector:
    """Opens WebSockets. `tls` replaces the trust store, for tests; verification can't be skipped."""

    def __init__(
        self,
        listeners: Listeners,
        *,
        max_bytes: int,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._listeners = listeners
        self._max_bytes = max_bytes
        self._resolve = resolve
        self._tls = tls

    async def open(
        self, outgoing: Outgoing, protocols: Sequence[str], timeouts: Timeouts
    ) -> Socket:
        """Up to the 101. `outgoing` is a GET without a body. Raises Broken, Refused."""
        check(outgoing)
        request = _request(outgoing, protocols)
        origin = outgoing.origin
        reader, writer = await self._connect(origin, timeouts.connect)
        done = False
        try:
            async with _late(origin, timeouts.first_byte):
                socket = await self._upgrade(origin, request, reader, writer)
            done = True
        finally:
            if not done:
                writer.transport.abort()
        return socket

    async def _connect(
        self, origin: Origin, seconds: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(seconds):
                return await self._dial(origin)
        except ssl.SSLCertVerificationError as error:
            said = f"the certificate of {origin} was refused: {error.verify_message}"
            raise Broken("tls", said) from error
        except ssl.SSLError as error:
            raise Broken("tls", f"no TLS connection to {origin}: the handshake failed") from error
        except (OSError, ValueError) as error:
            raise connect_fault(error, origin, seconds) from error

    async def _dial(self, origin: Origin) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        failure: OSError | None = None
        for address in await self._addresses(origin):
            try:
                if origin.scheme != "https":
                    return await asyncio.open_connection(address, origin.port)
                return await asyncio.open_connection(
                    address, origin.port, ssl=self._context(), server_hostname=origin.host
                )
            except OSError as error:
                failure = failure or error
        raise failure or OSError(None, "no address")

    async def _addresses(self, origin: Origin) -> Sequence[str]:
        try:
            found = await self._resolve(origin.host, origin.port)
        except (OSError, UnicodeError) as error:
            raise Broken("dns", f"the host of {origin} can't be resolved") from error
        for text in found:
            if self._listeners.owns(read_address(text), origin.port):
                raise Broken(
                    "own_listener",
                    f"{origin.host} port {origin.port} is this sidecar itself: a provider's base URL "
                    "must be another",
                )
        return found

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = client_context()
        return self._tls

    async def _upgrade(
        self,
        origin: Origin,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> Socket:
        handshake = _Handshake(origin)
        try:
            writer.write(handshake.wire.send(request))
            while (accepted := handshake.feed(await reader.read(READ))) is None:
                pass
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:
                raise
            raise Broken("reset", f"{origin} reset the connection", sent=True) from error
        frames = Frames(
            client=True, max_bytes=self._max_bytes, connection=handshake.wire.connection
        )
        return Socket(origin, reader, writer, frames, accepted.subprotocol)


class _Handshake:
    """A provider's answer to an upgrade, bytes by bytes."""

    def __init__(self, origin: Origin) -> None:
        self.wire = WSConnection(ConnectionType.CLIENT)
        self._origin = origin
        self._refusal: RejectConnection | None = None
        self._body = b""

    def feed(self, data: bytes) -> AcceptConnection | None:
        """No data is the connection's end. Raises Broken, Refused."""
        try:
            self.wire.receive_data(data or None)
            for event in self.wire.events():
                if isinstance(event, AcceptConnection):
                    return event
                self._note(event)
        except (ProtocolError, UnicodeError) as error:
            if self._refusal is not None:
                raise _refused(self._refusal, self._body) from error
            if not data:
                raise Broken("reset", f"{self._origin} closed the connection", sent=True) from error
            said = f"the answer of {self._origin} to an upgrade is not HTTP"
            raise Broken("bad_answer", said, sent=True) from error
        if not data:
            raise Broken("reset", f"{self._origin} closed the connection", sent=True)
        return None

    def _note(self, event: object) -> None:
        if isinstance(event, RejectConnection):
            self._refusal = event
        elif isinstance(event, RejectData):
            self._body += event.data[: ERROR_BODY - len(self._body)]
        if self._refusal is not None and _is_whole(event, self._body):
            raise _refused(self._refusal, self._body)


@asynccontextmanager
async def _late(origin: Origin, seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        said = f"{origin} took the upgrade and did not answer in time"
        raise Broken("first_byte_timeout", said, sent=True) from error


def _request(outgoing: Outgoing, protocols: Sequence[str]) -> Request:
    """Raises Broken (`unsendable`)."""
    lines = header_lines(outgoing).splitlines()
    pairs = [line.split(": ", 1) for line in lines]
    path = outgoing.path
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise Broken("unsendable", f"the path for {outgoing.origin} is not HTTP's")
    host = str(outgoing.origin).split("://", 1)[1]
    try:
        host.encode("idna")  # as the handshake does
    except UnicodeError as error:
        raise Broken("unsendable", f"{host[:100]!r} is no host name") from error
    return Request(
        host=host,
        target=path,
        subprotocols=list(protocols),
        extra_headers=[(name.encode(), value.encode("latin-1")) for name, value in pairs],
    )


def _is_whole(event: object, body: bytes) -> bool:
    """The refusal is complete, or enough of it is here."""
    if isinstance(event, RejectConnection):
        return not event.has_body
    ended = isinstance(event, RejectData) and event.body_finished
    return ended or len(body) >= ERROR_BODY


def _refused(event: RejectConnection, body: bytes) -> Refused:
    headers = tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1").strip())
        for name, value in event.headers
    )
    return Refused(event.status_code, headers, body)
