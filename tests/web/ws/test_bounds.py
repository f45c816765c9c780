"""What there may be of connections, messages and requests at `/ws`, and bad ones."""

from __future__ import annotations

import asyncio
import json

import pytest

from kit.books import check_books, rows
from kit.chat_socket import Refused, chatting, connect
from kit.clients import REVERSE, call
from kit.sidecars import Running, running
from wattline.web.ws.session import IN_FLIGHT, MAX_BAD, MAX_OPEN

MANY = {"WS_CONNECTIONS_PER_MINUTE": "1000"}


async def test_connections_a_minute(sidecar: Running):
    """D-080: five of an address, those that were closed included."""
    for _ in range(5):
        async with chatting(sidecar) as chat:
            await chat.send(type="ping")
            await chat.hear()
    with pytest.raises(Refused) as refused:
        await connect(sidecar)
    assert refused.value.status == 429
    assert 50 <= int(refused.value.headers["retry-after"]) <= 60
    error = json.loads(refused.value.body)["error"]
    assert (error["code"], error["type"]) == (429, "rate_limit")


async def test_connections_at_one_time(tmp_path):
    """D-027; a place is free again when one was closed."""
    env = {**MANY, "WS_MAX_CONNECTIONS": "2"}
    async with running(tmp_path, 1, env=env) as sidecar:
        first, second = [await connect(sidecar) for _ in range(2)]
        with pytest.raises(Refused) as refused:
            await connect(sidecar)
        assert refused.value.status == 503
        first.vanish()
        async with asyncio.timeout(30):
            while True:
                try:
                    third = await connect(sidecar)
                    break
                except Refused:
                    await asyncio.sleep(0.01)
        await third.send(type="ping")
        assert await third.hear() == {"type": "pong"}
        for chat in (second, third):
            chat.socket.close()


async def test_a_get_without_an_upgrade(sidecar: Running):
    for path, method, status in (("/ws", "GET", 426), ("/ws", "POST", 405), ("/ws/x", "GET", 404)):
        reply = await call(sidecar.address, REVERSE, None, b"", path=path, method=method)
        assert reply.status == status


BAD = [
    "",
    "{",
    "null",
    "[]",
    '"ping"',
    "7",
    "{}",
    '{"type": null}',
    '{"type": 7}',
    '{"type": ["ping"]}',
    '{"type": "nothing"}',
    '{"type": "chat.delta", "requestId": "r"}',
    '{"type": "ping", "type": "ping"}',
    '{"type": "auth"}',
    '{"type": "inference_request", "id": "x"}',
    '{"type": "inference_request", "id": "x", "data": "no"}',
    '{"type": "chat.completions", "requestId": {}}',
    '{"type": "chat.completions", "requestId": true, "model": "m"}',
    '{"type": "chat.completions", "requestId": "' + "x" * 300 + '"}',
    '{"type": "chat.completions", "x": ' + "[" * 5000 + "]" * 5000 + "}",
    '{"type": "ping", "x": NaN}',
    '{"type": "ping", "x": 1e999}',
    b"\x00\xff",
    b'{"type":"ping"}',
]


async def test_bad_messages_are_answered(sidecar: Running):
    """Each with an error that a client of either protocol can read; the connection goes on."""
    half = len(BAD) // 2
    for some in (BAD[:half], BAD[half:]):  # all would be too many for one connection
        async with chatting(sidecar) as chat:
            for data in some:
                await chat.send_raw(data)
                error = await chat.hear()
                assert error["type"] == "error", data
                assert error.get("message") or error["error"]["message"], data
                await chat.send(type="ping")
                assert await chat.hear() == {"type": "pong"}
    assert rows(sidecar.state) == []


async def test_bad_messages_have_a_bound(sidecar: Running):
    """A good request starts the count anew."""
    async with chatting(sidecar) as chat:
        for _ in range(MAX_BAD - 1):
            await chat.send_raw("{")
            assert (await chat.hear())["error"]["code"] == 400
        await chat.ask()
        await chat.until("chat.complete")
        for _ in range(MAX_BAD):
            await chat.send_raw("{")
        assert (await chat.closed()) == (1008, "too many bad messages")


async def test_a_message_has_a_bound(sidecar: Running):
    async with chatting(sidecar) as chat:
        await chat.send_raw("x" * (1024 * 1024 + 1))
        assert (await chat.closed())[0] == 1009


async def test_an_id_is_one_requests_at_a_time(sidecar: Running):
    """The second is refused without the id, so that the first is not taken for failed."""
    sidecar.upstreams[0].script(["stall_head"])
    async with chatting(sidecar) as chat:
        await chat.ask("twice")
        await sidecar.upstreams[0].journal.wait_for(lambda entry: entry.stalled)
        await chat.ask("twice")
        error = (await chat.until("error"))[-1]
        assert error["code"] == "duplicate_request_id"
        assert "requestId" not in error
        sidecar.upstreams[0].release()
        assert (await chat.until("chat.complete"))[-1]["requestId"] == "twice"
        await chat.ask("twice")  # it is free again
        assert (await chat.until("chat.complete"))[-1]["requestId"] == "twice"


async def test_requests_without_an_id_get_one(sidecar: Running):
    async with chatting(sidecar) as chat:
        await chat.ask(None)
        await chat.ask(None)
        names = {(await chat.until("chat.complete"))[-1]["requestId"] for _ in range(2)}
        assert len(names) == 2
        assert all(name.startswith("req_") for name in names)


async def test_requests_side_by_side_have_a_bound(tmp_path):
    """Those past it wait in their order; past a second bound they are refused."""
    slow = "{connect: 1, first_byte: 10, idle: 10, total: 20}"
    async with running(tmp_path, 1, timeouts=slow) as sidecar, chatting(sidecar) as chat:
        upstream = sidecar.upstreams[0]
        upstream.script(["stall_head"] * IN_FLIGHT)
        for name in range(MAX_OPEN + 2):
            await chat.ask(name)
        await upstream.journal.wait_for(lambda entry: entry.stalled, count=IN_FLIGHT)
        heard = [await chat.hear()]
        while len(refused := [f for f in heard if f["type"] == "error"]) < 2:
            heard.append(await chat.hear())
        assert {f["code"] for f in refused} == {"too_many_requests"}
        assert [f["requestId"] for f in refused] == [MAX_OPEN, MAX_OPEN + 1]
        assert upstream.journal.count == IN_FLIGHT
        upstream.release()
        done = []
        while len(done) < MAX_OPEN:
            frame = await chat.hear()
            if frame["type"] == "chat.complete":
                done.append(frame["requestId"])
        assert sorted(done) == list(range(MAX_OPEN))
    assert len(rows(sidecar.state)) == MAX_OPEN
    check_books(sidecar)


async def test_streams_take_turns(sidecar: Running):
    """None waits for the end of another."""
    for upstream in sidecar.upstreams:
        upstream.always("tokens:200")
    async with chatting(sidecar) as chat:
        for name in "abcd":
            await chat.ask(name, stream=True)
        heard, ended = [], 0
        while ended < 4:
            frame = await chat.hear()
            ended += frame["type"] == "chat.complete"
            heard.append((frame["type"], frame["requestId"]))
    first_end = next(i for i, (kind, _) in enumerate(heard) if kind == "chat.complete")
    began = {name for kind, name in heard[:first_end] if kind == "chat.delta"}
    assert began == set("abcd")


@pytest.mark.parametrize("end", ["vanish", "stop"])
async def test_a_client_that_does_not_read_holds_up_its_provider(tmp_path, end):
    """No queue grows: what it leaves unread waits at the provider. And it holds up no stop."""
    slow = "{connect: 1, first_byte: 10, idle: 30, total: 60}"
    async with running(tmp_path, 1, timeouts=slow) as sidecar, chatting(sidecar) as chat:
        upstream = sidecar.upstreams[0]
        upstream.always("big:40000000")
        await chat.ask(stream=True)
        await upstream.journal.wait_for(lambda entry: entry.status is not None)
        (entry,) = upstream.journal.requests
        before = -1
        while before != entry.body_bytes or not before:
            before = entry.body_bytes
            await asyncio.sleep(0.3)
        assert before < 30_000_000
        assert entry.ended is None
        if end == "vanish":
            chat.vanish()
        else:
            async with asyncio.timeout(10):
                await sidecar.sidecar.stop(grace=0.05)
        await upstream.journal.wait_for(lambda entry: entry.ended is not None)
    (row,) = rows(sidecar.state)
    assert row["state"] == ("aborted" if end == "vanish" else "truncated")
