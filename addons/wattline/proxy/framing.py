"""A request of HTTP/2 for a server of HTTP/1.1: what HTTP/2 says by itself must stand in its head there.

HTTP/2 tells the end of a body by a flag. mitmproxy writes such a body behind a head without a length, so
that a server takes it for the next request (request smuggling, RFC 9112, 6 and 11.2). It has no way to
write trailers to such a server either.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from mitmproxy.connection import Server
from mitmproxy.proxy import commands
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import RequestHeaders, RequestTrailers, SendHttp, is_h3_alpn


def framed(generator: CommandGenerator[None]) -> Generator[commands.Command, Any]:
    """Commands of a stream. A body of unknown length for a server of HTTP/1.1 is sent in chunks, trailers
    are left out.
    """
    reply: Any = None
    while True:
        try:
            command = generator.send(reply)
        except StopIteration:
            return
        reply = None
        if isinstance(command, SendHttp) and _is_http1_server(command):
            if isinstance(command.event, RequestTrailers):
                continue
            if isinstance(command.event, RequestHeaders):
                command = SendHttp(_sized(command.event), command.connection)
        reply = yield command


def _is_http1_server(command: SendHttp) -> bool:
    server = command.connection
    return isinstance(server, Server) and server.alpn != b"h2" and not is_h3_alpn(server.alpn)


def _sized(event: RequestHeaders) -> RequestHeaders:
    request = event.request
    if event.end_stream or not (request.is_http2 or request.is_http3):
        return event
    if "content-length" in request.headers or "transfer-encoding" in request.headers:
        return event
    request = request.copy()
    request.headers["transfer-encoding"] = "chunked"
    return replace(event, request=request)
