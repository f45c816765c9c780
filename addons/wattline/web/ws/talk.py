"""What goes out on one WebSocket: one message at a time, in the order in which they were ready.

There is no queue that could grow: whoever has a message waits until the one before it is in the
connection's buffer, and that waits for the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from wattline.web.sockets import OpenSocket


class Gone(Exception):
    """The client is not there any more."""


class Talk:
    """`say` may be called by many tasks; each has its turn, first come first served."""

    def __init__(self, socket: OpenSocket) -> None:
        self._socket = socket
        self._turn = asyncio.Lock()

    async def say(self, frames: Iterable[bytes]) -> None:
        """Send messages. Raises Gone."""
        for frame in frames:
            async with self._turn:
                await self._send({"type": "websocket.send", "text": frame.decode()})

    async def end(self, code: int, reason: str = "") -> None:
        """Close the connection; nothing follows. Raises nothing."""
        try:
            async with self._turn:
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except Gone:
            return

    async def _send(self, message: dict[str, object]) -> None:
        try:
            await self._socket.send(message)
        except OSError:
            raise Gone from None
