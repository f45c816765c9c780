"""Addon 3: puts our layers in, runs calls, and ends them when the sidecar stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, override

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import CommandGenerator, Layer, NextLayer

from wattline.base.tasks import spawn
from wattline.proxy.closed import fail_closed
from wattline.proxy.delivery import Delivery, EdgePush
from wattline.proxy.edge import Edge
from wattline.proxy.http_layer import put_in
from wattline.proxy.late import BodyLate
from wattline.proxy.parting import Parting
from wattline.proxy.tunnelled import TunnelWatch
from wattline.wire.http import Ending

if TYPE_CHECKING:
    from mitmproxy.proxy.server import ConnectionHandler

log = logging.getLogger(__name__)

LATE_SECONDS = 1.0
END_SECONDS = 5.0
"""How long an ended call may take to say its last word to a client that does not read."""


class Refusing(Layer):
    """Closes the client connection at once."""

    @override
    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.Start):
            yield commands.CloseConnection(self.context.client)


class StockNextLayer(Protocol):
    """mitmproxy's own addon of that name."""

    def next_layer(self, nextlayer: NextLayer) -> None:
        """Set `nextlayer.layer`, or leave it when more data is needed."""
        ...


def _refuse_layer(_: Layers, nextlayer: NextLayer) -> None:
    nextlayer.layer = Refusing(nextlayer.context)


class Layers:
    """`stock` decides which layer comes next; each HTTP layer among them becomes ours."""

    def __init__(
        self,
        edge: Callable[[Layers], Edge],
        stock: Callable[[], StockNextLayer],
        handlers: Callable[[], dict[Any, ConnectionHandler]],
        tunnels: TunnelWatch | None = None,
    ) -> None:
        self.edge = edge(self)
        self.stock = stock
        self.handlers = handlers
        self.tunnels = tunnels
        self.deliveries: set[Delivery] = set()
        self.parting = Parting(self.edge.pending, handlers)
        self._stopping = False

    @fail_closed(_refuse_layer)
    def next_layer(self, nextlayer: NextLayer) -> None:
        """Works before the stock addon (a script's place) and after it (our master's)."""
        self.stock().next_layer(nextlayer)
        put_in(_stack(nextlayer), self.edge)
        if self.tunnels is not None:
            self.tunnels.put_in(_stack(nextlayer))

    def begin(self, delivery: Delivery) -> None:
        """Start a call on the connection that it came by."""
        handler = self.handlers()[delivery.stream.context.client.id]
        self.deliveries.add(delivery)
        delivery.when_over(self.deliveries.discard)
        if self._stopping:  # before its first steps, so that nothing is booked
            delivery.end(Ending.SHUTDOWN)
        delivery.begin(handler)
        if self._stopping:
            delivery.end(Ending.SHUTDOWN)

    async def drain(self, grace: float) -> None:
        """Let open calls end for `grace` seconds; then end them, each with an error and settled.
        Calls that come meanwhile on open connections are refused.
        """
        self._stopping = True
        for delivery in list(self.deliveries):
            delivery.retire()
        await self._until_quiet(grace)
        for delivery in list(self.deliveries):
            delivery.end(Ending.SHUTDOWN)
        await self._until_quiet(END_SECONDS)

    async def watch(self) -> None:
        """Once a second: end the requests whose bodies are late. Until cancelled."""
        while True:
            await asyncio.sleep(LATE_SECONDS)
            for stream in self.edge.pending.late():
                handler = self.handlers().get(stream.context.client.id)
                if handler is not None:
                    await handler.server_event(EdgePush(stream, BodyLate(stream.stream_id)))

    async def _until_quiet(self, seconds: float) -> None:
        waits = [spawn(d.wait(), name=f"wait for {d!r}") for d in self.deliveries]
        if waits:
            _, pending = await asyncio.wait(waits, timeout=seconds)
            for wait in pending:
                wait.cancel()


def _stack(nextlayer: NextLayer) -> Iterator[Any]:
    yield from nextlayer.context.layers
    layer: Any = nextlayer.layer
    while layer is not None:  # a new TLS layer brings the layer above it along
        yield layer
        layer = getattr(layer, "child_layer", None)
