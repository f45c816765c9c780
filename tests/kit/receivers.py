"""A fast raw upstream: it counts and hashes what it is sent, and keeps nothing of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from typing import Self

BLOCK = 1024 * 1024


@dataclass
class Received:
    """One request as it came over the wire."""

    line: str
    headers: dict[str, str]
    size: int = 0
    digest: str = ""
    whole: bool = False
    """As many bytes came as its head announced."""


@dataclass
class Receiver:
    """`refuse`: the status of each next request instead of 200, answered after that many bytes."""

    refuse: list[tuple[int, int]] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    url: str = ""

    async def __aenter__(self) -> Self:
        self._writers: set[asyncio.StreamWriter] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=BLOCK)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = head[:-4].split("\r\n")
        headers = {}
        for text in rest:
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        request = Received(line, headers)
        self.requests.append(request)
        left, sha = int(headers["content-length"]), hashlib.sha256()
        status, after = self.refuse.pop(0) if self.refuse else (200, left)
        while left and request.size < after:
            block = await reader.read(min(BLOCK, left))
            if not block:
                return False
            left -= len(block)
            request.size += len(block)
            sha.update(block)
        request.digest, request.whole = sha.hexdigest(), not left
        body = json.dumps({"text": "it arrived"} if status == 200 else {"error": {"message": "no"}})
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n{body}".encode()
        )
        await writer.drain()
        return not left
