"""Addon 2: who may connect, and where mitmproxy itself may connect to."""

from __future__ import annotations

from collections import Counter

from mitmproxy import http
from mitmproxy.connection import Client
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from wattline.base.ids import new_id
from wattline.proxy.admission import admission_of
from wattline.proxy.closed import fail_closed
from wattline.proxy.local import LocalFace
from wattline.proxy.messages import whole_response
from wattline.proxy.own_words import REFUSED
from wattline.proxy.tunnelled import TunnelWatch
from wattline.service.entrance.addresses import counted_as
from wattline.service.entrance.decision import RequestHead
from wattline.service.entrance.reception import Reception
from wattline.upstream.guard import Forbidden, Guard, Unresolved
from wattline.wire.call import Principal
from wattline.wire.http import Use


def _refuse_connect(tunnels: Tunnels, flow: http.HTTPFlow) -> None:
    flow.response = whole_response(tunnels.reception.refusals.internal_error())


def _refuse_server(_: Tunnels, data: ServerConnectionHookData) -> None:
    data.server.error = "wattline could not check this destination"


def _refuse_client(_: Tunnels, client: Client) -> None:
    client.error = "wattline could not check this connection"


class Tunnels:
    """Connections of clients, and the destinations of tunnels and of passed requests."""

    def __init__(
        self,
        reception: Reception,
        guard: Guard,
        local: LocalFace | None = None,
        watch: TunnelWatch | None = None,
    ) -> None:
        self.reception = reception
        self.guard = guard
        self.local = local
        self.watch = watch
        self._counts: Counter[str] = Counter()
        self._addresses: dict[str, str] = {}
        self._principals: dict[str, Principal] = {}

    def principal(self, client: Client) -> Principal | None:
        """Who proved themselves at this connection's CONNECT."""
        return self._principals.get(client.id)

    @fail_closed(_refuse_client)
    def client_connected(self, client: Client) -> None:
        """At most so many connections from one address, or /64 of IPv6."""
        address = counted_as(client.peername[0])
        if self._counts[address] >= self.reception.book().limits.connections_per_address:
            client.error = "too many connections from this address"
            return
        self._counts[address] += 1
        self._addresses[client.id] = address

    def client_disconnected(self, client: Client) -> None:
        """Give the place back."""
        self._principals.pop(client.id, None)
        if self.watch is not None:
            self.watch.ended(client.id)
        address = self._addresses.pop(client.id, None)
        if address is not None:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]

    @fail_closed(_refuse_connect)
    async def http_connect(self, flow: http.HTTPFlow) -> None:
        """A CONNECT: to a host of ours, or a tunnel that the policy allows."""
        head = _connect_head(flow)
        decision = self.reception.connect(head)
        if decision.answer is not None:
            flow.response = whole_response(decision.answer)
            return
        if decision.principal is not None:
            self._principals[flow.client_conn.id] = decision.principal
        if not decision.ours:
            try:
                await self.guard.check_tunnel(flow.request.host, flow.request.port)
            except Forbidden as error:
                flow.response = whole_response(self.reception.refusals.forbidden(head, str(error)))

    @fail_closed(_refuse_server)
    async def server_connect(self, data: ServerConnectionHookData) -> None:
        """Every connection that mitmproxy itself opens: checked on the resolved address, and pinned
        to it, so that the name can't mean something else a moment later.
        """
        address = data.server.address
        if address is None or data.server.error:
            return
        if self.local is not None and self.local.expects(data.server):
            return
        try:
            allowed = await self.guard.check_tunnel(address[0], address[1])
        except Unresolved as error:
            data.server.error = str(error)
            return
        except Forbidden as error:
            data.server.error = f"{REFUSED}{error}"
            return
        data.server.sni = data.server.sni or address[0]
        data.server.address = (allowed[0], address[1])


def _connect_head(flow: http.HTTPFlow) -> RequestHead:
    admission = admission_of(flow)
    return RequestHead(
        id=new_id("req"),
        method="CONNECT",
        host=flow.request.host.lower().rstrip("."),
        port=flow.request.port,
        path="",
        headers=tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1").strip())
            for name, value in flow.request.headers.fields
        ),
        peer=flow.client_conn.peername[0],
        use=admission.use if admission is not None else Use.FORWARD,
        principal=None,
    )
