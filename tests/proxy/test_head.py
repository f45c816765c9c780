"""What the HTTP/1 layer writes for an answer, without a socket."""

from __future__ import annotations

import pytest
from mitmproxy import http
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import (
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._events import ErrorCode
from mitmproxy.test.tflow import tclient_conn

from wattline.proxy.head import EdgeHttp1Server, HeadLimits, WholeAnswer


@pytest.fixture
def layer() -> EdgeHttp1Server:
    """One that has read a request."""
    made = EdgeHttp1Server(Context(tclient_conn(), Options()), HeadLimits(65536, 10))
    list(made.handle_event(events.Start()))
    data = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"
    list(made.handle_event(events.DataReceived(made.conn, data)))
    return made


def sent(commands_: object) -> list[bytes]:
    return [c.data for c in commands_ if isinstance(c, commands.SendData)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fields", "body"),
    [({}, b"hello"), ({"transfer-encoding": "chunked"}, b"5\r\nhello\r\n")],
)
def test_a_whole_answer_is_one_write(
    layer: EdgeHttp1Server, fields: dict[str, str], body: bytes
) -> None:
    answer = http.Response.make(200, b"hello", fields)
    (whole,) = sent(layer.send(WholeAnswer(1, answer)))
    assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
    assert whole.endswith(b"\r\n\r\n" + body)
    assert sent(layer.send(ResponseEndOfMessage(1))) == ([b"0\r\n\r\n"] if fields else [])


def test_a_whole_answer_may_have_no_body(layer: EdgeHttp1Server) -> None:
    (whole,) = sent(layer.send(WholeAnswer(1, http.Response.make(204, b""))))
    assert whole.endswith(b"\r\n\r\n")


def test_an_answer_of_http2_is_written_as_http1(layer: EdgeHttp1Server) -> None:
    answer = http.Response.make(200, b"hello")
    answer.http_version = "HTTP/2.0"
    (whole,) = sent(layer.send(WholeAnswer(1, answer)))
    assert whole.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_break_before_an_answer_is_told(layer: EdgeHttp1Server) -> None:
    error = ResponseProtocolError(1, "broken", ErrorCode.GENERIC_SERVER_ERROR)
    told, closed = layer.send(error)
    assert told.data.startswith(b"HTTP/1.1 502")
    assert isinstance(closed, commands.CloseConnection)


def test_a_break_within_an_answer_is_not_told(layer: EdgeHttp1Server) -> None:
    list(layer.send(ResponseHeaders(1, http.Response.make(200, b"hello"))))
    (closed,) = layer.send(ResponseProtocolError(1, "broken", ErrorCode.GENERIC_SERVER_ERROR))
    assert isinstance(closed, commands.CloseConnection)
