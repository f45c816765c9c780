"""A ledger that can't be written: nothing goes out unbilled, nothing that was used is forgotten."""

from __future__ import annotations

import asyncio
import json

import pytest

from kit.books import check_books, rows
from kit.clients import CONNECT_H2, REVERSE, Way, client
from kit.outages import back, break_for_good, locked, read_only
from kit.sidecars import running

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
HEADERS = [("host", "localhost"), ("content-type", "application/json")]
CASES = [(REVERSE, False), (REVERSE, True), (CONNECT_H2, True)]
ALLOW = "\nledger: {down: allow}\n"


def assert_refused(reply):
    assert reply.status == 503, reply.body
    error = reply.json()["error"]
    assert error["code"] == "ledger_down"
    assert error["type"]
    assert "ledger" in error["message"]
    assert reply.headers["retry-after"] == "5"


async def ready(sidecar):
    reply = await sidecar.call(b"", path="/health/ready", method="GET")
    return reply.status, reply.json()


@pytest.mark.parametrize(("way", "stream"), CASES, ids=str)
async def test_calls_are_refused_before_a_byte_goes_upstream(tmp_path, stream, way: Way):
    """Design 5: 503 in the client's dialect; the sidecar says that it is not ready; it comes back
    by itself."""
    body = {**CHAT, "stream": stream}
    async with running(tmp_path) as sidecar:
        assert (await sidecar.call(body, way)).status == 200
        async with read_only(sidecar.sidecar.ledger):
            for _ in range(3):
                assert_refused(await sidecar.call(body, way))
            status, page = await ready(sidecar)
            assert (status, page["status"]) == (503, "not ready")
            assert "read-only" in page["reason"]
        assert sum(upstream.journal.count for upstream in sidecar.upstreams) == 1
        await back(sidecar.sidecar.ledger)
        assert (await sidecar.call(body, way)).status == 200
        assert (await ready(sidecar))[0] == 200
    assert [row["state"] for row in rows(sidecar.state)] == ["complete", "complete"]
    check_books(sidecar)


async def test_a_locked_ledger_refuses_and_comes_back(tmp_path):
    """31: another program's lock. Calls that come in it are refused, also all at once."""
    async with running(tmp_path, 1) as sidecar:
        with locked(sidecar.state):
            replies = await asyncio.gather(*(sidecar.call(CHAT) for _ in range(20)))
            for reply in replies:
                assert_refused(reply)
        assert sidecar.upstreams[0].journal.count == 0
        await back(sidecar.sidecar.ledger)
        assert (await sidecar.call(CHAT)).status == 200
    assert [row["state"] for row in rows(sidecar.state)] == ["complete"]
    check_books(sidecar)


async def test_a_refused_call_gives_its_window_slot_back(tmp_path):
    """An outage must not use up the providers' windows."""
    async with running(tmp_path) as sidecar:
        text = sidecar.rules.read_text()
        sidecar.rules.write_text(text.replace("${KEY_0}\n", "${KEY_0}\n    rpm: 1\n", 1))
        async with read_only(sidecar.sidecar.ledger):
            for _ in range(4):
                assert_refused(await sidecar.call(CHAT))
        await back(sidecar.sidecar.ledger)
        assert (await sidecar.call(CHAT)).headers["x-wattline-provider"] == "p0"
    check_books(sidecar)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_down_allow_lets_calls_through(tmp_path, stream):
    """`ledger: {down: allow}`: an explicit choice; such calls have no rows."""
    body = {**CHAT, "stream": stream}
    async with running(tmp_path, extra=ALLOW) as sidecar:
        async with read_only(sidecar.sidecar.ledger):
            replies = await asyncio.gather(*(sidecar.call(body) for _ in range(5)))
            for reply in replies:
                assert (reply.status, reply.clean) == (200, True)
                usage = reply.events[-2]["usage"] if stream else reply.json()["usage"]
                assert usage["energy"] > 0
            assert sidecar.upstreams[0].journal.count == 5
        await back(sidecar.sidecar.ledger)
        assert (await sidecar.call(body)).status == 200
    states = [row["state"] for row in rows(sidecar.state)]
    assert states == ["complete"]


@pytest.mark.parametrize(("way", "stream"), CASES, ids=str)
async def test_a_ledger_that_goes_down_under_a_call(tmp_path, stream, way: Way):
    """The client gets its end; the settlement waits in memory and is written when the ledger is back."""
    async with running(tmp_path, 1) as sidecar:
        upstream = sidecar.upstreams[0]
        upstream.script(["stall_mid:3" if stream else "stall_head"])
        asked = asyncio.ensure_future(sidecar.call({**CHAT, "stream": stream}, way))
        await upstream.journal.wait_for(lambda entry: entry.stalled)
        async with read_only(sidecar.sidecar.ledger):
            upstream.release()
            reply = await asked
            assert (reply.status, reply.clean) == (200, True)
            if stream:
                assert reply.events[-1] == "[DONE]"
            usage = reply.events[-2]["usage"] if stream else reply.json()["usage"]
            assert [row["state"] for row in rows(sidecar.state)] == ["sent"]
        # No other call is needed for it.
        await back(sidecar.sidecar.ledger)
        (row,) = rows(sidecar.state)
        assert row["state"] == "complete"
        assert row["energy"] == round(usage["energy"] * 1_000_000)
    check_books(sidecar)


async def test_every_way_to_end_in_an_outage_is_settled_afterwards(tmp_path):
    """A client that leaves, a stream that breaks off, an upstream that fails: all keep their rows."""
    times = "{connect: 1, first_byte: 5, idle: 0.3, total: 20}"
    async with running(tmp_path, 1, timeouts=times) as sidecar:
        upstream = sidecar.upstreams[0]
        upstream.script(["stall_head"] * 3)
        stream = {**CHAT, "stream": True}
        leaving = await client(sidecar.address, REVERSE, None)
        await leaving.send("POST", "/v1/chat/completions", HEADERS, json.dumps(stream).encode())
        await upstream.journal.wait_for(lambda entry: entry.stalled, count=1)
        asked = [asyncio.ensure_future(sidecar.call(stream)) for _ in range(2)]
        await upstream.journal.wait_for(lambda entry: entry.stalled, count=3)
        async with read_only(sidecar.sidecar.ledger):
            leaving.abort()
            await upstream.journal.wait_for(lambda entry: entry.ended == "client_gone")
            upstream.release()
            replies = await asyncio.gather(*asked)
            assert [reply.status for reply in replies] == [200, 200]
            assert [row["state"] for row in rows(sidecar.state)] == ["sent"] * 3
        await back(sidecar.sidecar.ledger)
    states = sorted(row["state"] for row in rows(sidecar.state))
    assert states == ["aborted", "complete", "complete"]
    check_books(sidecar)


async def test_a_stop_in_an_outage_ends_and_the_next_start_closes_the_rows(tmp_path):
    """What could not be written is closed with an estimate, not lost."""
    async with running(tmp_path, 1, check=False) as sidecar:
        upstream = sidecar.upstreams[0]
        upstream.script(["stall_head"])
        asked = asyncio.ensure_future(sidecar.call(CHAT))
        await upstream.journal.wait_for(lambda entry: entry.stalled)
        await break_for_good(sidecar.sidecar.ledger)
        upstream.release()
        assert (await asked).status == 200
        async with asyncio.timeout(20):
            await sidecar.sidecar.stop(grace=0)
        assert [row["state"] for row in rows(sidecar.state)] == ["sent"]
    async with running(tmp_path, 1) as again:
        assert again.sidecar.ledger.recovered == 1
    (row,) = rows(again.state)
    assert (row["state"], row["flags"]) == ("unsettled", '["crashed"]')
