"""What is passed on is proved to be left alone: tunnels, requests, calls."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest

from kit.clients import Way, call, client
from kit.proofs import proofs
from kit.sidecars import running
from kit.standing import stand_in
from wattline.service.answering import whole
from wattline.service.watching.proofs import proof_file

RULES = """
version: 1
intercept: [api.openai.com, api.anthropic.com]
proof: {tunnels: %s, passed: %s}
tunnel: {policy: listed, hosts: [localhost, 127.0.0.1], ports: [%d]}
rules: [{name: theirs, when: {forward: true}, pass: true}]
"""
OPENAI = Way("api.openai.com")
BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello there"}]}


def rules(port=443, *, tunnels="true", passed="true") -> str:
    return RULES % (tunnels, passed, port)


async def test_every_byte_of_a_tunnel(tmp_path):
    sent, echoed = bytes(range(256)) * 999, b"\x00answer" * 5_000

    async def answer(reader, writer):
        await reader.readexactly(len(sent))
        writer.write(echoed)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running(tmp_path, 1, text=rules(port), check=False) as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(f"CONNECT localhost:{port} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        async with asyncio.timeout(10):
            assert await reader.readexactly(len(echoed)) == echoed
        writer.close()
        (proof,) = await proofs(sidecar)
    server.close()
    assert (proof["kind"], proof["host"], proof["port"]) == ("tunnel", "localhost", port)
    assert proof["verdict"] == "untouched"
    for way, data in (("up", sent), ("down", echoed)):
        digest = hashlib.sha256(data).hexdigest()
        assert proof[way]["bytes_in"] == proof[way]["bytes_out"] == len(data)
        assert proof[way]["digest_in"] == proof[way]["digest_out"] == digest


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("way", [OPENAI, Way("api.openai.com", h2=True)], ids=["h1", "h2"])
async def test_a_call_that_is_passed_on(tmp_path, stream, way):
    async with running(tmp_path, 1, text=rules(), check=False) as sidecar:
        standing = stand_in(sidecar)
        more = {"stream_options": {"include_usage": True}} if stream else {}
        raw = json.dumps({**BODY, "stream": stream, **more}, indent=3).encode()
        reply = await call(sidecar.address, way, sidecar.ca, raw)
        assert reply.status == 200
        got = b"".join(piece for _, piece in reply.pieces)
        (proof,) = await proofs(sidecar)
    assert standing.sent[0].body == raw
    assert (proof["kind"], proof["host"], proof["verdict"]) == (
        "call",
        "api.openai.com",
        "untouched",
    )
    assert proof["up"]["digest_in"] == hashlib.sha256(raw).hexdigest()
    assert proof["down"]["digest_out"] == hashlib.sha256(got).hexdigest()
    assert sidecar.sidecar.parts.records.settlement.counts.proofs == {("call", "untouched"): 1}


async def test_a_refusal_is_passed_on_too(tmp_path):
    async with running(tmp_path, 1, text=rules(), check=False) as sidecar:
        stand_in(sidecar)
        sidecar.upstreams[0].script(["413"])
        reply = await call(sidecar.address, OPENAI, sidecar.ca, BODY)
        (proof,) = await proofs(sidecar)
    assert reply.status == 413
    assert proof["verdict"] == "untouched"


async def test_a_request_that_is_no_call(tmp_path):
    """Carried by mitmproxy itself."""
    sent, answered = b"s" * 200_000, b"a" * 300_000

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(sent))
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answered)
        writer.write(head + answered)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running(tmp_path, 1, text=rules(port), check=False) as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address)
        place = f"localhost:{port}"
        head = f"POST http://{place}/x HTTP/1.1\r\nhost: {place}\r\ncontent-length: {len(sent)}"
        writer.write(f"{head}\r\n\r\n".encode() + sent)
        async with asyncio.timeout(10):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(answered)) == answered
        writer.close()
        (proof,) = await proofs(sidecar)
    server.close()
    assert (proof["kind"], proof["host"], proof["verdict"]) == ("request", "localhost", "untouched")
    assert proof["up"]["digest_in"] == hashlib.sha256(sent).hexdigest()
    assert proof["down"]["digest_out"] == hashlib.sha256(answered).hexdigest()


async def test_an_upload(tmp_path):
    raw = (
        b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        + b"\x01\x02" * 1_000_000
        + b"\r\n--x--\r\n"
    )
    async with running(tmp_path, 1, text=rules(), check=False) as sidecar:
        stand_in(sidecar)
        connection = await client(sidecar.address, OPENAI, sidecar.ca)
        headers = [
            ("host", "api.openai.com"),
            ("content-type", "multipart/form-data; boundary=x"),
        ]
        await connection.send("POST", "/v1/audio/transcriptions", headers, raw)
        async for _ in connection.pieces():
            pass
        connection.close()
        (proof,) = await proofs(sidecar)
    assert proof["up"]["digest_in"] == proof["up"]["digest_out"] == hashlib.sha256(raw).hexdigest()


async def test_an_answer_that_was_altered_is_found(tmp_path, monkeypatch):
    """A fault of our own: the proof must say so."""
    monkeypatch.setattr(whole, "redacted", lambda body, _: body + b" ")
    async with running(tmp_path, 1, text=rules(), check=False) as sidecar:
        stand_in(sidecar)
        await call(sidecar.address, OPENAI, sidecar.ca, BODY)
        (proof,) = await proofs(sidecar)
    assert proof["verdict"] == "changed"


async def test_off_by_default_nothing_is_written(tmp_path):
    text = rules(tunnels="false", passed="false")
    async with running(tmp_path, 1, text=text, check=False) as sidecar:
        stand_in(sidecar)
        await call(sidecar.address, OPENAI, sidecar.ca, BODY)
        await sidecar.sidecar.parts.records.proofs.written()
    assert not proof_file(sidecar.state).path.exists()
