"""How our own pages end when the sidecar stops: their last bytes reach the client, or an honest refusal does.

A page is done when the web face has written its answer; mitmproxy has still to read and forward that. It has no
event for it, and none for a socket that is written out, so both are looked at every few milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from wattline.proxy.delivery import EdgePush
from wattline.proxy.late import PageOver
from wattline.proxy.pending import Pending
from wattline.proxy.stream import EdgeStream

if TYPE_CHECKING:
    from mitmproxy.proxy.server import ConnectionHandler

LOOK = 0.005
"""Seconds between two looks."""
LAST_BYTES = 1.0
"""Seconds for answers that are complete here to get to their clients, whatever the grace was."""


class Parting:
    """`handlers` are mitmproxy's connections."""

    def __init__(
        self, pending: Pending, handlers: Callable[[], dict[Any, ConnectionHandler]]
    ) -> None:
        self._pending, self._handlers = pending, handlers

    async def see_off(self, seconds: float, *, hurried: Callable[[], bool] = lambda: False) -> None:
        """Let pages that are under way end for `seconds`, or until `hurried`; refuse those that have sent
        nothing by then; give what was said time to be written.
        """
        await _until(lambda: hurried() or not self._under_way(), seconds)
        for stream in self._pages():
            handler = self._handlers().get(stream.context.client.id)
            if handler is not None:
                await handler.server_event(EdgePush(stream, PageOver(stream.stream_id)))
        await _until(self._written, LAST_BYTES)

    def _pages(self) -> Iterator[EdgeStream]:
        return (stream for stream in list(self._pending.streams()) if stream.is_page())

    def _under_way(self) -> bool:
        """Pages, or what HTTP/2 clients have still to take. Requests that are still coming in count for
        nothing: they will be refused.
        """
        return self._held_up() or any(not stream.takes_body() for stream in self._pages())

    def _held_up(self) -> bool:
        """Something waits for an HTTP/2 client's window."""
        return any(layer.has_backlog() for layer in list(self._pending.layers))

    def _written(self) -> bool:
        """Nothing waits for a client to read it."""
        if self._held_up():
            return False
        for handler in list(self._handlers().values()):
            io: Any = handler.transports.get(handler.client)
            if io is None or io.writer is None or io.writer.is_closing():
                continue
            if io.writer.transport.get_write_buffer_size():
                return False
        return True


async def _until(holds: Callable[[], bool], seconds: float) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while not holds() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110  (mitmproxy has no event for it)
        await asyncio.sleep(LOOK)
