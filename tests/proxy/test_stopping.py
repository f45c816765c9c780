"""Calls that a stopping sidecar meets before they have anything of an answer."""

from __future__ import annotations

import asyncio

import pytest

from kit.books import check_books, rows
from kit.clients import REVERSE, call, client
from kit.outages import locked
from kit.sidecars import running
from wattline.wire.http import Ending

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
HEADERS = [("host", "localhost"), ("content-type", "application/json")]


def assert_told(reply):
    assert reply.status == 503, reply.body
    assert reply.json()["error"]["code"] == "shutting_down"
    assert reply.headers["retry-after"] == "1"


async def test_a_call_that_waits_for_its_row_is_told_that_we_stop(tmp_path):
    """It is no failure of ours: 503 with Retry-After, and nothing is owed."""
    async with running(tmp_path, 1) as sidecar:
        with locked(sidecar.state):
            asked = asyncio.ensure_future(sidecar.call(CHAT))
            async with asyncio.timeout(30):
                while not sidecar.sidecar.layers.deliveries:
                    await asyncio.sleep(0.005)
            (delivery,) = sidecar.sidecar.layers.deliveries
            delivery.end(Ending.SHUTDOWN)
            assert_told(await asked)
        assert not sidecar.upstreams[0].journal.requests
    assert [row["error"] for row in rows(sidecar.state)] in ([], ["not_sent"])
    check_books(sidecar)


@pytest.mark.parametrize("reason", [Ending.SHUTDOWN, Ending.CLIENT_GONE])
async def test_who_ends_while_its_row_waits_holds_nothing(tmp_path, reason):
    """The only place in its target's window is free again."""
    async with running(tmp_path, 1, timeouts="{connect: 1, total: 20}\n    rpm: 1") as sidecar:
        with locked(sidecar.state):
            asked = asyncio.ensure_future(sidecar.call(CHAT))
            async with asyncio.timeout(30):
                while not sidecar.sidecar.layers.deliveries:
                    await asyncio.sleep(0.005)
            (delivery,) = sidecar.sidecar.layers.deliveries
            delivery.end(reason)
            await delivery.wait()
            asked.cancel()
        assert (await sidecar.call(CHAT)).status == 200
    check_books(sidecar)


async def test_a_call_that_ends_just_after_its_row_was_written_leaves_nothing_open(tmp_path):
    """The commit and the end meet in one turn of the loop: the row must not stay `sent`."""
    async with running(tmp_path, 1) as sidecar:
        ledger, layers = sidecar.sidecar.ledger, sidecar.sidecar.layers
        written = ledger.open

        def open_and_end(row):
            (delivery,) = layers.deliveries
            done = written(row)
            # Called before the call that waits for it goes on.
            done.add_done_callback(lambda _: delivery.end(Ending.SHUTDOWN))
            return done

        ledger.open = open_and_end
        assert_told(await sidecar.call(CHAT))
        ledger.open = written
        assert not sidecar.upstreams[0].journal.requests
    (row,) = rows(sidecar.state)
    assert (row["state"], row["error"], row["energy"]) == ("aborted", "not_sent", None)
    check_books(sidecar)


async def test_new_calls_on_open_connections_are_refused_while_old_ones_end(tmp_path):
    """A sidecar under load stops too: the grace is for the calls under way."""
    async with running(tmp_path, 1) as sidecar:
        upstream = sidecar.upstreams[0]
        upstream.always("stall_head")
        other = await client(sidecar.address, REVERSE, None)
        await other.send("GET", "/health/live", HEADERS, b"")
        async for _ in other.pieces():
            pass
        asked = asyncio.ensure_future(sidecar.call(CHAT))
        await upstream.journal.wait_for(lambda entry: entry.stalled)
        stopping = asyncio.ensure_future(sidecar.sidecar.stop(grace=20))
        async with asyncio.timeout(30):
            while not sidecar.sidecar.layers._stopping:
                await asyncio.sleep(0.005)
        assert_told(await call(sidecar.address, REVERSE, None, CHAT, over=other))
        upstream.release()
        assert (await asked).status == 200
        other.close()
        await stopping
    assert [row["state"] for row in rows(sidecar.state)] == ["complete"]
    check_books(sidecar)


@pytest.mark.parametrize("reason", [Ending.SHUTDOWN, Ending.CLIENT_GONE])
async def test_who_ends_while_we_connect_owes_nothing(tmp_path, monkeypatch, reason):
    """Not a byte went upstream: the row says so, no slot of a window and no probe is kept."""
    async with running(tmp_path, 1) as sidecar:
        reached = asyncio.Event()

        async def stuck(*_, **__):
            reached.set()
            await asyncio.Event().wait()

        with monkeypatch.context() as patch:
            upstream = sidecar.sidecar.parts.calls.answers.attempts.upstream
            patch.setattr(upstream._connections, "acquire", stuck)
            asked = asyncio.ensure_future(sidecar.call(CHAT))
            async with asyncio.timeout(30):
                await reached.wait()
            (delivery,) = sidecar.sidecar.layers.deliveries
            delivery.end(reason)
            await delivery.wait()
        if reason is Ending.SHUTDOWN:
            assert_told(await asked)
        else:
            asked.cancel()
        assert not sidecar.upstreams[0].journal.requests
        assert (await sidecar.call(CHAT)).status == 200
    first, second = rows(sidecar.state)
    assert (first["state"], first["error"], first["energy"]) == ("aborted", "not_sent", None)
    assert second["state"] == "complete"
    check_books(sidecar)
