"""How connections to `/ws` end, each request settled."""

from __future__ import annotations

import asyncio

import pytest

from kit.books import rows
from kit.chat_socket import chatting
from kit.sidecars import Running


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
async def test_a_client_that_vanishes(sidecar: Running, stream):
    """In the middle of its answers: upstream is cancelled, each row says `aborted`."""
    upstream = sidecar.upstreams[0]
    upstream.script(["stall_mid:5" if stream else "stall_head"] * 2)
    async with chatting(sidecar) as chat:
        await chat.ask(stream=stream)
        await chat.infer(stream=stream)
        await upstream.journal.wait_for(lambda entry: entry.stalled, count=2)
        if stream:
            await chat.until("chat.delta")
        chat.vanish()
        await upstream.journal.wait_for(lambda entry: entry.ended is not None, count=2)
    assert {entry.ended for entry in upstream.journal.requests} == {"client_gone"}
    async with asyncio.timeout(30):
        while any(row["state"] == "sent" for row in rows(sidecar.state)):
            await asyncio.sleep(0.01)
    assert [row["state"] for row in rows(sidecar.state)] == ["aborted", "aborted"]


async def test_a_stop_closes_idle_connections_at_once(sidecar: Running):
    async with chatting(sidecar) as chat:
        await chat.send(type="ping")
        await chat.hear()
        stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=20))
        assert (await chat.closed())[0] == 1001
        async with asyncio.timeout(15):
            await stopping


async def test_a_stop_lets_requests_end(sidecar: Running):
    """Those that come meanwhile are refused; then 1001."""
    sidecar.upstreams[0].script(["stall_head"])
    async with chatting(sidecar) as chat:
        await chat.ask("slow")
        await sidecar.upstreams[0].journal.wait_for(lambda entry: entry.stalled)
        stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=20))
        async with asyncio.timeout(30):
            while not sidecar.sidecar.parts.entrance.local.stopping:
                await asyncio.sleep(0.005)
        await chat.ask("late")
        error = (await chat.until("error"))[-1]
        assert (error["requestId"], error["code"]) == ("late", "shutting_down")
        sidecar.upstreams[0].release()
        assert (await chat.until("chat.complete"))[-1]["requestId"] == "slow"
        assert (await chat.closed())[0] == 1001
        async with asyncio.timeout(15):
            await stopping
    assert [row["state"] for row in rows(sidecar.state)] == ["complete"]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
async def test_a_stop_ends_requests_after_its_grace(sidecar: Running, stream):
    """Each with an error, settled; then 1001."""
    sidecar.upstreams[0].script(["stall_mid:5" if stream else "stall_head"])
    async with chatting(sidecar) as chat:
        await chat.ask(stream=stream)
        await sidecar.upstreams[0].journal.wait_for(lambda entry: entry.stalled)
        if stream:
            await chat.until("chat.delta")
        stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=0.05))
        error = (await chat.until("error"))[-1]
        assert (error["code"], error["requestId"]) == ("shutting_down", "r1")
        assert (await chat.closed())[0] == 1001
        async with asyncio.timeout(15):
            await stopping
    (row,) = rows(sidecar.state)
    assert row["state"] == ("truncated" if stream else "failed")
