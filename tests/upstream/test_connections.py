"""The canary for aiohttp upgrades: each name that `connections.py` relies on without documentation."""

from __future__ import annotations

import inspect

from aiohttp import TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_parser import HttpResponseParser
from aiohttp.streams import StreamReader


def test_names_that_aiohttp_does_not_promise() -> None:
    wanted = {
        "skip_payload",
        "read_until_eof",
        "auto_decompress",
        "read_bufsize",
        "max_line_size",
        "max_field_size",
        "max_headers",
    }
    assert wanted <= set(inspect.signature(ResponseHandler.set_response_params).parameters)
    for name in ("abort", "read", "should_close", "force_close", "set_exception"):
        assert hasattr(ResponseHandler, name)
    for name in ("readany", "read_nowait", "is_eof", "set_exception", "exception"):
        assert hasattr(StreamReader, name)
    assert list(inspect.signature(TCPConnector.connect).parameters) == [
        "self",
        "req",
        "traces",
        "timeout",
    ]


async def test_the_connector_makes_our_protocol() -> None:
    connector = TCPConnector()
    assert connector._factory.func is ResponseHandler  # what Connections replaces
    await connector.close()


def test_the_c_parser_is_in_use() -> None:
    """The Python one is ten times slower and has other limits."""
    assert HttpResponseParser.__module__ == "aiohttp._http_parser"
