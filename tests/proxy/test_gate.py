"""Bad requests at the door, through a real socket: a clear answer, and nothing reaches an upstream."""

from __future__ import annotations

import asyncio
import gzip
import json
import re

import pytest

from kit.books import check_books
from kit.clients import CONNECT_H2, WAYS
from kit.sidecars import running

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


async def raw(address, data: bytes, *, seconds: float = 10) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    try:
        async with asyncio.timeout(seconds):
            return await reader.read(65536)
    finally:
        writer.close()


def post(body: bytes, extra: str = "", path: str = "/v1/chat/completions") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
    return head.encode("latin-1") + body


GOOD = json.dumps(CHAT).encode()

BAD = {
    "no json": (post(b"hello"), 400, "invalid_json"),
    "half json": (post(GOOD[:-5]), 400, "invalid_json"),
    "array": (post(b"[1]"), 400, "not_an_object"),
    "nan": (post(b'{"model":"m","x":NaN}'), 400, "not_finite"),
    "huge number": (post(b'{"model":"m","x":1e999}'), 400, "not_finite"),
    "duplicate": (post(b'{"model":"m","model":"m"}'), 400, "duplicate_key"),
    "nested duplicate": (post(b'{"model":"m","messages":[{"a":1,"a":2}]}'), 400, "duplicate_key"),
    "deep": (post(b'{"model":"m","x":' + b"[" * 5000 + b"]" * 5000 + b"}"), 400, "too_deep"),
    "no model": (post(b'{"messages":[]}'), 400, None),
    "unknown model": (
        post(b'{"model":"zz","messages":[{"role":"user","content":"x"}]}'),
        404,
        None,
    ),
    "two credentials": (post(GOOD, "authorization: Bearer a\r\nx-api-key: b\r\n"), 400, None),
    "control character": (post(GOOD, "x-thing: a\x01b\r\n"), 400, "bad_header"),
    "foreign origin": (post(GOOD, "origin: https://evil.test\r\n"), 403, "foreign_origin"),
    "null origin": (post(GOOD, "origin: null\r\n"), 403, "foreign_origin"),
    "dot path": (post(GOOD, path="/v1/../v1/chat/completions"), 400, "ambiguous_path"),
    "encoded slash": (post(GOOD, path="/v1%2fchat/completions"), 400, "ambiguous_path"),
    "unknown path": (post(GOOD, path="/v1/chat/completion"), 404, "unknown_path"),
    "method": (b"GET /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n\r\n", 405, None),
    "odd method": (b"BREW / HTTP/1.1\r\nhost: localhost\r\n\r\n", 405, "bad_method"),
    "unknown encoding": (post(GOOD, "content-encoding: rot13\r\n"), 415, None),
    "broken gzip": (post(GOOD, "content-encoding: gzip\r\n"), 400, None),
    "not http": (b"hello there\r\n\r\n", 400, None),
    "both lengths": (post(GOOD, "transfer-encoding: chunked\r\n"), 400, None),
    "no host": (b"GET /v1/models HTTP/1.1\r\n\r\n", 400, None),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_request_gets_a_clear_answer(tmp_path, name):
    """A-151, A-155: what was wrong, in JSON; no byte of it goes upstream."""
    data, status, code = BAD[name]
    async with running(tmp_path, 1) as sidecar:
        answer = await raw(sidecar.address, data)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert int(head.split()[1]) == status, answer
        error = json.loads(body)["error"]
        assert error["message"]
        assert code is None or error["code"] == code
        assert b"x-wattline-fault: client" in head
        assert not sidecar.upstreams[0].journal.requests


async def test_endless_heads_are_refused(tmp_path):
    """Stock mitmproxy takes 195 MB of head: here 64 KiB are the end."""
    async with running(tmp_path, 1) as sidecar:
        head = (
            b"GET /health HTTP/1.1\r\nhost: localhost\r\n"
            + b"x-filler: aaaaaaaaaaaaaaaaaaaaaaa\r\n" * 5000
        )
        assert b" 431 " in (await raw(sidecar.address, head)).split(b"\r\n")[0]
        line = b"GET /" + b"a" * 200_000
        assert b" 431 " in (await raw(sidecar.address, line)).split(b"\r\n")[0]
        assert (await sidecar.call(CHAT)).status == 200


async def test_slow_heads_are_refused(tmp_path):
    """A head has `limits.head_seconds` from its first byte, however it drips."""
    async with running(tmp_path, 1, extra="limits: {head_seconds: 0.3}\n") as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(b"GET /health HTTP/1.1\r\n")

        async def drip():
            while True:
                writer.write(b"x: y\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.ensure_future(drip())
        async with asyncio.timeout(30):
            answer = await reader.read(65536)
        dripping.cancel()
        assert b" 408 " in answer.split(b"\r\n")[0]
        writer.close()


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_large_bodies_are_refused(tmp_path, way):
    """A body over the bound gets 413 at once, with a length or without."""
    async with running(tmp_path, 1, extra="limits: {json_bytes: 100000}\n") as sidecar:
        body = json.dumps({**CHAT, "x": "a" * 300_000}).encode()
        reply = await sidecar.call(body, way)
        assert reply.status == 413
        assert reply.json()["error"]["code"] == "body_too_large"
        assert not sidecar.upstreams[0].journal.requests
        assert (await sidecar.call(CHAT, way)).status == 200


async def test_large_bodies_without_a_length_are_refused(tmp_path):
    async with running(tmp_path, 1, extra="limits: {json_bytes: 100000}\n") as sidecar:
        chunk = b"%x\r\n%s\r\n" % (60_000, b"a" * 60_000)
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        answer = await raw(sidecar.address, head + chunk * 3)
        assert b" 413 " in answer.split(b"\r\n")[0]


async def test_a_decompression_bomb_is_refused_and_holds_nobody(tmp_path):
    """1 GiB in 1 MB of gzip: refused, and a neighbour is answered meanwhile."""
    bomb = gzip.compress(b"\0" * (256 * 1024 * 1024), 9)
    async with running(tmp_path, 1) as sidecar:
        attack = asyncio.ensure_future(
            raw(sidecar.address, post(bomb, "content-encoding: gzip\r\n"), seconds=60)
        )
        for _ in range(5):
            async with asyncio.timeout(30):
                assert (await sidecar.call(CHAT)).status == 200
        answer = await attack
        assert b" 413 " in answer.split(b"\r\n")[0]


async def test_gzip_bodies_are_read(tmp_path):
    """D-007: compressed requests."""
    body = gzip.compress(GOOD)
    async with running(tmp_path, 1) as sidecar:
        answer = await raw(sidecar.address, post(body, "content-encoding: gzip\r\n"))
        assert b" 200 " in answer.split(b"\r\n")[0]
    check_books(sidecar)


async def test_connections_of_one_address_are_bounded(tmp_path):
    async with running(tmp_path, 1, extra="limits: {connections_per_address: 3}\n") as sidecar:
        held = [await asyncio.open_connection(*sidecar.address) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert await raw(sidecar.address, post(GOOD)) == b""
        for _, writer in held:
            writer.close()
        for _ in range(100):
            if await raw(sidecar.address, post(GOOD)):
                return
        raise AssertionError("the places were not given back")


async def test_a_call_that_comes_back_is_refused(tmp_path):
    """Decision 20: a loop is answered 508, never followed."""
    async with running(tmp_path, 1) as sidecar:
        mark = sidecar.sidecar.parts.calls.answers.attempts.pseudonym
        reply = await sidecar.call(CHAT, headers=[("via", f"1.1 {mark}")])
        assert reply.status == 508
        assert reply.json()["error"]["code"] == "loop_detected"


async def test_health_pages(tmp_path):
    """D-040, E-052, A-038, decision 14: open, without a hop."""
    async with running(tmp_path, 1) as sidecar:
        for path, key, value in [
            ("/health", "status", "healthy"),
            ("/health/live", "status", "live"),
            ("/health/ready", "status", "ready"),
            ("/version", "name", "wattline"),
        ]:
            reply = await sidecar.call(b"", path=path, method="GET")
            assert (reply.status, reply.json()[key]) == (200, value)


@pytest.mark.parametrize("environment", ["development", "production", "test", None])
async def test_health_in_its_shape(tmp_path, environment):
    """D-040, D-023: each member as its clients know it."""
    env = {} if environment is None else {"NODE_ENV": environment}
    async with running(tmp_path, 1, env=env) as sidecar:
        health = (await sidecar.call(b"", path="/health", method="GET")).json()
        assert list(health) == ["status", "timestamp", "uptime", "version", "environment"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", health["timestamp"])
        assert isinstance(health["uptime"], float)
        assert re.match(r"\d+\.\d+\.\d+", health["version"])
        assert health["environment"] == (environment or "production")


async def test_the_magic_host_answers_in_forward_use(tmp_path):
    """`http://wattline.local/health` through the proxy port."""
    async with running(tmp_path, 1) as sidecar:
        data = b"GET http://wattline.local/health HTTP/1.1\r\nhost: wattline.local\r\n\r\n"
        assert b'"healthy"' in await raw(sidecar.address, data)


async def test_h2_header_tricks_reach_nobody(tmp_path):
    """CVE-2025-57804: CR and LF in an HTTP/2 header value."""
    async with running(tmp_path, 1) as sidecar:
        reply = await sidecar.call(CHAT, CONNECT_H2, headers=[("x-a", "b\r\nx-evil: 1")])
        assert reply.status != 200
        assert not sidecar.upstreams[0].journal.requests
