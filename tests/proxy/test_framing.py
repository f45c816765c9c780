"""Bodies of HTTP/2 that are passed on to a server of HTTP/1.1."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest

from kit.attacks import Frames
from kit.certs import authority
from kit.clients import Way, dial
from kit.sidecars import rules, running

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n"


class Origin:
    """A TLS server of HTTP/1.1 that notes each request as it understands it."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                self.requests.append((head, await _body(head, reader)))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def _body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.partition(b":")[2]))
    body = b""
    if b"\r\ntransfer-encoding: chunked\r\n" in head:
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    return body


@asynccontextmanager
async def passed(tmp_path):
    """An HTTP/2 connection to an intercepted host none of whose paths are calls, and that host."""
    signer, origin = authority(tmp_path), Origin()
    server = await asyncio.start_server(
        origin.serve, "127.0.0.1", 0, ssl=signer.server("localhost")
    )
    port = server.sockets[0].getsockname()[1]
    text = rules(["http://127.0.0.1:1/v1"]).replace("intercept: [", "intercept: [localhost, ")
    text += f"tunnel: {{policy: listed, hosts: [localhost, 127.0.0.1], ports: [{port}]}}\n"
    env = {"SSL_CERT_FILE": str(signer.file)}
    async with running(tmp_path, 1, text=text, env=env) as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(f"CONNECT localhost:{port} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        context = ssl.create_default_context(cafile=str(sidecar.ca))
        context.set_alpn_protocols(["h2"])
        await writer.start_tls(context, server_hostname="localhost")
        frames = Frames(reader, writer)
        frames.wire.initiate_connection()
        frames.flush()
        fields = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", f"localhost:{port}"),
            (":path", "/v1/files/x"),
        ]
        yield frames, fields, origin
        writer.transport.abort()
    server.close()


@pytest.mark.parametrize("sent", ["no length", "a length", "trailers", "nothing"])
async def test_a_passed_body_of_http2_is_no_second_request(tmp_path, sent):
    """T12: without a length it would stand unframed behind its head, free for a second request."""
    async with passed(tmp_path) as (frames, fields, origin):
        more = [("content-length", str(len(SMUGGLED)))] if sent == "a length" else []
        stream = frames.headers([*fields, *more], end=sent == "nothing")
        if sent != "nothing":
            frames.wire.send_data(stream, SMUGGLED[:10])
            frames.wire.send_data(stream, SMUGGLED[10:], end_stream=sent != "trailers")
            if sent == "trailers":
                frames.wire.send_headers(stream, [("x-sum", "1")], end_stream=True)
            frames.flush()
        assert await frames.until_over(stream) == 200
        assert await frames.until_over(frames.headers([(":method", "GET"), *fields[1:]])) == 200
    bodies = [body for _, body in origin.requests]
    assert bodies == [b"" if sent == "nothing" else SMUGGLED, b""]
    assert all(b"/v1/files/x" in head for head, _ in origin.requests)


async def test_trailers_for_a_page_of_ours_break_nothing(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        reader, writer = await dial(sidecar.address, Way("wattline.local", h2=True), sidecar.ca)
        frames = Frames(reader, writer)
        frames.wire.initiate_connection()
        fields = [(":method", "POST"), (":scheme", "https"), (":authority", "wattline.local")]
        for _ in range(2):
            stream = frames.headers([*fields, (":path", "/api/show")], end=False)
            frames.wire.send_data(stream, b'{"model": "nobody"}')
            frames.wire.send_headers(stream, [("x-sum", "1")], end_stream=True)
            frames.flush()
            assert await frames.until_over(stream) == 404
        writer.transport.abort()
