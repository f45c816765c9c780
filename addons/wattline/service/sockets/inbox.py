"""The client's end of a WebSocket, as the service sees it."""

from __future__ import annotations

from typing import Protocol


class Inbox(Protocol):
    """Bytes that a client sends after its upgrade. What the service sends goes another way."""

    busy: bool
    """Set by the service: a response is under way."""
    retiring: bool
    """Set by the face to clients: the sidecar stops, end when no response is under way."""

    async def read(self) -> bytes:
        """What has come, at least one byte. A client that leaves ends the whole call instead."""
        ...
