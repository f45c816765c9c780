"""The face to clients, on mitmproxy: its master and our addons in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wattline.app.address import LOOPBACK
from wattline.app.ground import Ground
from wattline.app.parts import Parts
from wattline.base.settings import SettingsError
from wattline.base.tasks import spawn
from wattline.proxy.ca import CaFiles
from wattline.proxy.edge import Edge
from wattline.proxy.gate import Gate
from wattline.proxy.head import HeadLimits
from wattline.proxy.layers import Layers
from wattline.proxy.master import (
    EdgeMaster,
    host_patterns,
    make_options,
    remember_authorities,
    settle_options,
    skip_type_checks,
    trust,
)
from wattline.proxy.pending import Pending
from wattline.proxy.tunnel import Tunnels
from wattline.proxy.tunnelled import TunnelWatch

if TYPE_CHECKING:
    from mitmproxy.master import Master

type RunInline = Callable[[Any], bool]


@dataclass(frozen=True, slots=True, repr=False)
class Face:
    """Puts our addons into a master: our own, or one that somebody else started."""

    parts: Parts

    def add(self, master: Master, run_inline: RunInline) -> Layers:
        """The layers hold the calls that are open."""
        proxyserver: Any = master.addons.get("proxyserver")
        next_layer: Any = master.addons.get("nextlayer")
        own = isinstance(master, EdgeMaster)
        counted = TunnelWatch(self.parts.records.watched, self.parts.records.carried)
        self.parts.ground.exit.callback(counted.close)
        layers = Layers(
            lambda layers: self._edge(layers, run_inline, keeps_bodies=not own),
            stock=lambda: next_layer,
            handlers=lambda: proxyserver.connections,
            tunnels=counted,
        )
        self._put_in(master, layers, counted)
        return layers

    def _put_in(self, master: Master, layers: Layers, counted: TunnelWatch) -> None:
        entrance = self.parts.entrance
        tunnels = Tunnels(entrance.reception, entrance.guard, entrance.local, counted)
        master.addons.add(Gate(entrance.reception, tunnels), tunnels, layers)
        watch = spawn(layers.watch(), name="late bodies")
        self.parts.ground.exit.callback(watch.cancel)

    def _edge(self, layers: Layers, run_inline: RunInline, *, keeps_bodies: bool) -> Edge:
        refusals = self.parts.entrance.refusals
        return Edge(
            answer=self.parts.calls.repeatable.answer,
            converse=self.parts.calls.sockets.converse,
            begin=layers.begin,
            internal_error=refusals.internal_error,
            render=refusals.render,
            refused=refusals.note,
            head_limits=self._head_limits,
            pending=Pending(lambda: self.parts.ground.book().limits),
            run_inline=run_inline,
            local=self.parts.entrance.local,
            keeps_bodies=keeps_bodies,
            prove=self.parts.records.prove,
            proved=self.parts.records.carried,
        )

    def _head_limits(self) -> HeadLimits:
        limits = self.parts.ground.book().limits
        return HeadLimits(limits.head_bytes, limits.head_seconds, limits.body_seconds)


def make_master(ground: Ground, ca: CaFiles) -> EdgeMaster:
    """A master of our own, which does not listen yet."""
    skip_type_checks()
    remember_authorities()
    book = ground.book()
    options = make_options(
        host=book.listen.host,
        port=book.listen.port,
        modes=ground.settings.modes,
        ca=ca,
        intercept=book.intercept,
    )
    master = EdgeMaster(options)
    settle_options(options)
    return master


def adopt_master(ground: Ground, ca: CaFiles, running: Master) -> None:
    """Settle the options of a mitmproxy that somebody else started."""
    options = running.options
    settle_options(options)
    options.update(allow_hosts=_hosts(ground, running), ssl_insecure=False)
    trust(options, ca)


def follow_hosts(ground: Ground, master: Master) -> None:
    """Hosts are ours or not, as the rules have it now."""
    master.options.update(allow_hosts=_hosts(ground, master))


def _hosts(ground: Ground, master: Master) -> list[str]:
    return host_patterns(ground.book().intercept, master.options.mode)


def learn_addresses(ground: Ground, master: Master) -> None:
    """Where we really listen: what no upstream and no tunnel may lead to."""
    for host, port in _listening(master):
        ground.address.host, ground.address.port = host, port
        ground.listeners.add(host, port)
    ground.books.own = ground.address.host, ground.address.port


def check_loopback(ground: Ground, running: Master) -> None:
    """A mitmproxy of somebody else's may listen anywhere. Raises SettingsError."""
    hosts = {host for host, _ in _listening(running)}
    if ground.book().auth.mode == "open" and not hosts <= LOOPBACK:
        raise SettingsError(
            f"mitmproxy listens on {', '.join(sorted(hosts - LOOPBACK))} and rules.yaml lets "
            "everybody call: start it with --listen-host 127.0.0.1, or set `auth: {mode: keys}`"
        )


def _listening(master: Master) -> list[tuple[str, int]]:
    proxyserver: Any = master.addons.get("proxyserver")
    return [(host, port) for host, port, *_ in proxyserver.listen_addrs()]
