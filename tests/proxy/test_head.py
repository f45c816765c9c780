"""What the HTTP/1 layer writes for an answer, without a socket."""

from __future__ import annotations

import pytest
from mitmproxy import http
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import (
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._events import ErrorCode
from mitmproxy.test.tflow import tclient_conn

from wattline.proxy.head import EdgeHttp1Server, HeadLimits


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


def test_a_whole_answer_is_one_write(layer: EdgeHttp1Server) -> None:
    answer = http.Response.make(200, b"hello")
    assert sent(layer.send(ResponseHeaders(1, answer))) == []
    (whole,) = sent(layer.send(ResponseData(1, b"hello")))
    assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
    assert whole.endswith(b"\r\n\r\nhello")
    assert sent(layer.send(ResponseEndOfMessage(1))) == []


def test_the_head_of_a_stream_does_not_wait(layer: EdgeHttp1Server) -> None:
    answer = http.Response.make(200, b"")
    answer.stream = True
    assert len(sent(layer.send(ResponseHeaders(1, answer)))) == 1


def test_an_interim_answer_does_not_wait(layer: EdgeHttp1Server) -> None:
    assert len(sent(layer.send(ResponseHeaders(1, http.Response.make(100))))) == 1


def test_what_has_no_body_does_not_wait(layer: EdgeHttp1Server) -> None:
    answer = http.Response.make(204, b"")
    assert len(sent(layer.send(ResponseHeaders(1, answer, end_stream=True)))) == 1


def test_a_break_after_a_held_head_sends_it_first(layer: EdgeHttp1Server) -> None:
    assert sent(layer.send(ResponseHeaders(1, http.Response.make(200, b"hello")))) == []
    error = ResponseProtocolError(1, "broken", ErrorCode.GENERIC_SERVER_ERROR)
    found = list(layer.send(error))
    assert isinstance(found[0], commands.SendData)
    assert found[0].data.startswith(b"HTTP/1.1 200")
    assert isinstance(found[-1], commands.CloseConnection)
