"""Requests that are refused for their bodies: the head was enough, or the body is too large, too much or broken."""

from __future__ import annotations

from typing import Final

from mitmproxy import http

from wattline.base.errors import ClientFault, Fault
from wattline.proxy.admission import Admission, Mark
from wattline.proxy.edge import Edge
from wattline.proxy.messages import whole_response

SKIPPED_BODY: Final = 65_536
"""Bytes of a refused request's body that are read, and dropped, before it is answered: a client that
has sent all of its request keeps its connection."""
_TAKEN: Final = (Mark.CALL, Mark.LOCAL)


def early_answer(
    edge: Edge, flow: http.HTTPFlow, admission: Admission | None, size: int
) -> http.Response | None:
    """The answer that need not wait for the end of a body of `size` bytes or more."""
    if admission is None:
        return None
    if flow.response is not None:  # the head was enough to refuse
        return flow.response if size > SKIPPED_BODY else None
    if admission.too_large is not None and size > admission.body_limit:
        return told(edge, flow, admission, admission.too_large)
    return None


def crowded_answer(
    edge: Edge, flow: http.HTTPFlow, admission: Admission, before: int
) -> http.Response | None:
    """The answer when the bodies under way hold too much together; this one had `before` bytes a moment ago."""
    if admission.mark is not Mark.CALL or admission.spool is not None:
        return None
    fault = edge.pending.refusal(before, admission.received)
    return told(edge, flow, admission, fault) if fault is not None else None


def told(edge: Edge, flow: http.HTTPFlow, admission: Admission, fault: Fault) -> http.Response:
    """A fault, noted, in the shape that the request's path says."""
    _note(edge, flow, admission, fault)
    style = admission.style or (admission.route.dialect if admission.route is not None else "")
    if not style or edge.local is None:
        return whole_response(edge.render(fault, admission.id))
    return whole_response(edge.local.render(style, fault, admission.id))


def note_cut(edge: Edge, flow: http.HTTPFlow, admission: Admission | None) -> None:
    """The client left before its body was complete, or it came too late, or broken."""
    if admission is not None and admission.mark in _TAKEN and flow.response is None:
        fault = ClientFault("The body was not complete.", code="body_incomplete")
        _note(edge, flow, admission, fault)


def _note(edge: Edge, flow: http.HTTPFlow, admission: Admission, fault: Fault) -> None:
    edge.refused(admission.id, flow.request.method, flow.request.path, fault)
