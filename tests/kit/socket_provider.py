"""A provider that speaks OpenAI's WebSockets, does what a test tells it, and counts what it gave."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from kit.clients import Way
from kit.sidecars import Running

KEY = "sk-secret-of-upstream-0000"


@dataclass
class Upgrade:
    path: str
    headers: list[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


@dataclass
class SocketProvider:
    """`act` is what the next `response.create` gets: `answer`, `stall`, `start`, `cut`, `fail`, `error`
    or `silent`; `status` an HTTP status that upgrades are refused with."""

    status: int = 101
    body: bytes = b'{"error": {"message": "no", "type": "t", "param": null, "code": "c"}}'
    act: str = "answer"
    follow: bool = False
    """Do what the member `act` of a `response.create` says."""
    prompt: int = 11
    completion: int = 7
    upgrades: list[Upgrade] = field(default_factory=list)
    frames: list[Any] = field(default_factory=list)
    given: list[tuple[int, int]] = field(default_factory=list)
    """Tokens of each response that was counted to its end."""
    open: list[ServerConnection] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    server: Server | None = None
    number: int = 0

    async def start(self) -> str:
        self.server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._decide,
            select_subprotocol=lambda _, offered: offered[0] if offered else None,
            max_size=None,
            ping_interval=None,
            compression="deflate",
        )
        port = self.server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
            await self.server.wait_closed()

    def _decide(self, connection: ServerConnection, request: Request) -> Response | None:
        self.upgrades.append(Upgrade(request.path, list(request.headers.raw_items())))
        if self.status == 101:
            return None
        response = connection.respond(self.status, self.body.decode())
        if self.status == 429:
            response.headers["retry-after"] = "7"
        return response

    async def _serve(self, socket: ServerConnection) -> None:
        self.open.append(socket)
        if "/realtime" in (socket.request.path if socket.request else ""):
            await socket.send(json.dumps({"type": "session.created", "session": {"model": "up"}}))
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                await self._hear(socket, message)

    async def _hear(self, socket: ServerConnection, message: str | bytes) -> None:
        if isinstance(message, bytes) and not message.startswith(b'{"type"'):
            self.frames.append(message)
            await socket.send(message)
            return
        frame = json.loads(message)
        self.frames.append(frame)
        if frame["type"] == "response.create":
            await self._respond(socket, frame)
        elif frame["type"] == "response.cancel":
            await self.end(socket, frame.get("response_id", ""), "cancelled")
        elif frame["type"] == "speak":
            await self.begin(socket, frame["id"])
        else:
            await socket.send(json.dumps({"type": "heard", "of": frame["type"]}))

    async def begin(self, socket: ServerConnection, name: str) -> None:
        await socket.send(json.dumps({"type": "response.created", "response": {"id": name}}))
        for text in ("Hel", "lo!"):
            event = {"type": "response.output_text.delta", "response_id": name, "delta": text * 4}
            await socket.send(json.dumps(event))

    async def end(self, socket: ServerConnection, name: str, status: str = "completed") -> None:
        self.given.append((self.prompt, self.completion))
        usage = {
            "total_tokens": self.prompt + self.completion,
            "input_tokens": self.prompt,
            "output_tokens": self.completion,
            "input_token_details": {"cached_tokens": 4, "text_tokens": 7},
        }
        realtime = "/realtime" in (socket.request.path if socket.request else "")
        kind = "response.done" if realtime else "response.completed"
        response = {"id": name, "status": status, "usage": usage}
        await socket.send(json.dumps({"type": kind, "response": response, "last": True}))

    async def _respond(self, socket: ServerConnection, frame: dict[str, Any]) -> None:
        self.number += 1
        name, act = f"resp_{self.number}", self.act
        if self.follow:
            act = frame.get("act", act)
        self.asked.set()
        if act == "silent":
            return
        if act == "cut":
            socket.transport.abort()
            return
        if act == "error":
            error = {"type": "invalid_request_error", "code": "bad", "message": "no"}
            error["event_id"] = frame.get("event_id")
            await socket.send(json.dumps({"type": "error", "error": error}))
            return
        await self.begin(socket, name)
        if act == "start":
            return
        if act == "start_cut":
            socket.transport.abort()
            return
        if act == "fail":
            response = {"id": name, "status": "failed", "error": {"code": "server_error"}}
            await socket.send(json.dumps({"type": "response.failed", "response": response}))
            return
        await self.end(socket, name)


@asynccontextmanager
async def socket_providers(count: int = 1) -> AsyncIterator[list[SocketProvider]]:
    found = [SocketProvider() for _ in range(count)]
    try:
        yield found
    finally:
        for provider in found:
            await provider.stop()


def rules(urls: list[str], *, window: str = "", extra: str = "") -> str:
    """Providers p0, p1, …; `m` tries all in order, `m0`, `m1`, … one each."""
    lines = ["version: 1", "health: {breaker: false}", "intercept: [api.openai.com]", "providers:"]
    for index, url in enumerate(urls):
        lines += [f"  p{index}:", f"    url: {url}/v1", f"    key: ${{KEY_{index}}}"]
        lines += ["    dialect: openai"]
        lines += ["    timeouts: {connect: 1, first_byte: 1, idle: 1, total: 20}"]
        if window:
            lines += ["    window: w"]
    lines += ["models:"]
    for index, _ in enumerate(urls):
        lines += [f"  m{index}: {{provider: p{index}, name: up{index}, rate: '2.0'}}"]
    chain = ", ".join(f"m{index}" for index, _ in enumerate(urls))
    lines += [f"  m: {{provider: p0, name: up0, rate: '2.0', chain: [{chain}]}}"]
    if window:
        lines += ["windows:", f"  w: {window}"]
    lines += ["rules:", "  - {name: by-model, when: {model: 'm*'}, try: model}"]
    return "\n".join(lines) + "\n" + extra


@asynccontextmanager
async def dialled(
    running: Running, path: str, way: Way, **more: Any
) -> AsyncIterator[ClientConnection]:
    """A client's WebSocket to the sidecar."""
    host, port = running.address
    more = {"compression": "deflate", "max_size": None, "ping_interval": None, **more}
    if way.connect is None:
        socket = connect(f"ws://{host}:{port}{path}", proxy=None, **more)
    else:
        import ssl  # noqa: PLC0415  (only here)

        context = ssl.create_default_context(cafile=str(running.ca))
        proxy = f"http://{host}:{port}"
        socket = connect(f"wss://{way.connect}{path}", proxy=proxy, ssl=context, **more)
    async with socket as connection:
        yield connection


async def told(socket: ClientConnection, *kinds: str) -> dict[str, Any]:
    """The next event of one of these types."""
    async with asyncio.timeout(10):
        while True:
            event = json.loads(await socket.recv())
            if event["type"] in kinds:
                return event


async def answer_local(_host: str, _port: int) -> list[str]:
    """A resolver for names of hosts that are no more than names."""
    return ["127.0.0.1"]


@asynccontextmanager
async def forwarded(running: Running, host: str, path: str) -> AsyncIterator[ClientConnection]:
    """A client's WebSocket to another host, through the sidecar as its proxy."""
    own, port = running.address
    async with connect(
        f"ws://{host}{path}",
        proxy=f"http://{own}:{port}",
        additional_headers={"authorization": "Bearer sk-the-clients-own"},
    ) as socket:
        yield socket
