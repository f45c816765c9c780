"""How calls end: clients that leave, a sidecar that stops."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

import pytest

from kit.books import check_books, rows
from kit.clients import CONNECT_H2, WAYS, H2Client, Way, client
from kit.sidecars import QUICK, running

STREAM = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}


async def send(running, way, body):
    connection = await client(running.address, way, running.ca)
    host = way.connect or "127.0.0.1"
    await connection.send(
        "POST",
        "/v1/chat/completions",
        [("host", host), ("content-type", "application/json")],
        json.dumps(body).encode(),
    )
    return connection


@pytest.mark.parametrize("leave", ["close", "abort", "reset"])
@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_a_client_that_leaves_cancels_its_upstream(tmp_path, way: Way, leave):
    """Upstream is cancelled within 100 ms; one row says `aborted` with the usage so far."""
    if leave == "reset" and not way.h2:
        pytest.skip("only HTTP/2 can reset one stream")
    async with running(tmp_path, 1) as sidecar:
        upstream = sidecar.upstreams[0]
        upstream.script(["stall_mid:5"])
        connection = await send(sidecar, way, STREAM)
        pieces = connection.pieces()
        await anext(pieces)
        left = time.monotonic()
        if leave == "reset":
            assert isinstance(connection, H2Client)
            connection.reset()
        else:
            getattr(connection, leave)()
        record = await asyncio.wait_for(
            upstream.journal.wait_for(lambda r: r.ended is not None), timeout=30
        )
        assert record.ended == "client_gone"
        assert record.ended_at - left < 0.1
        connection.close()
    (row,) = rows(sidecar.state)
    assert row["state"] == "aborted"
    assert row["completion"] >= 1
    assert row["source"] == "estimated"
    check_books(sidecar)


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_a_client_that_leaves_before_the_head(tmp_path, way: Way):
    """Leaving while the upstream still thinks cancels it too."""
    async with running(tmp_path, 1, timeouts="{first_byte: 20, idle: 20, total: 30}") as sidecar:
        upstream = sidecar.upstreams[0]
        upstream.script(["stall_head"])
        connection = await send(sidecar, way, STREAM)
        await upstream.journal.wait_for(lambda _: True)
        left = time.monotonic()
        connection.abort()
        record = await asyncio.wait_for(
            upstream.journal.wait_for(lambda r: r.ended is not None), timeout=30
        )
        assert record.ended_at - left < 0.1
    (row,) = rows(sidecar.state)
    assert row["state"] == "aborted"
    check_books(sidecar)


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_open_streams_end_with_an_error_at_shutdown(tmp_path, way: Way):
    """Grace, then an error event and an unclean end; each attempt settled."""
    async with running(tmp_path, 1, timeouts="{first_byte: 20, idle: 20, total: 30}") as sidecar:
        sidecar.upstreams[0].script(["stall_mid:3"])
        connection = await send(sidecar, way, STREAM)
        pieces = connection.pieces()
        await anext(pieces)
        stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=0.2))
        async for _ in pieces:
            pass
        await stopping
        reply = connection.reply
        assert not reply.clean
        assert reply.events[-1]["error"]["code"] == "shutting_down"
        connection.close()
    (row,) = rows(sidecar.state)
    assert (row["state"], row["error"]) == ("truncated", "shutdown")
    check_books(sidecar)


async def test_a_waiting_call_gets_503_at_shutdown(tmp_path):
    """A call without a head yet is told that the sidecar stops."""
    async with running(tmp_path, 1, timeouts="{first_byte: 20, idle: 20, total: 30}") as sidecar:
        sidecar.upstreams[0].script(["stall_head"])
        connection = await send(sidecar, CONNECT_H2, STREAM)
        await sidecar.upstreams[0].journal.wait_for(lambda _: True)
        stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=0.1))
        async for _ in connection.pieces():
            pass
        await stopping
        assert connection.reply.status == 503
        assert connection.reply.json()["error"]["code"] == "shutting_down"
        connection.close()
    (row,) = rows(sidecar.state)
    assert (row["state"], row["error"], row["energy"]) == ("failed", "shutdown", None)
    check_books(sidecar)


async def test_streams_within_the_grace_end_well(tmp_path):
    """A stream that ends by itself in time is complete."""
    slow = replace(QUICK, token_speed=100)
    async with running(tmp_path, 1, knobs=slow) as sidecar:
        connection = await send(sidecar, CONNECT_H2, STREAM)
        pieces = connection.pieces()
        await anext(pieces)
        stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=20))
        async for _ in pieces:
            pass
        await stopping
        assert connection.reply.clean
        assert connection.reply.events[-1] == "[DONE]"
        connection.close()
    (row,) = rows(sidecar.state)
    assert row["state"] == "complete"
    check_books(sidecar)
