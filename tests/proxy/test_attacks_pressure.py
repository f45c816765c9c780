"""Attacks on time and memory: a neighbour that calls all the while must be served."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import Callable

import pytest

from kit.attacks import CALLS, CHAT, code, neighbour, raw, request, statuses
from kit.sidecars import running

pytestmark = pytest.mark.slow
KEEP = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"


@contextlib.asynccontextmanager
async def connections(sidecar, count: int, first: bytes):
    """`count` connections that have sent `first`."""
    opened = [await asyncio.open_connection(*sidecar.address) for _ in range(count)]
    for _, writer in opened:
        writer.write(first)
    try:
        yield opened
    finally:
        for _, writer in opened:
            writer.transport.abort()


@pytest.mark.parametrize(
    "first",
    [
        b"GET /health HTTP/1.1\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n",
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n",
        b"\r\n",
    ],
    ids=["heads", "bodies", "uploads", "empty lines"],
)
async def test_200_clients_that_drip_hold_nobody(tmp_path, first):
    """Slowloris and its kin."""
    extra = "limits: {head_seconds: 1, body_seconds: 1}\n"
    async with running(tmp_path, 1, extra=extra) as sidecar:
        async with neighbour(sidecar) as record, connections(sidecar, 200, first) as opened:
            reads = [asyncio.ensure_future(reader.read(1000)) for reader, _ in opened]
            for _ in range(15):
                for read, (_, writer) in zip(reads, opened, strict=True):
                    if not read.done():
                        writer.write(b"\r\n" if first == b"\r\n" else b"x")
                await asyncio.sleep(0.1)
            if first == b"\r\n":
                for read in reads:
                    read.cancel()
            else:
                async with asyncio.timeout(10):
                    answers = await asyncio.gather(*reads)
                assert all(b" 408 " in answer for answer in answers)
            await asyncio.gather(*reads, return_exceptions=True)
        record.check()


async def test_bodies_under_way_hold_no_more_than_the_limit_together(tmp_path):
    """Many large bodies that never end are refused before they fill the memory."""
    extra = f"limits: {{pending_bytes: {8 << 20}}}\n"
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 6000000\r\n\r\n"
    )
    async with running(tmp_path, 1, extra=extra) as sidecar:
        async with connections(sidecar, 4, head) as opened:
            for _, writer in opened:
                writer.write(b"{" + b" " * 3_500_000)
            async with asyncio.timeout(20):
                reads = [asyncio.ensure_future(reader.read(1000)) for reader, _ in opened]
                done, held = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
                while len(done) < 2:
                    more, held = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
                    done |= more
            assert all(b" 503 " in read.result() for read in done)
            assert all(b"too_many_bodies" in read.result() for read in done)
            for read in held:
                read.cancel()
            await asyncio.gather(*held, return_exceptions=True)
        assert (await sidecar.call(CHAT)).status == 200


async def test_500_idle_connections_hold_nobody(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        async with neighbour(sidecar) as record, connections(sidecar, 500, KEEP):
            await asyncio.sleep(0.5)
        record.check()


START = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"x":'
LARGE: dict[str, tuple[bytes, Callable[[], bytes], set[int]]] = {
    "gzip bomb": (b"content-encoding: gzip", lambda: gzip.compress(b" " * 300_000_000), {413}),
    "gzip in gzip": (
        b"content-encoding: gzip",
        lambda: gzip.compress(gzip.compress(b" " * 100_000_000)),
        {400, 413},
    ),
    "deep arrays": (b"x-a: b", lambda: START + b"[" * 1_000_000, {400}),
    "deep objects": (b"x-a: b", lambda: START + b'{"a":' * 1_000_000, {400}),
    "a million objects": (
        b"x-a: b",
        lambda: START + b"[" + b",".join(b'{"a":%d}' % n for n in range(1_000_000)) + b"]}",
        {200, 400, 413, 500},
    ),
    "one string of 30 MB": (
        b"x-a: b",
        lambda: START + b'"' + b"a" * 30_000_000 + b'"}',
        {200, 500},
    ),
    "one string of escapes": (
        b"x-a: b",
        lambda: START + b'"' + b"\\u0061" * 4_000_000 + b'"}',
        {200, 500},
    ),
    "a number of 10 MB": (b"x-a: b", lambda: START + b"1" * 10_000_000 + b"}", {400}),
    "a million keys": (
        b"x-a: b",
        lambda: START + b"{" + b",".join(b'"k%d":0' % n for n in range(1_000_000)) + b"}}",
        {200, 400, 413, 500},
    ),
    "a million messages": (
        b"x-a: b",
        lambda: (
            b'{"model":"m","messages":['
            + b",".join([b'{"role":"user","content":"x"}'] * 500_000)
            + b"]}"
        ),
        {200, 400, 413, 500},
    ),
    "5000 header lines": (b"\r\n".join([b"x-a: b"] * 5000), lambda: b"{}", {400, 431}),
    "white space": (b"x-a: b", lambda: b" " * 30_000_000, {400}),
}
"""Name to an extra header, what makes a body, and the statuses that it may get."""


@pytest.mark.parametrize("name", LARGE)
async def test_one_large_request_does_not_stop_the_loop(tmp_path, name):
    """T20: what one client sends may cost that client; the loop goes on."""
    header, made, allowed = LARGE[name]
    body = made()
    async with running(tmp_path, 1, timeouts="{first_byte: 20}", check=False) as sidecar:
        async with neighbour(sidecar) as record:
            answer = await raw(sidecar.address, request(header, body=body), seconds=60)
            assert statuses(answer)[0] in allowed, answer[:500]
        record.check(most=2.5, stall=2.0)


async def test_10_000_models_and_paths_leave_nothing_behind(tmp_path):
    """Names that clients invent are not kept: no table grows by them."""
    async with running(tmp_path, 1, check=False) as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address)
        async with neighbour(sidecar) as record:
            for start in range(0, 10_000, 50):
                for number in range(start, start + 50):
                    body = json.dumps({**CHAT, "model": f"made-up-{number}"}).encode()
                    path = CALLS if number % 2 else f"/v1/made-up/{number}"
                    writer.write(request(line=f"POST {path} HTTP/1.1".encode(), body=body))
                    async with asyncio.timeout(10):
                        head = await reader.readuntil(b"\r\n\r\n")
                        assert statuses(head) == [404]
                        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
                        await reader.readexactly(size)
        writer.close()
        record.check()
        windows, resting = (
            sidecar.sidecar.parts.memory.windows,
            sidecar.sidecar.parts.memory.resting,
        )
        kept = repr(vars(windows) if hasattr(windows, "__dict__") else windows)
        assert "made-up" not in kept + repr(resting)


async def test_globs_that_would_hang_a_regex_do_not(tmp_path):
    """ReDoS: many stars against a long name that nearly matches."""
    glob = "*a" * 30 + "b"
    async with running(tmp_path, 1) as sidecar:
        text = sidecar.rules.read_text().replace(
            "rules:\n", f"rules:\n  - {{name: slow, when: {{model: '{glob}'}}, try: [m0]}}\n"
        )
        sidecar.rules.write_text(text)
        async with neighbour(sidecar) as record:
            for length in (60, 200, 250):
                body = json.dumps({**CHAT, "model": "a" * length}).encode()
                answer = await raw(sidecar.address, request(body=body))
                assert statuses(answer)[0] in {400, 404}, answer
        record.check()


async def test_a_refused_body_is_not_held(tmp_path):
    """100 MB to a path that does not exist: answered early, and the answer says why."""
    async with running(tmp_path, 1) as sidecar:
        data = request(line=b"POST /nope HTTP/1.1", body=b"x" * 100_000_000)
        answer = await raw(sidecar.address, data)
        assert (statuses(answer), code(answer)) == ([404], "unknown_path")
