"""A client of `/ws` that speaks both of its protocols.

```
async with chatting(sidecar, headers=bearer) as chat:
    await chat.send(type="ping")
    assert await chat.hear() == {"type": "pong"}
```
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    TextMessage,
)

from kit.clients import REVERSE, Way, dial
from kit.pages import SocketClient
from kit.sidecars import Running

PATH = "/ws"
MESSAGES = [{"role": "user", "content": "hi"}]


class Closed(Exception):
    """The sidecar closed; `args` are the code and the reason."""


class ChatClient:
    """One connection. Pings of the protocol are answered, unless `mute`."""

    def __init__(self, socket: SocketClient) -> None:
        self.socket = socket
        self.mute = False
        self.pings = 0

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def send_raw(self, data: str | bytes) -> None:
        if isinstance(data, str):
            await self.socket.send(data)
        else:
            self.socket.writer.write(self.socket.wire.send(BytesMessage(data=data)))

    async def ask(self, name: Any = "r1", **more: Any) -> None:
        """`chat.completions`."""
        body = {"model": "m", "messages": MESSAGES, **more}
        await self.send(type="chat.completions", requestId=name, **body)

    async def infer(self, name: Any = "q1", **more: Any) -> None:
        """`inference_request`."""
        data = {"model": "m", "messages": MESSAGES, **more}
        await self.send(type="inference_request", id=name, data=data)

    async def hear(self) -> Any:
        """The next message. Raises Closed."""
        found = ""
        while True:
            event = await self._next()
            if isinstance(event, TextMessage):
                found += event.data
                if event.message_finished:
                    return json.loads(found)

    async def until(self, *types: str) -> list[Any]:
        """Messages up to the first of these types, that one included."""
        heard = [await self.hear()]
        while heard[-1]["type"] not in types:
            heard.append(await self.hear())
        return heard

    async def closed(self) -> tuple[int, str]:
        """The code and the reason, whatever is said before it."""
        try:
            while True:
                await self.hear()
        except Closed as closed:
            return closed.args[0], closed.args[1]

    async def _next(self) -> Event:
        event = await self.socket.next()
        if isinstance(event, Ping):
            self.pings += 1
            if not self.mute:
                self.socket.writer.write(self.socket.wire.send(event.response()))
        elif isinstance(event, CloseConnection):
            if not self.mute:
                self.socket.answer_close(event)
            raise Closed(event.code, event.reason or "")
        return event

    def vanish(self) -> None:
        """Without a word."""
        self.socket.writer.transport.abort()


async def connect(
    sidecar: Running,
    way: Way = REVERSE,
    headers: list[tuple[str, str]] | None = None,
    host: str = "localhost",
) -> ChatClient:
    """An open connection; close its `socket`. Raises Refused."""
    socket = SocketClient(*await dial(sidecar.address, way, sidecar.ca))
    answer = await socket.open(PATH, way.connect or host, headers)
    if isinstance(answer, AcceptConnection):
        return ChatClient(socket)
    body = b""
    while answer.has_body:
        event = await socket.next()
        assert isinstance(event, RejectData)
        body += bytes(event.data)
        if event.body_finished:
            break
    socket.close()
    raise Refused(answer, body)


class Refused(Exception):
    """The upgrade was refused."""

    def __init__(self, answer: RejectConnection, body: bytes) -> None:
        super().__init__(answer.status_code)
        self.status = answer.status_code
        self.headers = {name.decode().lower(): value.decode() for name, value in answer.headers}
        self.body = body


@asynccontextmanager
async def chatting(
    sidecar: Running, way: Way = REVERSE, headers: list[tuple[str, str]] | None = None
) -> AsyncIterator[ChatClient]:
    """An open connection, closed at the end."""
    chat = await connect(sidecar, way, headers)
    try:
        yield chat
    finally:
        chat.socket.close()
