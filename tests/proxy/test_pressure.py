"""A client that reads slowly from a fast upstream: memory stays bounded, a neighbour is not held."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kit.clients import CONNECT_H1, CONNECT_H2, REVERSE, H2Client, client
from kit.sidecars import QUICK, running

pytestmark = pytest.mark.slow

FAST = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "fast"}]}
BIG = 50 * 1024 * 1024


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def encoded(body) -> bytes:
    return json.dumps(body).encode()


HEADERS = [("content-type", "application/json")]


@pytest.mark.parametrize("way", [REVERSE, CONNECT_H1, CONNECT_H2], ids=str)
async def test_a_slow_reader_of_50_mb_holds_little_memory(tmp_path, way):
    """D-007: 10 kB/s from a 50 MB upstream: what is in memory is bounded, not what the upstream has."""
    async with running(tmp_path, 1, timeouts="{idle: 30, total: 60}") as sidecar:
        sidecar.upstreams[0].script([f"big:{BIG}"])
        connection = await client(sidecar.address, way, sidecar.ca)
        await connection.send(
            "POST",
            "/v1/chat/completions",
            [("host", way.connect or "localhost"), *HEADERS],
            encoded(FAST),
        )
        gc.collect()
        before = resident()
        peak, got, began = before, 0, time.monotonic()
        pieces = connection.pieces(read=4096)
        while time.monotonic() - began < 4:
            async with asyncio.timeout(30):
                got += len(await anext(pieces))
            await asyncio.sleep(0.2)
            peak = max(peak, resident())
        assert got < BIG / 4
        assert peak - before < 30 * 1024 * 1024
        connection.abort()


async def test_a_neighbour_of_a_slow_h2_stream_is_not_held(tmp_path):
    """A-012: one connection, two streams: the slow one waits for its window, the other flows."""
    quick = replace(QUICK, token_speed=200)
    async with running(tmp_path, 1, knobs=quick, timeouts="{idle: 30, total: 60}") as sidecar:
        sidecar.upstreams[0].script([f"big:{BIG}", "ok"])
        connection = await client(sidecar.address, CONNECT_H2, sidecar.ca)
        assert isinstance(connection, H2Client)
        headers = [("host", "api.openai.com"), *HEADERS]
        path = "/v1/chat/completions"
        slow = await connection.open("POST", path, headers, encoded(FAST))
        stalled = connection.pieces(slow)
        await anext(stalled)  # and then it reads no more
        await asyncio.sleep(0.3)
        other = await connection.open("POST", path, headers, encoded(FAST))
        async with asyncio.timeout(15):
            async for _ in connection.pieces(other):
                pass
        assert connection.reply.clean
        assert connection.reply.events[-1] == "[DONE]"
        gaps = [
            b - a
            for (a, _), (b, _) in zip(
                connection.reply.pieces, connection.reply.pieces[1:], strict=False
            )
        ]
        assert max(gaps) < 1
        connection.abort()
