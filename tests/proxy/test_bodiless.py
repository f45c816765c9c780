"""Answers that have no body, whatever they say of one."""

from __future__ import annotations

import asyncio

import pytest
from mitmproxy import http

from kit.sidecars import running
from wattline.proxy.messages import stream_response, whole_response
from wattline.wire.http import Head, Whole

CORS = 'cors: {origins: ["http://a.b"]}\n'
AFTER = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


async def asked(address: tuple[str, int], *requests: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"".join(requests))
    async with asyncio.timeout(30):
        found = await reader.read()
    writer.close()
    return found


@pytest.mark.parametrize("path", ["/health", "/v1/chat/completions", "/v1/models", "/nothing"])
async def test_head_has_a_length_and_no_body(tmp_path, path):
    """What followed would be taken for the beginning of the next answer."""
    async with running(tmp_path, 1, extra=CORS) as sidecar:
        asking = f"HEAD {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
        head, _, rest = (await asked(sidecar.address, asking, AFTER)).partition(b"\r\n\r\n")
        assert b"content-length: " in head.lower()
        assert rest.startswith(b"HTTP/1.1 200 OK\r\n"), rest[:80]


async def test_head_refused_for_its_body_has_none(tmp_path):
    async with running(tmp_path, 1, extra="limits: {json_bytes: 10240}\n") as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(
            b"HEAD /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999\r\n\r\n"
        )
        async with asyncio.timeout(30):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write_eof()
            assert await reader.read() == b""
        writer.close()
        assert head.startswith(b"HTTP/1.1 4")


async def test_204_frames_nothing(tmp_path):
    """RFC 9110, 8.6."""
    async with running(tmp_path, 1, extra=CORS) as sidecar:
        asking = (
            b"OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\norigin: http://a.b\r\n"
            b"access-control-request-method: POST\r\n\r\n"
        )
        head, _, rest = (await asked(sidecar.address, asking, AFTER)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 204")
        assert b"content-length" not in head.lower()
        assert rest.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_no_header_frames_a_body_that_is_none(status: int) -> None:
    request = http.Request.make("GET", "http://localhost/")
    for response in (
        whole_response(Whole(status, (), b"")),
        stream_response(Head(status, ()), request),
    ):
        assert "content-length" not in response.headers
        assert "transfer-encoding" not in response.headers
