"""When something was last said on a connection, by the event loop's clock."""

from __future__ import annotations

import asyncio


class Pulse:
    """Times are seconds of the loop."""

    __slots__ = ("_loop", "heard", "last", "stirred")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.heard = self.last = self.now()
        self.stirred = asyncio.Event()
        """Set where the end of the wait may have come nearer: a message alone does not wake who waits."""

    def now(self) -> float:
        """The loop's time."""
        return self._loop.time()

    def said(self) -> None:
        """The client sent something."""
        self.last = self.now()

    def answered(self) -> None:
        """The provider sent something, or what it sent is on its way."""
        self.heard = self.last = self.now()
