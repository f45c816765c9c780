"""The call of an admitted flow: what its stream delivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wattline.proxy.admission import Admission, Mark
from wattline.proxy.delivery import Delivery
from wattline.proxy.websockets import ClientInbox

if TYPE_CHECKING:
    from wattline.proxy.stream import EdgeStream


def delivery_of(stream: EdgeStream, admission: Admission) -> Delivery | None:
    """None for a flow that was admitted to nothing. HTTP/2 has no upgrades: one in it is such a flow."""
    if admission.route is None:
        return None
    if admission.mark is Mark.CALL:
        request = admission.request(stream.flow)
        return Delivery(stream, request, admission.route, stream.edge.answer)
    if admission.mark is not Mark.SOCKET or not stream.edge_layer.speaks_http1():
        return None
    inbox, converse = ClientInbox(), stream.edge.converse
    delivery = Delivery(
        stream,
        admission.request(stream.flow),
        admission.route,
        lambda request, route: converse(request, route, inbox),
    )
    delivery.inbox = inbox
    return delivery
