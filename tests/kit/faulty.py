"""A server that misbehaves on purpose: raw asyncio TCP or TLS, told what to do by a `Fault`.

```
async with faulty(close_before_head()) as server:
    ...  # server.origin, server.connections, server.requests, server.received
```

A `Fault` is a coroutine function that is given one `Peer` (an accepted connection). It knows no HTTP
library, so that what it sends is exactly what it says.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from wattline.base.origin import Origin

BLOCK = 65_536


@dataclass
class Seen:
    """One request as it arrived: `connection` counts accepted connections from 0."""

    connection: int
    head: bytes
    body: bytes

    @property
    def lines(self) -> list[bytes]:
        return self.head.split(b"\r\n")

    def values(self, name: str) -> list[bytes]:
        """All values of a header, in order."""
        wanted = name.lower().encode() + b":"
        return [
            line.split(b":", 1)[1].strip()
            for line in self.lines[1:]
            if line.lower().startswith(wanted)
        ]


class Peer:
    """One accepted connection, seen from the server."""

    def __init__(
        self,
        server: Server,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.server = server
        self.number = number
        self.received = b""
        self.gone = asyncio.Event()
        """The client closed or reset this connection."""
        self._reader = reader
        self._writer = writer
        self._ahead = b""

    async def _more(self) -> bool:
        try:
            data = await self._reader.read(BLOCK)
        except OSError:
            data = b""
        if not data:
            self.gone.set()
            return False
        self.received += data
        self._ahead += data
        return True

    async def request(self) -> Seen | None:
        """The next whole request (content-length or no body); None when the client has gone."""
        while b"\r\n\r\n" not in self._ahead:
            if not await self._more():
                return None
        head, rest = self._ahead.split(b"\r\n\r\n", 1)
        seen = Seen(self.number, head, b"")
        sizes = seen.values("content-length")
        size = int(sizes[0]) if sizes else 0
        while len(rest) < size:
            if not await self._more():
                return None
            rest = self._ahead.split(b"\r\n\r\n", 1)[1]
        seen.body, self._ahead = rest[:size], rest[size:]
        self.server.requests.append(seen)
        self.server.arrived.set()
        return seen

    async def head_only(self) -> None:
        """Read up to the end of a request's head and no further."""
        while b"\r\n\r\n" not in self._ahead:
            if not await self._more():
                return
        self.server.arrived.set()

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._writer.write(data)
            await self._writer.drain()

    async def until_gone(self) -> None:
        """Read and drop until the client goes."""
        while await self._more():
            self._ahead = b""

    def reset(self) -> None:
        """End with RST: linger on, zero seconds."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        self._writer.close()

    async def finish(self) -> None:
        """Close with FIN and see whether the client does too."""
        self._writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await self._writer.wait_closed()


type Fault = Callable[[Peer], Awaitable[None]]


@dataclass
class Server:
    """What a running faulty server saw."""

    origin: Origin
    peers: list[Peer] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """A request's head or the whole request is here."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """`silent_tcp` only: the client closed."""
    tcp: int = 0
    """TCP connections, those that never finished a TLS handshake included."""

    @property
    def connections(self) -> int:
        """Connections that got as far as the application: after TLS where there is TLS."""
        return len(self.peers)

    @property
    def received(self) -> bytes:
        """Every application byte that any client sent."""
        return b"".join(peer.received for peer in self.peers)


@contextlib.asynccontextmanager
async def faulty(
    fault: Fault, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", name: str = ""
) -> AsyncIterator[Server]:
    """Run `fault` on a free port. `name` is the host in the origin, when it is not the address."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(server, len(server.peers), reader, writer)
        server.peers.append(peer)
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await fault(peer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    listening = await asyncio.start_server(accept, host, 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server = Server(Origin("https" if tls else "http", name or host, port))
    try:
        yield server
    finally:
        listening.close()
        running = list(tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@contextlib.asynccontextmanager
async def silent_tcp() -> AsyncIterator[Server]:
    """Accepts TCP and never says a word: a TLS handshake that is never answered."""
    loop = asyncio.get_running_loop()

    class Silent(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            server.tcp += 1
            server.arrived.set()
            open_.add(transport)

        def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio calls it so)
            server.gone.set()

    open_: set[asyncio.Transport] = set()
    listening = await loop.create_server(Silent, "127.0.0.1", 0)
    server = Server(Origin("https", "127.0.0.1", listening.sockets[0].getsockname()[1]))
    try:
        yield server
    finally:
        listening.close()
        for transport in open_:
            transport.abort()


def refused_origin(scheme: str = "http", host: str = "127.0.0.1") -> Origin:
    """An origin at which nothing listens: a port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return Origin(scheme, host, probe.getsockname()[1])


# What to answer


def whole(
    body: bytes = b'{"ok":true}',
    status: str = "200 OK",
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),),
) -> bytes:
    """A complete answer with content-length."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"HTTP/1.1 {status}\r\n{lines}content-length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


END = b"0\r\n\r\n"


# Faults


def good(answer: bytes | None = None) -> Fault:
    """No fault: the same answer to each request, keep-alive."""

    async def fault(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.send(whole() if answer is None else answer)

    return fault


def streaming(pieces: list[bytes], *, end: bytes = END) -> Fault:
    """A chunked stream, one chunk for each piece."""
    return good(STREAM_HEAD + b"".join(chunk(piece) for piece in pieces) + end)


def hang_before_head() -> Fault:
    async def fault(peer: Peer) -> None:
        await peer.request()
        await peer.until_gone()

    return fault


def never_read() -> Fault:
    """Accepts and reads nothing, so that the client's body fills every buffer."""

    async def fault(peer: Peer) -> None:
        await peer.head_only()
        await asyncio.Event().wait()

    return fault


def close_before_head() -> Fault:
    async def fault(peer: Peer) -> None:
        await peer.request()
        await peer.finish()

    return fault


def reset_before_head() -> Fault:
    async def fault(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    return fault


def then_stall(data: bytes) -> Fault:
    """Send this, then nothing more. A slow head, or a stall in the middle of a body."""

    async def fault(peer: Peer) -> None:
        await peer.request()
        await peer.send(data)
        await peer.until_gone()

    return fault


def then_close(data: bytes) -> Fault:
    """Send this, then FIN: content-length short, or chunked without its end."""

    async def fault(peer: Peer) -> None:
        await peer.request()
        await peer.send(data)
        await peer.finish()

    return fault


def then_reset(data: bytes, gate: asyncio.Event | None = None) -> Fault:
    """Send this, then RST, after `gate` is set (RST throws away what the client has not read)."""

    async def fault(peer: Peer) -> None:
        await peer.request()
        await peer.send(data)
        if gate is not None:
            await gate.wait()
        peer.reset()

    return fault


def sliced(data: bytes, size: int = 1) -> Fault:
    """The same bytes in writes of `size`, each its own packet."""

    async def fault(peer: Peer) -> None:
        while await peer.request() is not None:
            for start in range(0, len(data), size):
                await peer.send(data[start : start + size])
                await asyncio.sleep(0)

    return fault


def endless_head(line: bytes = b"x-more: " + b"y" * 1000 + b"\r\n") -> Fault:
    """A head that never ends; stops when the client goes."""

    async def fault(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        await _flood(peer, line * 60)

    return fault


def informational_flood(status: bytes = b"103 Early Hints") -> Fault:
    async def fault(peer: Peer) -> None:
        await peer.request()
        await _flood(peer, (b"HTTP/1.1 " + status + b"\r\n\r\n") * 200)

    return fault


async def _flood(peer: Peer, data: bytes) -> None:
    watch = asyncio.ensure_future(peer.until_gone())
    try:
        while not peer.gone.is_set():
            await peer.send(data)
            await asyncio.sleep(0)
    finally:
        watch.cancel()


def garbage(data: bytes = b"\x16\x03\x01 this is not HTTP\r\n\r\n") -> Fault:
    return then_stall(data)


def huge_chunk_size() -> Fault:
    return then_stall(STREAM_HEAD + b"F" * 40 + b"\r\nabc")


def unasked_gzip(body: bytes) -> Fault:
    """Compressed although identity was asked for."""
    packed = gzip.compress(body)
    return good(whole(packed, headers=(("content-encoding", "gzip"),)))


def trailers(count: int = 1) -> Fault:
    lines = b"".join(b"x-trailer-%d: v\r\n" % number for number in range(count))
    return good(STREAM_HEAD + chunk(b"hello") + b"0\r\n" + lines + b"\r\n")


def redirect_to(origin: Origin, status: str = "307 Temporary Redirect") -> Fault:
    return good(whole(b"", status, (("location", f"{origin}/stolen"),)))


def stale_after(answers: int = 1, *, ending: str = "close") -> Fault:
    """Each first connection answers so many requests, waits for one more to arrive whole, and ends
    without a byte; connections after the first behave."""

    async def fault(peer: Peer) -> None:
        if peer.number > 0:
            await good()(peer)
            return
        for _ in range(answers):
            if await peer.request() is None:
                return
            await peer.send(whole())
        if await peer.request() is None:
            return
        if ending == "reset":
            peer.reset()
        else:
            await peer.finish()

    return fault


def early_answer(answer: bytes) -> Fault:
    """Answers when it has the head and reads no body."""

    async def fault(peer: Peer) -> None:
        await peer.head_only()
        await peer.send(answer)
        await asyncio.Event().wait()

    return fault
