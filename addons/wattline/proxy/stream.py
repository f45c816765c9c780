"""The seam with mitmproxy's HTTP layers. All that touches their internals is here, in http_layer.py and delivery.py.

Rules of this file.
1. `EdgeStream.make_server_connection` is the only way out: a flow is forwarded by mitmproxy only with
   the mark `PASS`, or `LOCAL` (to the web face); with `CALL` or `SOCKET` our service answers it; with
   anything else it is answered 500.
2. A layer that waits for a hook queues its events: what must be seen at once (the client's departure)
   is seen in `handle_event`, which also runs while the layer is paused.
3. `AwaitAnswer` pauses a stream; only its delivery's `AnswerReady` goes on.
4. Hooks whose handlers are all synchronous run inline, without a task for each.
5. Pinned to mitmproxy >=12.2.3,<13; the fault matrix in tests/proxy is the canary for upgrades.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Generator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast, override

from mitmproxy import flow as mflow
from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import CommandGenerator, Layer
from mitmproxy.proxy.layers.http import (
    DropStream,
    HttpErrorHook,
    HTTPMode,
    HttpResponseHeadersHook,
    HttpResponseHook,
    HttpStream,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    SendHttp,
)
from mitmproxy.proxy.layers.tcp import TCPLayer
from mitmproxy.proxy.mode_specs import RegularMode

from wattline.proxy.admission import KEY, Admission, Mark, admission_of
from wattline.proxy.admitted import delivery_of
from wattline.proxy.awaited import AwaitAnswer
from wattline.proxy.delivery import Delivery
from wattline.proxy.edge import Edge
from wattline.proxy.framing import framed
from wattline.proxy.head import WholeAnswer
from wattline.proxy.hooks import inlined
from wattline.proxy.late import BodyLate, PageOver
from wattline.proxy.messages import whole_response
from wattline.proxy.own_words import in_own_words, until_refused
from wattline.proxy.proved import proved
from wattline.proxy.refused_body import crowded_answer, early_answer, note_cut, told
from wattline.proxy.tunnelled import ProvedSocket
from wattline.proxy.websockets import ClientSocket
from wattline.service.watching.carried import Carried
from wattline.wire.http import Ending, Use, Whole

if TYPE_CHECKING:
    from wattline.proxy.http_layer import EdgeHttpLayer

log = logging.getLogger(__name__)


class EdgeStream(HttpStream):
    """A stream whose calls are answered by our service instead of a server connection."""

    edge: Edge
    delivery: Delivery | None = None
    body_since: float | None = None
    """When the body began, on the event loop's clock; None for a request without one."""
    proof: Carried | None = None
    """Digests of what is passed on, where they are wanted."""
    origin_form = False
    """The client named no host in its request line: it addressed the sidecar itself."""

    @cached_property
    def edge_layer(self) -> EdgeHttpLayer:
        """The HTTP layer that owns this stream."""
        layer = self.context.layers[self.context.layers.index(self) - 1]
        return cast("EdgeHttpLayer", layer)  # whose make_stream put it there

    @override
    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, BodyLate):
            handled = self._end_late_body()
        elif isinstance(event, PageOver):
            handled = self._end_page()
        else:
            handled = super()._handle_event(event)
            if self.proof is not None:
                handled = proved(self.proof, event, handled, self.edge.proved)
        return inlined(handled, self.edge.run_inline)

    @override
    def state_wait_for_request_headers(self, event: RequestHeaders) -> CommandGenerator[None]:
        self.origin_form = not event.request.host
        yield from super().state_wait_for_request_headers(event)
        if self.client_state == self.state_consume_request_body and not event.end_stream:
            announced = self.flow.request.headers.get("content-length", "")
            size = int(announced[:20]) if announced.isdecimal() else 0
            early = early_answer(self.edge, self.flow, admission_of(self.flow), size)
            if early is not None:
                yield from self._answer_now(early)
            else:
                self.body_since = asyncio.get_running_loop().time()

    @override
    def check_invalid(self, request: bool) -> Generator[commands.Command, Any, bool]:
        """The first thing that happens to a new flow: it gets its record, refused until the gate
        says otherwise.
        """
        if request:
            regular = isinstance(self.context.client.proxy_mode, RegularMode)
            own = self.origin_form and regular and self.mode is HTTPMode.regular
            use = Use.REVERSE if own else Use.FORWARD
            self.flow.metadata[KEY] = Admission(use)
        return (yield from in_own_words(super().check_invalid(request)))

    @override
    def check_body_size(self, request: bool) -> CommandGenerator[bool]:
        """The gate has its own bounds. What mitmproxy's options say counts where somebody set them."""
        if self.edge_layer.bounds_bodies:
            return (yield from super().check_body_size(request))
        return False

    @override
    def state_consume_request_body(self, event: events.Event) -> CommandGenerator[None]:
        admission = admission_of(self.flow)
        if admission is not None and isinstance(event, RequestData):
            before = admission.received
            admission.received += len(event.data)
            edge, flow = self.edge, self.flow
            early = early_answer(edge, flow, admission, admission.received)
            early = early or crowded_answer(edge, flow, admission, before)
            if early is not None:
                yield from self._answer_now(early)
            if early is not None or self.flow.response is not None:
                return
            if admission.spool is not None:
                admission.spool.write(event.data)
                return
        commands_ = super().state_consume_request_body(event)
        local = self.edge.local
        if admission is not None and admission.mark is Mark.LOCAL and local is not None:
            commands_ = framed(local.dressed(commands_, admission.visit()))
        yield from commands_

    @override
    def start_request_stream(self) -> CommandGenerator[None]:
        return framed(super().start_request_stream())

    @override
    def state_stream_request_body(
        self, event: RequestData | RequestTrailers | RequestEndOfMessage
    ) -> CommandGenerator[None]:
        return framed(super().state_stream_request_body(event))

    @override
    def make_server_connection(self) -> Generator[commands.Command, Any, bool]:
        admission = admission_of(self.flow)
        if admission is not None and admission.mark is Mark.LOCAL:
            return (yield from self._connect_locally(admission))
        if admission is not None and admission.mark is Mark.PASS and not self._names_web_face():
            request = self.flow.request
            self.proof = self.edge.prove(admission.id, request.host.lower(), request.port)
            return (yield from self._connect_elsewhere(admission))
        delivery = None if admission is None else delivery_of(self, admission)
        if delivery is None:
            yield from self._say(self.edge.internal_error())
            return False
        try:
            self.edge.begin(delivery)
            self.delivery = delivery
        except Exception:
            log.exception("call %s could not begin", delivery.request.id)
        if self.delivery is not None and not delivery.ready:
            delivery.awaited = AwaitAnswer()
            yield delivery.awaited
        yield from self._send(delivery)
        return False  # "no connection": the caller does nothing more

    def _connect_elsewhere(self, admission: Admission) -> Generator[commands.Command, Any, bool]:
        """mitmproxy's own connection. One that the policy refuses is answered as a CONNECT to it would be."""
        opened = yield from until_refused(super().make_server_connection())
        if isinstance(opened, bool):
            return opened
        self.flow.response = whole_response(self.edge.render(opened, admission.id))
        yield from self.send_response()
        return False

    def _names_web_face(self) -> bool:
        local, request = self.edge.local, self.flow.request
        return local is not None and (request.host, request.port) == local.address

    def _connect_locally(self, admission: Admission) -> Generator[commands.Command, Any, bool]:
        """A connection to the web face."""
        local, failed = self.edge.local, self.edge.internal_error
        found: Server | Whole = (
            failed()
            if local is None
            else (yield from local.reach(admission.style, admission.id, failed))
        )
        if isinstance(found, Whole):
            yield from self._say(found)
            return False
        self.context.server = self.flow.server_conn = found
        return True

    def _say(self, answer: Whole) -> CommandGenerator[None]:
        """An answer of ours that no hook sees."""
        response = whole_response(answer)
        self._dress(response)
        self.flow.response = response
        yield from self.send_response()

    def _send(self, delivery: Delivery) -> CommandGenerator[None]:
        response = delivery.response
        if response is None and not delivery.gone:
            response = whole_response(self.edge.internal_error())
        self.flow.response = response
        if response is not None:
            yield HttpResponseHeadersHook(self.flow)
        if (yield from self.check_killed(emit_error_hook=True)):
            delivery.end(Ending.CLIENT_GONE)
        elif delivery.streaming and delivery.inbox is not None:
            yield from self.send_response()
            delivery.started()
        elif delivery.streaming:
            yield from self.start_response_stream()
            delivery.started()
        elif response is not None:
            yield from self.send_response()

    @override
    def send_response(self, already_streamed: bool = False) -> CommandGenerator[None]:
        response = self.flow.response
        if response is not None and self.flow.request.method == "HEAD":
            response.data.content = b""  # its head says how long the body would be
        if already_streamed or response is None or response.trailers or response.status_code == 101:
            stock: CommandGenerator[None] = super().send_response(already_streamed)
            return stock
        return self._send_whole() if self.edge_layer.speaks_http1() else super().send_response()

    def _send_whole(self) -> CommandGenerator[None]:
        """As the stock method, in one event instead of two."""
        assert self.flow.response is not None  # noqa: S101  (its caller looked)
        self.flow.response.timestamp_end = time.time()
        yield HttpResponseHook(self.flow)
        self.server_state = self.state_done
        if (yield from self.check_killed(False)):  # noqa: FBT003  (mitmproxy's parameter)
            return
        yield SendHttp(WholeAnswer(self.stream_id, self.flow.response), self.context.client)
        if self.client_state == self.state_done:
            yield from self.flow_done()

    def let_go(self) -> None:
        """The answer begins: nobody here needs the request's body any more, and a stream may stay open long."""
        if not self.edge.keeps_bodies:
            self.flow.request.data.content = b""

    def _relay(self, layer: Layer) -> CommandGenerator[None]:
        """A WebSocket: bytes both ways, unread. The stock layer would keep each message."""
        self.flow.websocket = None
        self.flow.live = False
        self.child_layer = layer
        self._handle_event = self.passthrough  # type: ignore[method-assign]  # as the stock layer does
        yield from self.child_layer.handle_event(events.Start())
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)

    @override
    def flow_done(self) -> CommandGenerator[None]:
        """After a 101 of ours the client's bytes go to the service, as a WebSocket's."""
        admission, response = admission_of(self.flow), self.flow.response
        if admission is not None and admission.mark is Mark.LOCAL and response is not None:
            if response.status_code == 101:
                yield from self._relay(TCPLayer(self.context, ignore=True))
            else:
                yield from super().flow_done()
            return
        if self.proof is not None and self.flow.websocket is not None:
            yield from self._relay(ProvedSocket.of(self.context, self.proof, self.edge.proved))
            return
        delivery = self.delivery
        if delivery is None or delivery.inbox is None or not delivery.streaming:
            yield from super().flow_done()
            return
        self.child_layer = ClientSocket(
            self.context, delivery.inbox, partial(delivery.end, Ending.CLIENT_GONE)
        )
        self._handle_event = self.passthrough  # type: ignore[method-assign]  # as the stock layer does
        yield from self.child_layer.handle_event(events.Start())
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)

    def takes_body(self) -> bool:
        """Its request is not complete, and we hold what came of it."""
        return bool(self.client_state == self.state_consume_request_body)

    def _end_late_body(self) -> CommandGenerator[None]:
        admission = admission_of(self.flow)
        if admission is not None and self.takes_body():
            fault = self.edge.pending.late_answer()
            yield from self._answer_now(told(self.edge, self.flow, admission, fault))

    def is_page(self) -> bool:
        """It is for the web face, and its answer is not complete. A WebSocket is none any more."""
        admission, response = admission_of(self.flow), self.flow.response
        return (
            admission is not None
            and admission.mark is Mark.LOCAL
            and (response is None or response.status_code != 101)
            and self.server_state not in (self.state_done, self.state_errored)
        )

    def _end_page(self) -> CommandGenerator[None]:
        """The sidecar stops: who has got nothing of an answer so far is told so."""
        admission, local = admission_of(self.flow), self.edge.local
        if admission is None or local is None or not self.is_page():
            return
        refusal = local.refusal(admission.style, admission.id)
        if self.takes_body():
            yield from self._answer_now(whole_response(refusal))
        elif self.server_state != self.state_stream_response_body:
            yield from self._say(refusal)

    def _answer_now(self, response: http.Response) -> CommandGenerator[None]:
        """Answer before the request is complete; what still comes of it is thrown away."""
        self._dress(response)
        response.headers["connection"] = "close"
        self.flow.response = response
        self.flow.error = mflow.Error("request too large")
        yield HttpErrorHook(self.flow)
        yield SendHttp(ResponseHeaders(self.stream_id, response), self.context.client)
        if response.raw_content and self.flow.request.method != "HEAD":
            yield SendHttp(ResponseData(self.stream_id, response.raw_content), self.context.client)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)
        self._drop_spool()
        self.client_state = self.state_discard_request_body
        self.server_state = self.state_done
        self.flow.live = False

    def _dress(self, response: http.Response) -> None:
        """For answers that no hook sees."""
        admission = admission_of(self.flow)
        if admission is not None:
            admission.dress(response)

    def _drop_spool(self) -> None:
        """No call will read what was uploaded so far; one that began closes it itself."""
        admission = admission_of(self.flow)
        if self.delivery is None and admission is not None and admission.spool is not None:
            admission.spool.close()

    def state_discard_request_body(self, event: events.Event) -> CommandGenerator[None]:
        """After `_answer_now`: read on so that the client can read its answer, keep nothing."""
        if isinstance(event, RequestEndOfMessage):
            self.client_state = self.state_done
            yield DropStream(self.stream_id)

    @override
    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if self.delivery is not None and isinstance(event, RequestProtocolError):
            self.delivery.end(Ending.CLIENT_GONE)
        return super().handle_event(event)

    @override
    def handle_protocol_error(
        self, event: RequestProtocolError | ResponseProtocolError
    ) -> CommandGenerator[None]:
        """The client left a call of ours: the stock code would tell a server that does not exist."""
        if self.delivery is None or not isinstance(event, RequestProtocolError):
            if self.takes_body():
                note_cut(self.edge, self.flow, admission_of(self.flow))
            self._drop_spool()
            yield from super().handle_protocol_error(event)
            return
        over = (self.state_done, self.state_errored)
        if self.client_state != self.state_errored and self.server_state not in over:
            self.flow.error = mflow.Error(event.message)
            yield HttpErrorHook(self.flow)
        self.client_state = self.server_state = self.state_errored
        self.flow.live = False
        yield DropStream(self.stream_id)
