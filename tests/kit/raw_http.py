"""An HTTP/1.1 client that shows what really came over the wire: chunks as they were, and the end."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

DEADLINE = 20.0


@dataclass
class Wire:
    """An answer. `end` is `clean` (its HTTP end came), `cut` (closed before it), `reset`."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    end: str = ""

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """The `data:` of each event: parsed, or the text itself where it is no JSON."""
        found = []
        for block in self.body.decode().split("\n\n"):
            lines = [line for line in block.splitlines() if line.startswith("data: ")]
            found += [_parsed(line[6:]) for line in lines]
        return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class RawClient:
    """One connection to `url`; `send` and `answer` can be repeated on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, url: str, *, tls: ssl.SSLContext | None = None) -> Self:
        host, _, port = url.partition("://")[2].rpartition(":")
        name = {"server_hostname": "localhost"} if tls else {}
        return cls(*await asyncio.open_connection(host.strip("[]"), int(port), ssl=tls, **name))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        version: str = "1.1",
    ) -> None:
        """Bytes go as they are, anything else as JSON."""
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        told = {"host": "demo.test", **(headers or {})}
        lines = [f"{method} {path} HTTP/{version}"]
        lines += [f"{name}: {value}" for name, value in told.items()]
        if body is not None:
            lines.append(f"content-length: {len(raw)}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + raw)

    async def head(self) -> Wire:
        """The status line and headers of the next answer."""
        async with asyncio.timeout(DEADLINE):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        wire = Wire(status=int(lines[0].split(" ")[1]))
        for line in lines[1:-2]:
            name, _, value = line.partition(":")
            wire.headers.append((name.lower(), value.strip()))
        return wire

    async def answer(self) -> Wire:
        """All of the next answer."""
        wire = Wire()
        try:
            wire = await self.head()
            await self._body(wire)
            wire.end = "clean"
        except asyncio.IncompleteReadError as error:
            if error.partial:
                wire.chunks.append(error.partial)
            wire.end = "cut"
        except ConnectionResetError:
            wire.end = "reset"
        return wire

    async def chunk(self) -> bytes:
        """One chunk of a chunked body; empty at its end."""
        async with asyncio.timeout(DEADLINE):
            size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def _body(self, wire: Wire) -> None:
        if wire.header("transfer-encoding") == "chunked":
            while data := await self.chunk():
                wire.chunks.append(data)
            return
        async with asyncio.timeout(DEADLINE):
            if (length := wire.header("content-length")) is not None:
                wire.chunks.append(await self.reader.readexactly(int(length)))
            else:
                wire.chunks.append(await self.reader.read())


async def ask(
    url: str,
    path: str,
    body: object = None,
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
) -> Wire:
    """One request on a connection of its own."""
    async with await RawClient.connect(url) as client:
        client.send(method, path, body, headers)
        return await client.answer()
