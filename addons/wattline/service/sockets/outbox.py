"""Bytes on their way to one client, with a bound: who adds waits while too much lies there."""

from __future__ import annotations

import asyncio
from collections import deque

HIGH = 262_144
"""Bytes beyond which adding waits. One message may pass it."""


class Outbox:
    """A queue of pieces with one reader. `end` comes after what was put before it."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._filled = asyncio.Event()
        self._room = asyncio.Event()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._size} bytes{' ended' if self._ended else ''}>"

    @property
    def full(self) -> bool:
        """Adding waits for the client."""
        return self._size > HIGH and not self._ended

    def put_now(self, data: bytes) -> None:
        """Add without waiting: for small last words."""
        if data and not self._ended:
            self._pieces.append(data)
            self._size += len(data)
            self._filled.set()

    async def put(self, data: bytes) -> None:
        """Add, and wait until there is room for more."""
        self.put_now(data)
        while self.full:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._filled.set()
        self._room.set()

    async def get(self) -> bytes:
        """All that lies there; empty at the end."""
        while not self._pieces and not self._ended:
            self._filled.clear()
            await self._filled.wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._room.set()
        return data
