"""What was refused for its body or its destination: a line in the log for each."""

from __future__ import annotations

import asyncio

import pytest

from kit.sidecars import running


def lines(caplog) -> list[str]:
    found = (one for one in caplog.records if one.name == "wattline.requests")
    return [one.getMessage().partition(" ")[2] for one in found]


async def send(address, data: bytes) -> bytes:
    """What is answered to `data`, after which nothing more is sent."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


HEAD = b"POST /v1/chat/completions?x=y HTTP/1.1\r\nhost: localhost\r\n"
LARGE = b"content-length: 200000\r\n\r\n" + b"a" * 200_000
CHUNKED = b"transfer-encoding: chunked\r\n\r\n" + b"30d40\r\n" + b"a" * 200_000
CUT = b'content-length: 100\r\n\r\n{"model": "very-private'


@pytest.mark.parametrize(
    ("rest", "told"),
    [(LARGE, "413 body_too_large"), (CHUNKED, "413 body_too_large"), (CUT, "400 body_incomplete")],
    ids=["large", "chunked", "cut"],
)
async def test_a_body_that_is_refused_is_one_line(tmp_path, caplog, rest, told):
    caplog.set_level("INFO", "wattline.requests")
    async with running(tmp_path, 1, extra="limits: {json_bytes: 100000}\n") as sidecar:
        await send(sidecar.address, HEAD + rest)
        async with asyncio.timeout(10):
            while not lines(caplog):
                await asyncio.sleep(0.01)
    assert lines(caplog) == [f"refused: POST /v1/chat/completions {told}"]
    assert "very-private" not in caplog.text


async def test_a_tunnel_that_is_refused_is_one_line(tmp_path, caplog):
    caplog.set_level("INFO", "wattline.requests")
    async with running(tmp_path, 1) as sidecar:
        target = b"10.0.0.1:443"
        await send(sidecar.address, b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n\r\n" % (target, target))
    assert lines(caplog) == ["refused: CONNECT 10.0.0.1:443 403 forbidden_destination"]


async def test_an_answer_that_is_no_stream_is_told_with_its_type(tmp_path, caplog):
    async with running(tmp_path, 1) as sidecar:
        sidecar.upstreams[0].always("html")
        body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        assert (await sidecar.call(body)).status >= 500
    (line,) = (one.getMessage() for one in caplog.records if "attempt 1" in one.getMessage())
    assert "bad_answer (a stream was asked for, and Content-Type is text/html, not " in line


async def test_an_attempt_without_an_answer_says_why(tmp_path, caplog):
    """A code alone does not tell an operator which host it was, or what is wrong with a certificate."""
    async with running(tmp_path, 1) as sidecar:
        await sidecar.upstreams[0].refuse()
        reply = await sidecar.call({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
        assert reply.status == 500
        origin = sidecar.upstreams[0].url.removesuffix("/v1")
    (said,) = (one.getMessage() for one in caplog.records if one.name == "wattline.attempts")
    assert said.endswith(f"failed: refused ({origin} refused the connection)")
    assert origin not in reply.body.decode()
