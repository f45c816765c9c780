"""Tunnels whose bytes are counted, and proved to be left alone. Others stay mitmproxy's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast, override

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.tcp import TCPLayer

from wattline.base.ids import new_id
from wattline.service.watching.carried import Carried


class CountedTunnel(TCPLayer):
    """A relay of bytes that tells what came and what went."""

    carried: Carried

    @override
    def relay_messages(self, event: events.Event) -> CommandGenerator[None]:
        if not isinstance(event, events.DataReceived):
            yield from super().relay_messages(event)
            return
        passed = self.carried
        way = passed.up if event.connection == self.context.client else passed.down
        way.came.add(event.data)
        for command in super().relay_messages(event):
            yield command
            if isinstance(command, commands.SendData):
                way.went.add(command.data)


class ProvedSocket(CountedTunnel):
    """A WebSocket that is passed on and no call: bytes both ways, as they are. `told` gets its proof when it is over.

    mitmproxy's own layer would keep each message, and mask each frame anew.
    """

    def __init__(self, context: Context, carried: Carried, told: Callable[[Carried], None]) -> None:
        super().__init__(context, ignore=True)
        self.carried = carried
        self._told = told

    @classmethod
    def of(
        cls, context: Context, upgrade: Carried, told: Callable[[Carried], None]
    ) -> ProvedSocket:
        """That of a request whose own proof ends with its upgrade."""
        carried = Carried.begun(
            "upgrade", upgrade.id, upgrade.host, upgrade.port, proving=True, framed=True
        )
        return cls(context, carried, told)

    @override
    def relay_messages(self, event: events.Event) -> CommandGenerator[None]:
        yield from super().relay_messages(event)
        if self._handle_event == self.done:
            self._told(self.carried)


class TunnelWatch:
    """The tunnels that are open. `wanted` says of a new one whether it is counted, and whether proved; `told`
    gets each when it is over.
    """

    def __init__(
        self, wanted: Callable[[], tuple[bool, bool]], told: Callable[[Carried], None]
    ) -> None:
        self._wanted = wanted
        self._told = told
        self._open: dict[str, list[Carried]] = {}

    def put_in(self, layers: Iterator[Any]) -> None:
        """Turn each plain relay on a stack into one that counts, where that is wanted."""
        counting, proving = self._wanted()
        if not counting:
            return
        for layer in layers:
            if type(layer) is TCPLayer and layer.flow is None:
                address = layer.context.server.address
                if address is not None:
                    self._count(cast("CountedTunnel", layer), address, proving=proving)

    def _count(self, tunnel: CountedTunnel, address: tuple[Any, ...], *, proving: bool) -> None:
        tunnel.__class__ = CountedTunnel
        host, port = str(address[0]).lower().rstrip("."), int(address[1])
        tunnel.carried = Carried.begun("tunnel", new_id("tun"), host, port, proving=proving)
        self._open.setdefault(tunnel.context.client.id, []).append(tunnel.carried)

    def ended(self, client: str) -> None:
        """A client has left, and its tunnels with it."""
        for carried in self._open.pop(client, ()):
            self._told(carried)

    def close(self) -> None:
        """We stop."""
        for client in list(self._open):
            self.ended(client)
