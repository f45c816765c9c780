"""Raw HTTP/1.1 and HTTP/2 clients that show what really came over the wire, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h11


@dataclass
class Reply:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    clean: bool = False
    """The answer came to a proper end of message."""

    @property
    def body(self) -> bytes:
        return b"".join(data for _, data in self.pieces)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The JSON of each SSE event; `[DONE]` as a string."""
        found = []
        for block in self.body.decode().replace("\r\n", "\n").split("\n\n"):
            data = [line[5:].strip() for line in block.split("\n") if line.startswith("data:")]
            if data:
                text = "\n".join(data)
                found.append(text if text == "[DONE]" else json.loads(text))
        return found


@dataclass(frozen=True)
class Way:
    """How a client reaches the sidecar: as a base URL, or through CONNECT and TLS, with h1 or h2."""

    connect: str | None = None
    h2: bool = False

    def __str__(self) -> str:
        return ("connect" if self.connect else "reverse") + ("-h2" if self.h2 else "-h1")


REVERSE = Way()
CONNECT_H1 = Way("api.openai.com")
CONNECT_H2 = Way("api.openai.com", h2=True)
WAYS = [REVERSE, CONNECT_H1, CONNECT_H2]


async def dial(
    address: tuple[str, int], way: Way, ca: Path | None, *, limit: int = 65536
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(*address, limit=limit)
    if way.connect is None:
        return reader, writer
    target = f"{way.connect}:443"
    writer.write(f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n".encode())
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise ConnectionError(head.decode())
        context = ssl.create_default_context(cafile=str(ca))
        context.set_alpn_protocols(["h2", "http/1.1"] if way.h2 else ["http/1.1"])
        await writer.start_tls(context, server_hostname=way.connect)
    except BaseException:
        writer.close()
        raise
    return reader, writer


class H1Client:
    """One HTTP/1.1 connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        self.reply = Reply()

    async def send(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        pairs = [*headers, ("content-length", str(len(body)))]
        data = self.wire.send(h11.Request(method=method, target=path, headers=pairs)) or b""
        if body:
            data += self.wire.send(h11.Data(data=body)) or b""
        data += self.wire.send(h11.EndOfMessage()) or b""
        self.writer.write(data)
        await self.writer.drain()

    async def pieces(self, *, read: int = 65536) -> AsyncIterator[bytes]:  # noqa: C901  (h11's events)
        """The body's pieces; the reply says afterwards whether it ended cleanly."""
        reply = self.reply = Reply()
        while True:
            event = self.wire.next_event()
            if event is h11.NEED_DATA:
                try:
                    data = await self.reader.read(read)
                except (ConnectionError, ssl.SSLError):
                    return
                try:
                    self.wire.receive_data(data)
                    if not data:
                        self.wire.next_event()
                except h11.RemoteProtocolError:
                    return
                if not data:
                    return
            elif isinstance(event, h11.Response):
                reply.status = event.status_code
                reply.headers = {k.decode().lower(): v.decode() for k, v in event.headers}
            elif isinstance(event, h11.Data):
                reply.pieces.append((time.monotonic(), bytes(event.data)))
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                reply.clean = True
                with contextlib.suppress(h11.LocalProtocolError):
                    self.wire.start_next_cycle()
                return
            elif isinstance(event, h11.ConnectionClosed):
                return

    def close(self) -> None:
        self.writer.close()

    def abort(self) -> None:
        self.writer.transport.abort()


class H2Client:
    """One HTTP/2 connection with one or more streams; windows are given back as data is read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.wire = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        )
        self.wire.initiate_connection()
        self.wire.increment_flow_control_window(2**30)
        self.streams: dict[int, asyncio.Queue[Any]] = {}
        self.reply = Reply()
        self.flush()
        self._pump = asyncio.get_running_loop().create_task(self._read())

    def flush(self) -> None:
        self.writer.write(self.wire.data_to_send())

    async def _read(self) -> None:
        try:
            while data := await self.reader.read(65536):
                for event in self.wire.receive_data(data):
                    stream = getattr(event, "stream_id", None)
                    if stream in self.streams:
                        self.streams[stream].put_nowait(event)
                self.flush()
        except (ConnectionError, ssl.SSLError, h2.exceptions.ProtocolError):
            pass
        finally:
            for queue in self.streams.values():
                queue.put_nowait(None)

    async def send(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        await self.open(method, path, headers, body)

    async def open(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes
    ) -> int:
        stream = self.wire.get_next_available_stream_id()
        self.streams[stream] = asyncio.Queue()
        kept = [(k.lower(), v) for k, v in headers if k.lower() != "host"]
        host = next((v for k, v in headers if k.lower() == "host"), "api.openai.com")
        pseudo = [
            (":method", method),
            (":scheme", "https"),
            (":authority", host),
            (":path", path),
        ]
        self.wire.send_headers(stream, [*pseudo, *kept], end_stream=not body)
        while body:
            size = min(
                len(body),
                self.wire.max_outbound_frame_size,
                self.wire.local_flow_control_window(stream),
            )
            if not size:
                await asyncio.sleep(0.001)
                continue
            self.wire.send_data(stream, body[:size], end_stream=size == len(body))
            body = body[size:]
            self.flush()
        self.flush()
        await self.writer.drain()
        self.last = stream
        return stream

    async def pieces(
        self,
        stream: int | None = None,
        *,
        read: int = 0,  # noqa: ARG002  (h1's)
    ) -> AsyncIterator[bytes]:
        stream = stream or self.last
        reply = self.reply = Reply()
        queue = self.streams[stream]
        while (event := await queue.get()) is not None:
            if isinstance(event, h2.events.ResponseReceived):
                fields = dict(event.headers)
                reply.status = int(fields[":status"])
                reply.headers = {k: v for k, v in fields.items() if not k.startswith(":")}
            elif isinstance(event, h2.events.DataReceived):
                reply.pieces.append((time.monotonic(), event.data))
                yield event.data
                if event.flow_controlled_length:
                    self.wire.acknowledge_received_data(event.flow_controlled_length, stream)
                    self.flush()
            elif isinstance(event, h2.events.StreamEnded):
                reply.clean = True
                return
            elif isinstance(event, h2.events.StreamReset):
                return

    def reset(self, stream: int | None = None) -> None:
        self.wire.reset_stream(stream or self.last, 8)
        self.flush()

    def close(self) -> None:
        self._pump.cancel()
        self.writer.close()

    def abort(self) -> None:
        self._pump.cancel()
        self.writer.transport.abort()


Client = H1Client | H2Client


async def client(address: tuple[str, int], way: Way, ca: Path | None) -> Client:
    """A connected client; close it."""
    reader, writer = await dial(address, way, ca)
    return H2Client(reader, writer) if way.h2 else H1Client(reader, writer)


async def call(
    address: tuple[str, int],
    way: Way,
    ca: Path | None,
    body: object,
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    headers: list[tuple[str, str]] | None = None,
    over: Client | None = None,
) -> Reply:
    """One request and its whole reply."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    host = way.connect or f"{address[0]}:{address[1]}"
    pairs = [("host", host), ("content-type", "application/json"), *(headers or [])]
    connection = over or await client(address, way, ca)
    try:
        await connection.send(method, path, pairs, raw)
        async for _ in connection.pieces():
            pass
        return connection.reply
    finally:
        if over is None:
            connection.close()
