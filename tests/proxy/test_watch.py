"""A sidecar that only observes, and what it proposes."""

from __future__ import annotations

import asyncio

from kit.clients import Way, call
from kit.sidecars import QUICK
from kit.standing import Standing
from wattline.app import Sidecar
from wattline.base.clock import SystemClock
from wattline.base.settings import Settings
from wattline.demo.provider import DemoProvider
from wattline.rules.load import load
from wattline.service.watching.census import Census
from wattline.service.watching.proposal import observing, proposal
from wattline.upstream.base import Outgoing

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello there"}]}
OPENAI = Way("api.openai.com")
KEY = ("authorization", "Bearer sk-the-clients-own-key")


async def observed(tmp_path, work, more="") -> tuple[Census, list[Outgoing]]:
    rules = tmp_path / "rules.yaml"
    rules.write_text(observing() + more)
    demo, census = DemoProvider(QUICK), Census(SystemClock().monotonic)
    settings = Settings(rules=rules, state=tmp_path / "state", host="127.0.0.1", port=0)
    url = await demo.start()
    try:
        async with Sidecar(settings, census=census) as sidecar:
            attempts = sidecar.answers.attempts
            attempts.upstream = standing = Standing(attempts.upstream, url)
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

    more = f"tunnel: {{policy: listed, hosts: [localhost, 127.0.0.1], ports: [{port}]}}\n"
    census, _ = await observed(tmp_path, work, more)
    server.close()
    seen = census.tunnels["localhost"]
    assert (seen.connections, seen.up, seen.down) == (1, 1_000, 3_000)
    assert census.hosts == {}
    assert "localhost: 1 connection, 1,000 bytes up, 3,000 down" in proposal(census)
