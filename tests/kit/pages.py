"""A sidecar whose web face has a few more pages, and a WebSocket client."""

from __future__ import annotations

import asyncio
import contextlib
import json

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.responses import Response
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    RejectConnection,
    RejectData,
    TextMessage,
)
from wsproto.events import Request as Upgrade

from kit.sidecars import Running
from wattline.web.door import VISITOR
from wattline.web.sockets import KEY

BASE = "/api/v1/test"


class Pages:
    """Pages under /api/v1/test; `add` before the first request."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.go = asyncio.Event()
        self.began = asyncio.Event()
        self.changes = 0
        """How often `change` changed something."""
        self.large_bytes = 400_000

    def add(self, sidecar: Running) -> None:
        lazy = sidecar.sidecar.web._sockets._app
        make = lazy._make
        lazy._make = lambda: self._with_pages(make())

    def _with_pages(self, app: FastAPI) -> FastAPI:
        app.add_api_route(f"{BASE}/seen", self.seen, methods=["GET", "POST"])
        app.add_api_route(f"{BASE}/stream", self.stream, methods=["GET"])
        app.add_api_route(f"{BASE}/wait", self.wait, methods=["GET"])
        app.add_api_route(f"{BASE}/large", self.large, methods=["GET"])
        app.add_api_route(f"{BASE}/bug", self.bug, methods=["GET"])
        for path, page in (("change", self.change), ("changing", self.changing)):
            app.add_api_route(f"{BASE}/{path}", page, methods=["POST", "PUT", "PATCH", "DELETE"])
        app.add_api_websocket_route(f"{BASE}/echo", self.echo)
        app.add_api_websocket_route(f"{BASE}/work", self.work)
        return app

    async def seen(self, request: Request) -> dict[str, object]:
        visitor = request.scope[VISITOR]
        principal = visitor.principal
        return {
            "headers": [[k.decode(), v.decode()] for k, v in request.scope["headers"]],
            "body": len(await request.body()),
            "id": visitor.id,
            "peer": visitor.peer,
            "principal": None if principal is None else [principal.id, principal.tier],
            "method": request.method,
        }

    async def stream(self) -> StreamingResponse:
        async def pieces():
            try:
                yield b"data: 1\n\n"
                await self.go.wait()
                yield b"data: 2\n\n"
            except asyncio.CancelledError:
                self.gone.set()
                raise

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def wait(self) -> dict[str, str]:
        self.began.set()
        await self.go.wait()
        return {"waited": "yes"}

    async def large(self) -> Response:
        return Response(b"x" * self.large_bytes, media_type="text/plain")

    async def change(self, request: Request) -> Response:
        """Changes something, or fails as the body says: `{"fail": 404}`, `{"wait": true}`."""
        said = json.loads(await request.body() or b"{}")
        if said.get("fail") == "bug":
            raise RuntimeError("sk-of-nobody-in-a-message")
        if said.get("wait"):
            self.began.set()
            await self.go.wait()
        self.changes += 1
        status = said.get("fail", 201)
        return JSONResponse({"change": self.changes}, status, {"x-of-the-page": "yes"})

    async def changing(self) -> StreamingResponse:
        """A stream that changes something, and may break off."""

        async def pieces():
            self.changes += 1
            yield b"data: 1\n\n"
            self.began.set()
            await self.go.wait()
            if self.gone.is_set():
                raise RuntimeError("broken off")
            yield b"data: 2\n\n"

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def bug(self) -> None:
        raise RuntimeError("sk-of-nobody-in-a-message")

    async def echo(self, socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text)
        self.gone.set()

    async def work(self, socket: WebSocket) -> None:
        await socket.accept()
        with socket.scope[KEY].work():
            self.began.set()
            await self.go.wait()
            await socket.send_text("done")
        with contextlib.suppress(Exception):
            await socket.receive_text()


class SocketClient:
    """One WebSocket over a connection that is made by somebody else."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.wire = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []

    async def open(self, path: str, host: str, headers: list[tuple[str, str]] | None = None):
        """The answer to the handshake."""
        extra = [(k.encode(), v.encode()) for k, v in headers or []]
        self.writer.write(self.wire.send(Upgrade(host=host, target=path, extra_headers=extra)))
        event = await self.next()
        assert isinstance(event, AcceptConnection | RejectConnection)
        return event

    async def send(self, text: str) -> None:
        self.writer.write(self.wire.send(TextMessage(data=text)))
        await self.writer.drain()

    async def next(self) -> Event:
        while not self._events:
            data = await asyncio.wait_for(self.reader.read(65536), 10)
            self.wire.receive_data(data or None)
            self._events += self.wire.events()
        return self._events.pop(0)

    async def text(self) -> str:
        found = ""
        while True:
            event = await self.next()
            assert isinstance(event, TextMessage), event
            found += event.data
            if event.message_finished:
                return found

    def answer_close(self, event: CloseConnection) -> None:
        self.writer.write(self.wire.send(event.response()))

    def close(self) -> None:
        self.writer.close()


__all__ = ["BASE", "Pages", "RejectData", "SocketClient"]
