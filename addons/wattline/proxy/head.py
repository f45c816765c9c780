"""HTTP/1 requests with bounds and deadlines, which mitmproxy's own reader does not have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import override

from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import (
    Http1Server,
    HttpEvent,
    RequestHeaders,
    RequestProtocolError,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import ErrorCode

from wattline.proxy.event_queue import queue_lightly
from wattline.proxy.header_lookup import quicken

_REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    505: "HTTP Version Not Supported",
}
_VERSIONS = frozenset({"HTTP/1.0", "HTTP/1.1"})
AHEAD = 1024 * 1024
"""Bytes that a client may send beyond the request under way; nobody pipelines more than that."""


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """Bytes of a request head, seconds from its first byte to its last, and seconds for its body."""

    max_bytes: int
    seconds: float
    body_seconds: float = 300.0


class EdgeHttp1Server(Http1Server):
    """Refuses heads that are too large, and heads and bodies that are too slow, and says so in JSON.

    A body that is passed on as it comes (`request.stream`) has no deadline.
    """

    def __init__(self, context: Context, limits: HeadLimits) -> None:
        super().__init__(context)
        self.limits = limits
        self._deadline: commands.RequestWakeup | None = None
        self._body_deadline: commands.RequestWakeup | None = None
        self._chunked = False
        queue_lightly(self)

    @override
    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.Wakeup):
            yield from self._late(event)
            return
        yield from super()._handle_event(event)
        if self.state == self.wait and len(self.buf) > AHEAD:
            self.buf.maybe_extract_at_most(len(self.buf))
            yield commands.CloseConnection(self.conn)
        yield from self._watch()

    def _watch(self) -> Iterator[commands.Command]:
        if not self._in_head():
            self._deadline = None
        elif self._deadline is None:
            self._deadline = commands.RequestWakeup(self.limits.seconds)
            yield self._deadline
        if self.state != self.read_body:
            self._body_deadline = None
        elif self._body_deadline is None:
            self._body_deadline = commands.RequestWakeup(self.limits.body_seconds)
            yield self._body_deadline

    def _late(self, event: events.Wakeup) -> CommandGenerator[None]:
        if event.command is self._deadline and self._in_head():
            yield from self._refuse(
                408,
                "request_timeout",
                f"The request head was not complete after {self.limits.seconds:g} s.",
            )
        elif event.command is self._body_deadline and self._holds_body():
            yield from self._refuse_body(
                408,
                "body_timeout",
                f"The body was not complete after {self.limits.body_seconds:g} s "
                "(rules.yaml: limits.body_seconds).",
            )

    def _in_head(self) -> bool:
        return self.state == self.read_headers and len(self.buf) > 0

    def _holds_body(self) -> bool:
        return self.state == self.read_body and not (self.request and self.request.stream)

    @override
    def read_headers(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        self._skip_empty_lines()
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
            if isinstance(command, commands.SendData) and self.state == self.read_headers:
                # the stock reader's own answer, which is an HTML page
                command = commands.SendData(  # noqa: PLW2901
                    self.conn,
                    error_answer(400, "bad_http", "The request is not valid HTTP/1.1."),
                )
            if (head := _head_in(command)) is not None:
                if head.http_version not in _VERSIONS:
                    message = "The request's version is neither HTTP/1.0 nor HTTP/1.1."
                    yield from self._refuse(505, "http_version", message)
                    return
                quicken(head.headers)
            yield command

    def _skip_empty_lines(self) -> None:
        """All of them at once (RFC 9112, 2.2): the stock reader takes one for each packet and waits."""
        data = self.buf._data  # it has no way to look without taking
        if data.startswith((b"\r", b"\n")):
            self.buf.maybe_extract_at_most(len(data) - len(data.lstrip(b"\r\n")))

    @override
    def read_body(self, event: events.Event) -> CommandGenerator[None]:
        """A body whose framing is broken is answered; the stock reader would close without a word, or
        raise for trailers and leave the client waiting.
        """
        message = "The request's body is not framed as HTTP/1.1 asks."
        try:
            for command in super().read_body(event):
                if isinstance(command, commands.CloseConnection) and self._can_answer():
                    yield commands.SendData(self.conn, error_answer(400, "bad_body", message))
                yield command
        except NotImplementedError:
            message = (
                "Trailers after a chunked body are not supported: send those fields as headers."
            )
            yield from self._refuse_body(400, "trailers", message)

    def _can_answer(self) -> bool:
        return self.response is None and bool(self.conn.state & ConnectionState.CAN_WRITE)

    def _head_length(self) -> int:
        data = bytes(self.buf)
        end = min((i for i in (data.find(b"\r\n\r\n"), data.find(b"\n\n")) if i >= 0), default=-1)
        return end if end >= 0 else len(data)

    def _refuse(self, status: int, code: str, message: str) -> Iterator[commands.Command]:
        self.state = self.done
        self.buf.maybe_extract_at_most(len(self.buf))
        yield commands.SendData(self.conn, error_answer(status, code, message))
        yield commands.CloseConnection(self.conn)

    def _refuse_body(self, status: int, code: str, message: str) -> CommandGenerator[None]:
        if self._can_answer():
            yield from self._refuse(status, code, message)
        else:  # an early answer is under way or was given
            self.state = self.done
            yield commands.CloseConnection(self.conn)
        error = RequestProtocolError(self.stream_id, message, ErrorCode.GENERIC_CLIENT_ERROR)
        yield ReceiveHttp(error)

    def framed(self, data: bytes) -> bytes:
        """A piece of the response under way as it goes over the wire."""
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data

    @override
    def send(self, event: HttpEvent) -> CommandGenerator[None]:
        if isinstance(event, WholeAnswer):
            return self._send_whole(event)
        if isinstance(event, ResponseHeaders):
            self._note_coding(event.response)
        elif isinstance(event, ResponseProtocolError) and not self.response:
            status = event.code.http_status_code()
            if status is not None and self.conn.state & ConnectionState.CAN_WRITE:
                return self._send_error(status, event.message)
        return super().send(event)

    def _note_coding(self, response: http.Response) -> None:
        coding = response.headers.get("transfer-encoding", "")
        self._chunked = "chunked" in coding.lower()

    def _send_whole(self, event: WholeAnswer) -> CommandGenerator[None]:
        """Head and body in one write, and one packet."""
        self._note_coding(event.response)
        body = self.framed(event.response.raw_content or b"")
        for command in super().send(ResponseHeaders(event.stream_id, event.response)):
            if isinstance(command, commands.SendData):
                command = commands.SendData(self.conn, command.data + body)  # noqa: PLW2901
            yield command

    def _send_error(self, status: int, message: str) -> CommandGenerator[None]:
        yield commands.SendData(self.conn, error_answer(status, "bad_request", message))
        yield commands.CloseConnection(self.conn)


@dataclass
class WholeAnswer(HttpEvent):
    """An answer that is complete, for HTTP/1."""

    response: http.Response


def _head_in(command: commands.Command) -> http.Request | None:
    if isinstance(command, ReceiveHttp) and isinstance(command.event, RequestHeaders):
        return command.event.request
    return None


def error_answer(status: int, code: str, message: str) -> bytes:
    """A complete HTTP/1.1 answer for requests so broken that no dialect is known."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    body = json.dumps({"error": error, "message": message, "status": "error"}).encode()
    return (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}\r\n"
        "content-type: application/json\r\nconnection: close\r\n"
        f"x-wattline-fault: client\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body
