"""The rest of the internet, on loopback: every name has an address, and every host answers over TLS.

Names and connections of this process only lead there; what stands between is unchanged. Each byte that
comes in and goes out is noted.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import h11
import pytest

from kit.certs import Authority

PUBLIC = "93.184.215.14"
"""Stands for every host; nothing is ever sent there."""
HERE = (None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0")


@dataclass
class Noted:
    """The bytes of one connection, as they were written by either side."""

    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)


@dataclass
class Asked:
    """One request to a host that stands in for a real one; `raw` is all of it."""

    host: str
    raw: bytes
    method: str
    target: str
    body: bytes


class Relay:
    """Hands TCP connections on to `port` of loopback, and notes their bytes."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self.connections: list[Noted] = []
        self._open: set[asyncio.Task[Any]] = set()
        self._noted: dict[asyncio.Task[Any], Noted] = {}

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def quiet(self) -> None:
        """Wait until all connections have ended."""
        deadline = asyncio.get_running_loop().time() + 30
        while self._open:
            left = deadline - asyncio.get_running_loop().time()
            assert left > 0, f"still open: {[self._shown(task) for task in self._open]}"
            await asyncio.wait(set(self._open), timeout=left)

    def _shown(self, task: asyncio.Task[Any]) -> tuple[str, bytes, bytes]:
        """Where a connection stands: what waits, and the ends of what went each way."""
        noted = self._noted[task]
        return str(task.get_stack(limit=1)), bytes(noted.up[-80:]), bytes(noted.down[-80:])

    async def stop(self) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        noted = self._noted[task] = Noted()
        self.connections.append(noted)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            try:
                await asyncio.gather(pump(reader, back, noted.up), pump(there, writer, noted.down))
            finally:
                back.close()
        finally:
            writer.close()
            self._open.discard(task)


async def pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, noted: bytearray
) -> None:
    """One direction of a connection to its end, noting its bytes."""
    with contextlib.suppress(OSError):  # either side may have gone meanwhile, even by a reset
        while piece := await reader.read(65536):
            noted += piece
            writer.write(piece)
            await writer.drain()
    with contextlib.suppress(OSError):  # which the other one learns as an end
        if writer.can_write_eof():
            writer.write_eof()


class Internet:
    """Answers 404 and `{}` to everything. `requests` is what came, `relay` has the bytes below TLS."""

    def __init__(self, signer: Authority) -> None:
        self._signer = signer
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._hosts: dict[int, str] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self.requests: list[Asked] = []

    async def start(self) -> None:
        context = self._signer.server("any.test")
        context.sni_callback = self._choose
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.relay = Relay(self._server.sockets[0].getsockname()[1])
        await self.relay.start()

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self.relay.stop()

    def _choose(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        host = name or "any.test"
        if host not in self._contexts:
            self._contexts[host] = self._signer.server(host)
        tls.context = self._contexts[host]
        self._hosts[id(tls)] = host

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        host = self._hosts.pop(id(writer.get_extra_info("ssl_object")), "")
        with contextlib.suppress(ConnectionError, h11.RemoteProtocolError, ssl.SSLError):
            while await self._one(reader, writer, host):
                pass
        self._writers.discard(writer)
        writer.close()

    async def _one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str
    ) -> bool:
        wire = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        request, raw, body = None, b"", b""
        while not isinstance(event := wire.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                piece = await reader.read(65536)
                raw += piece
                wire.receive_data(piece)
                if not piece:
                    return False
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                return False
        assert request is not None
        self.requests.append(
            Asked(host, raw, request.method.decode(), request.target.decode(), body)
        )
        writer.write(
            b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        )
        await writer.drain()
        return True


@contextlib.asynccontextmanager
async def online(signer: Authority, patch: pytest.MonkeyPatch) -> AsyncIterator[Internet]:
    """This process has an internet while it lasts."""
    internet = Internet(signer)
    await internet.start()
    look_up, connect = socket.getaddrinfo, asyncio.open_connection

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        return look_up(host if host in HERE else PUBLIC, *rest, **more)

    async def open_connection(host: Any = None, port: Any = None, **more: Any) -> Any:
        if host == PUBLIC:
            host, port = "127.0.0.1", internet.relay.port
        return await connect(host, port, **more)

    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    patch.setattr(asyncio, "open_connection", open_connection)
    try:
        yield internet
    finally:
        await internet.stop()
