"""mitmproxy's HTTP layer with our streams in it. It and stream.py are the seam; the rules are there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast, override

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import (
    GetHttpConnection,
    HttpLayer,
    HttpStream,
    ResponseData,
    is_h3_alpn,
)

from wattline.proxy.delivery import Delivery, EdgePush
from wattline.proxy.edge import Edge
from wattline.proxy.event_queue import queue_lightly
from wattline.proxy.head import EdgeHttp1Server
from wattline.proxy.stream import EdgeStream


class EdgeHttpLayer(HttpLayer):
    """An HTTP layer that makes our streams and brings pushed pieces to them."""

    edge: Edge
    waiting: set[Delivery]
    """Deliveries that wait for their HTTP/2 window."""

    @cached_property
    def bounds_bodies(self) -> bool:
        """Somebody set mitmproxy's own bounds of bodies. Looked up once: its options are slow to read."""
        options = self.context.options
        return bool(options.stream_large_bodies or options.body_size_limit)

    @override
    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if type(event) is EdgePush:
            yield from self._push(event)
            return
        if isinstance(event, events.Start) and self.speaks_http1():
            self.connections[self.context.client] = EdgeHttp1Server(
                self.context.fork(), self.edge.head_limits()
            )
        yield from super()._handle_event(event)
        for delivery in [d for d in self.waiting if not self.backlog(d.stream)]:
            delivery.room()

    def edge_streams(self) -> list[EdgeStream]:
        """Our streams that have a request."""
        return [
            stream
            for stream in self.streams.values()
            if isinstance(stream, EdgeStream) and hasattr(stream, "flow")
        ]

    def speaks_http1(self) -> bool:
        """The client's side."""
        alpn = self.context.client.alpn
        return alpn != b"h2" and not is_h3_alpn(alpn)

    def _push(self, event: EdgePush) -> CommandGenerator[None]:
        path = event.stream.context.layers
        child = path[path.index(self) + 1]  # the stream itself, or the CONNECT that leads to it
        if not isinstance(child, HttpStream) or self.streams.get(child.stream_id) is not child:
            return  # the client has left
        if child is not event.stream:
            yield from self.event_to_child(child, event)
        elif isinstance(event.event, ResponseData) and self._plain is not None:
            # What the stream's own layer would come to in the end, without its three generators.
            yield commands.SendData(self.context.client, self._plain.framed(event.event.data))
        else:
            yield from self.event_to_child(child, event.event)

    def has(self, stream: EdgeStream) -> bool:
        """The stream is open: its client has not left."""
        return self.streams.get(stream.stream_id) is stream

    def bare(self) -> EdgeHttp1Server | None:
        """The client's side, if nothing else stands between that and the socket."""
        if self.context.client.tls:
            return None
        in_tunnel = any(isinstance(layer, HttpStream) for layer in self.context.layers)
        return None if in_tunnel else self._plain

    @property
    def _plain(self) -> EdgeHttp1Server | None:
        """The client's side when it speaks HTTP/1."""
        connection = self.connections.get(self.context.client)
        return connection if isinstance(connection, EdgeHttp1Server) else None

    @override
    def get_connection(
        self, event: GetHttpConnection, *, reuse: bool = True
    ) -> CommandGenerator[None]:
        opened = super().get_connection(event, reuse=reuse)
        local = self.edge.local
        return opened if local is None else local.watched(opened, event)

    @override
    def make_stream(self, stream_id: int) -> CommandGenerator[None]:
        stream = EdgeStream(self._fork(), stream_id)
        stream.edge = self.edge
        queue_lightly(stream)
        self.streams[stream_id] = stream
        yield from self.event_to_child(stream, events.Start())

    def _fork(self) -> Context:
        """As `Context.fork`, without the server connection that it makes only to throw it away."""
        context = Context.__new__(Context)
        context.client, context.server = self.context.client, self.context.server
        context.options, context.layers = self.context.options, self.context.layers.copy()
        return context

    def has_backlog(self) -> bool:
        """Something waits for the client's HTTP/2 window, of streams that are over too."""
        h2 = getattr(self.connections.get(self.context.client), "h2_conn", None)
        return h2 is not None and any(h2.stream_buffers.values())

    def backlog(self, stream: HttpStream) -> bool:
        """The client's HTTP/2 window for this stream is used up."""
        if self._plain is not None:
            return False
        h2 = getattr(self.connections.get(self.context.client), "h2_conn", None)
        return h2 is not None and stream.stream_id in h2.stream_buffers


def put_in(layers: Iterator[Any], edge: Edge) -> None:
    """Turn each plain HttpLayer on a stack into ours."""
    for layer in layers:
        if type(layer) is HttpLayer:
            edged = cast("EdgeHttpLayer", layer)
            edged.__class__ = EdgeHttpLayer
            edged.edge = edge
            edged.waiting = set()
            edge.pending.layers.add(edged)
            queue_lightly(edged)
