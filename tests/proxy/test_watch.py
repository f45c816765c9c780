"""A sidecar that only observes, and what it proposes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from kit.clients import Way, call
from kit.sidecars import QUICK
from kit.standing import Standing
from wattline.app.sidecar import Sidecar
from wattline.base.clock import SystemClock
from wattline.base.settings import Settings
from wattline.demo.provider import DemoProvider
from wattline.rules.load import load
from wattline.service.entrance.decision import RequestHead, Verdict
from wattline.service.watching.census import Census
from wattline.service.watching.proposal import observing, proposal
from wattline.upstream.base import Outgoing
from wattline.wire.http import Use

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello there"}]}
OPENAI = Way("api.openai.com")
KEY = ("authorization", "Bearer sk-the-clients-own-key")


async def observed(tmp_path, work) -> tuple[Census, list[Outgoing]]:
    rules = tmp_path / "rules.yaml"
    rules.write_text(observing())
    demo, census = DemoProvider(QUICK), Census(SystemClock().monotonic)
    settings = Settings(rules=rules, state=tmp_path / "state", host="127.0.0.1", port=0)
    url = await demo.start()
    try:
        async with Sidecar(settings, census=census) as sidecar:
            attempts = sidecar.parts.calls.answers.attempts
            attempts.upstream = standing = Standing(attempts.upstream, url)
            sidecar.parts.calls.answers.bypass.upstream = standing
            await work(sidecar)
    finally:
        await demo.stop()
    return census, standing.sent


async def test_calls_go_where_their_programs_send_them(tmp_path):
    agent = ("user-agent", "OpenAI/Python 2.1.0")

    async def work(sidecar):
        for more in ({}, {"stream": True}, {"model": "gpt-4o-mini"}):
            reply = await call(
                sidecar.address,
                OPENAI,
                sidecar.ca.certificate,
                {**BODY, **more},
                headers=[KEY, agent],
            )
            assert reply.status == 200

    census, sent = await observed(tmp_path, work)
    assert {out.origin.host for out in sent} == {"api.openai.com"}
    assert all(KEY in out.headers and out.credential is None for out in sent)
    seen = census.hosts["api.openai.com"]
    assert (seen.all.calls, seen.all.streams, seen.all.failed) == (3, 1, 0)
    assert seen.all.prompt > 0
    assert seen.all.completion > 0
    assert dict(seen.clients) == {"OpenAI/Python 2.1.0": 3}
    assert set(seen.models) == {"gpt-4o", "gpt-4o-mini"}
    book = load(proposal(census), env={})
    assert set(book.models) == {"gpt-4o", "gpt-4o-mini"}


async def test_other_hosts_are_counted_by_name_and_bytes(tmp_path):
    async def answer(reader, writer):
        writer.write(b"d" * len(await reader.readexactly(1_000)) * 3)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def work(sidecar):
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(f"CONNECT localhost:{port} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"u" * 1_000)
        async with asyncio.timeout(10):
            await reader.readexactly(3_000)
        writer.close()

    census, _ = await observed(tmp_path, work)
    server.close()
    seen = census.tunnels["localhost"]
    assert (seen.connections, seen.up, seen.down) == (1, 1_000, 3_000)
    assert census.hosts == {}
    assert "localhost: 1 connection, 1,000 bytes up, 3,000 down" in proposal(census)


HARD = {
    "no model": b'{"messages": [{"role": "user", "content": "hi"}]}',
    "no JSON": b'{"model": "gpt-4o", "messages": [',
    "twice": b'{"model": "a", "model": "b", "messages": [{"role": "user", "content": "hi"}]}',
    "empty": b'{"model": "gpt-4o", "messages": []}',
    "nothing": b"",
    "deep": b'{"model": "gpt-4o", "messages": ' + b"[" * 300 + b"]" * 300 + b"}",
}


@pytest.mark.parametrize("name", list(HARD))
async def test_what_cant_be_read_goes_on_byte_for_byte(tmp_path, name):
    """Its host answers, not we; it is counted as what was not read."""

    async def work(sidecar):
        reply = await call(
            sidecar.address, OPENAI, sidecar.ca.certificate, HARD[name], headers=[KEY]
        )
        assert "x-wattline-call" not in reply.headers

    census, sent = await observed(tmp_path, work)
    assert [out.body for out in sent] == [HARD[name]]
    assert KEY in sent[0].headers
    assert sent[0].origin.host == "api.openai.com"
    seen = census.hosts["api.openai.com"]
    assert (seen.all.calls, seen.unread) == (0, 1)
    assert "1 request passed on unread" in proposal(census)
    load(proposal(census), env={})


@pytest.mark.parametrize("header", [("x-wattline-explain", "1"), ("x-wattline-explain", "maybe")])
async def test_no_header_of_ours_stops_a_call(tmp_path, header):
    async def work(sidecar):
        reply = await call(
            sidecar.address, OPENAI, sidecar.ca.certificate, BODY, headers=[KEY, header]
        )
        assert reply.json()["choices"]

    census, sent = await observed(tmp_path, work)
    assert len(sent) == 1
    assert census.hosts["api.openai.com"].all.calls == 1


async def test_an_idempotency_key_is_its_hosts_to_look_at(tmp_path):
    key = ("idempotency-key", "k-1")

    async def work(sidecar):
        for content in ("one", "one", "two"):
            body = {"model": "gpt-4o", "messages": [{"role": "user", "content": content}]}
            reply = await call(
                sidecar.address, OPENAI, sidecar.ca.certificate, body, headers=[KEY, key]
            )
            assert reply.status == 200

    _, sent = await observed(tmp_path, work)
    assert len(sent) == 3
    assert all(key in out.headers for out in sent)


async def test_any_port_and_address_is_reached(tmp_path):
    """No tunnel and no request to another host is refused: not for its port, nor for its address."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    get = f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
    heads = (
        f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nhost: x\r\n\r\n",
        f"{get}\r\n",
        f"{get}authorization: a\r\nx-api-key: b\r\n\r\n",
    )

    async def work(sidecar):
        for head in heads:
            reader, writer = await asyncio.open_connection(*sidecar.address)
            writer.write(head.encode())
            async with asyncio.timeout(10):
                assert b" 200 " in await reader.readline()
            writer.close()
            await writer.wait_closed()
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write("CONNECT {}:{} HTTP/1.1\r\nhost: x\r\n\r\n".format(*sidecar.address).encode())
        assert b" 403 " in await reader.readline(), "never to ourselves"
        writer.close()

    await observed(tmp_path, work)
    server.close()


async def test_a_call_with_two_credentials_goes_on(tmp_path):
    """Its host is intercepted, and its head is not one that we would take."""
    reception = None

    async def work(sidecar):
        nonlocal reception
        reception = sidecar.parts.entrance.reception
        head = RequestHead(
            id="req_1",
            method="POST",
            host="api.openai.com",
            port=443,
            path="/v1/chat/completions",
            headers=(("authorization", "a"), ("x-api-key", "b")),
            peer="127.0.0.1",
            use=Use.FORWARD,
            principal=None,
        )
        assert reception.receive(head).verdict is Verdict.PASS
        around = replace(head, headers=(("via", f"1.1 {reception.pseudonym}"),))
        assert reception.receive(around).verdict is Verdict.ANSWER

    census, _ = await observed(tmp_path, work)
    assert census.hosts["api.openai.com"].unread == 1


BROKEN = (
    b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\ndata: {"error": {"message": "x"}}\n\n'
    b'data: {"choices": [{"index": 0, "delta": {"content": "b"}}]}\n\n'
)
ODD = [
    ("application/json", b'{"odd": true}'),
    ("application/json", b'{"error": {"message": "x"}}'),
    ("application/json", b""),
    ("text/plain", b"hello"),
    ("text/event-stream", b'data: {"error": {"message": "x"}}\n\n'),
    ("text/event-stream", b"data: [DONE]\n\n"),
    ("text/event-stream", b': hi\r\n\r\ndata: {"odd": 1}\r\n\r\n'),
    ("text/event-stream", BROKEN),
    ("text/event-stream", b""),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("kind", "answer"), ODD)
async def test_an_answer_that_we_would_not_take_reaches_its_client(tmp_path, kind, answer, stream):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head % (kind.encode(), len(answer)) + answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)

    async def work(sidecar):
        attempts = sidecar.parts.calls.answers.attempts
        attempts.upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        body = {**BODY, "stream": stream}
        reply = await call(sidecar.address, OPENAI, sidecar.ca.certificate, body, headers=[KEY])
        assert (reply.status, reply.body) == (200, answer)
        assert reply.headers["content-type"] == kind

    census, _ = await observed(tmp_path, work)
    server.close()
    assert census.hosts["api.openai.com"].all.calls == 1
