"""HTTP/1 heads with a bound and a deadline, which mitmproxy's own reader does not have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import override

from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import (
    Http1Server,
    HttpEvent,
    ResponseHeaders,
    ResponseProtocolError,
)

_REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
}


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """Bytes of a request head, and seconds from its first byte to its last."""

    max_bytes: int
    seconds: float


class EdgeHttp1Server(Http1Server):
    """Refuses heads that are too large or too slow, and says so in JSON."""

    def __init__(self, context: Context, limits: HeadLimits) -> None:
        super().__init__(context)
        self.limits = limits
        self._deadline: commands.RequestWakeup | None = None
        self._chunked = False

    @override
    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.Wakeup):
            if event.command is self._deadline and self._in_head():
                yield from self._refuse(
                    408,
                    "request_timeout",
                    f"The request head was not complete after {self.limits.seconds:g} s.",
                )
            return
        yield from super()._handle_event(event)
        if not self._in_head():
            self._deadline = None
        elif self._deadline is None:
            self._deadline = commands.RequestWakeup(self.limits.seconds)
            yield self._deadline

    def _in_head(self) -> bool:
        return self.state == self.read_headers and len(self.buf) > 0

    @override
    def read_headers(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        if len(self.buf) > self.limits.max_bytes and self._head_length() > self.limits.max_bytes:
            yield from self._refuse(
                431,
                "head_too_large",
                f"The request head is larger than {self.limits.max_bytes} bytes "
                "(rules.yaml: limits.head_bytes).",
            )
            return
        if isinstance(event, events.ConnectionClosed) and self.buf:
            yield commands.CloseConnection(self.conn)  # the stock reader would log the head
            return
        for command in super().read_headers(event):
            if isinstance(command, commands.SendData):  # only ever an HTML error page
                command = commands.SendData(  # noqa: PLW2901
                    self.conn,
                    error_answer(400, "bad_http", "The request is not valid HTTP/1.1."),
                )
            yield command

    def _head_length(self) -> int:
        data = bytes(self.buf)
        end = min((i for i in (data.find(b"\r\n\r\n"), data.find(b"\n\n")) if i >= 0), default=-1)
        return end if end >= 0 else len(data)

    def _refuse(self, status: int, code: str, message: str) -> Iterator[commands.Command]:
        self.state = self.done
        self.buf.maybe_extract_at_most(len(self.buf))
        yield commands.SendData(self.conn, error_answer(status, code, message))
        yield commands.CloseConnection(self.conn)

    def framed(self, data: bytes) -> bytes:
        """A piece of the response under way as it goes over the wire."""
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data

    @override
    def send(self, event: HttpEvent) -> CommandGenerator[None]:
        if isinstance(event, ResponseHeaders):
            coding = event.response.headers.get("transfer-encoding", "")
            self._chunked = "chunked" in coding.lower()
        if isinstance(event, ResponseProtocolError) and not self.response:
            status = event.code.http_status_code()
            if status is not None and self.conn.state & ConnectionState.CAN_WRITE:
                answer = error_answer(status, "bad_request", event.message)
                yield commands.SendData(self.conn, answer)
                yield commands.CloseConnection(self.conn)
                return
        yield from super().send(event)


def error_answer(status: int, code: str, message: str) -> bytes:
    """A complete HTTP/1.1 answer for requests so broken that no dialect is known."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    body = json.dumps({"error": error, "message": message, "status": "error"}).encode()
    return (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}\r\n"
        "content-type: application/json\r\nconnection: close\r\n"
        f"x-wattline-fault: client\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body
