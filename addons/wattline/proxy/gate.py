"""Addon 1: every request head passes here first; nothing goes on without its mark."""

from __future__ import annotations

import logging
import tempfile
from typing import IO

from mitmproxy import http

from wattline.base.ids import new_id
from wattline.proxy.admission import Admission, Mark, admission_of
from wattline.proxy.closed import fail_closed
from wattline.proxy.messages import whole_response
from wattline.proxy.tunnel import Tunnels
from wattline.service.entrance.decision import Decision, RequestHead, Verdict
from wattline.service.entrance.reception import Reception
from wattline.wire.header_names import lower_name
from wattline.wire.http import Headers, Use

log = logging.getLogger(__name__)

_REFUSED = (401, 403)
"""Statuses of pages for credentials that are wrong, or not enough."""
SPOOL_MEMORY = 1024 * 1024
"""Bytes of an upload that stay in memory before it moves to an unnamed file."""

_FOR_US = (b"proxy-", b"x-wattline-")
_MARKS = {
    Verdict.CALL: Mark.CALL,
    Verdict.SOCKET: Mark.SOCKET,
    Verdict.LOCAL: Mark.LOCAL,
    Verdict.PASS: Mark.PASS,
    Verdict.ANSWER: Mark.REFUSED,
}
_CARRIED = (Mark.PASS, Mark.LOCAL)


def _refuse(gate: Gate, flow: http.HTTPFlow) -> None:
    admission = admission_of(flow)
    if admission is not None:
        admission.mark = Mark.REFUSED
    flow.request.stream = False
    flow.response = whole_response(gate.reception.refusals.internal_error())


def _open(gate: Gate, flow: http.HTTPFlow) -> None:
    """Nothing was sent yet: refused, but where the operator chose that its host gets it as it came."""
    admission = admission_of(flow)
    host = flow.request.host.lower().rstrip(".")
    chosen = admission is not None and admission.use is Use.FORWARD and flow.response is None
    try:
        chosen = chosen and gate.reception.book().fails_open(host)
        if chosen:
            _keep_back(flow.request.headers)
            gate.reception.refusals.counts.failed_open += 1
            log.error("a request goes to %s as it came, unmetered (on_error: pass)", host)
    except Exception:
        log.exception("a request could not go on as it came")
        chosen = False
    if admission is None or not chosen:
        _refuse(gate, flow)
        return
    admission.mark = Mark.PASS
    flow.request.stream = True


class Gate:
    """Decides on each head: answer it here, take it as a call, or pass it on untouched."""

    def __init__(self, reception: Reception, tunnels: Tunnels) -> None:
        self.reception = reception
        self.tunnels = tunnels

    @fail_closed(_open)
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Set the mark, the limits or the answer of a flow."""
        admission = admission_of(flow)
        if admission is None or flow.response is not None or flow.error is not None:
            return
        admission.id = new_id("req")
        admission.headers = _headers(flow.request)
        address = flow.client_conn.peername[0]
        admission.peer = self.reception.address(address, admission.use, admission.headers)
        decision = self.reception.receive(self._head(flow, admission))
        _fill(admission, decision)
        if decision.answer is not None:
            flow.response = whole_response(decision.answer)
        elif admission.mark is Mark.PASS:
            _keep_back(flow.request.headers)
            flow.request.stream = True

    @fail_closed(_refuse)
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """What is passed on is streamed, never held; so are our own pages. What an answer should tell beside
        itself is written on its head.
        """
        admission, response = admission_of(flow), flow.response
        if admission is None or response is None:
            return
        admission.dress(response)
        if admission.mark in _CARRIED:
            response.stream = True
            status = response.status_code
            if admission.mark is Mark.LOCAL and status in _REFUSED:
                head = self._head(flow, admission)
                self.reception.credentials.page_refused(head, admission.principal, status)

    def _head(self, flow: http.HTTPFlow, admission: Admission) -> RequestHead:
        request = flow.request
        return RequestHead(
            id=admission.id,
            method=request.method,
            host=request.host.lower().rstrip("."),
            port=request.port,
            path=request.path,
            headers=admission.headers,
            peer=admission.peer,
            use=admission.use,
            principal=self.tunnels.principal(flow.client_conn),
        )


def _fill(admission: Admission, decision: Decision) -> None:
    admission.mark = _MARKS[decision.verdict]
    admission.route = decision.route
    admission.principal = decision.principal
    admission.body_limit = decision.body_limit
    admission.too_large = decision.too_large
    admission.style = decision.style
    admission.notice = decision.notice
    if decision.spool:
        admission.spool = _spool()


def _keep_back(headers: http.Headers) -> None:
    """What a client told us and not the host: above all its key for this proxy."""
    fields = headers.fields
    if any(name.lower().startswith(_FOR_US) for name, _ in fields):
        kept = (pair for pair in fields if not pair[0].lower().startswith(_FOR_US))
        headers.fields = tuple(kept)


def _headers(request: http.Request) -> Headers:
    fields = request.headers.fields
    return tuple([(lower_name(name), value.decode("latin-1").strip()) for name, value in fields])


def _spool() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=SPOOL_MEMORY)
