"""Keys: each goes to its own origin only, and comes back to nobody."""

from __future__ import annotations

import asyncio
import logging

import pytest

from kit.books import check_books
from kit.clients import CONNECT_H2, REVERSE, Way
from kit.sidecars import rules, running

CHAT = {"model": "m", "messages": [{"role": "user", "content": "canary-prompt-4711"}]}
CLIENT_KEY = "sk-the-clients-own-key-000"


@pytest.mark.parametrize("way", [REVERSE, CONNECT_H2], ids=str)
async def test_no_upstream_sees_a_key_that_is_not_its_own(tmp_path, way: Way):
    """T7, T8: on failover each upstream gets its own key, never the client's or a neighbour's."""
    async with running(tmp_path, 3) as sidecar:
        sidecar.upstreams[0].script(["500"])
        sidecar.upstreams[1].script(["429"])
        reply = await sidecar.call(CHAT, way, headers=[("authorization", f"Bearer {CLIENT_KEY}")])
        assert reply.status == 200
        for index, upstream in enumerate(sidecar.upstreams):
            (record,) = upstream.journal.requests
            sent = repr(record.headers) + record.body.decode()
            assert f"sk-secret-of-upstream-{index:04d}" in sent
            assert CLIENT_KEY not in sent
            for other in range(3):
                assert other == index or f"sk-secret-of-upstream-{other:04d}" not in sent
    check_books(sidecar)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_upstream_that_echoes_its_key_does_not_hand_it_out(tmp_path, stream):
    """T8: scrubbed from headers and bodies."""
    async with running(tmp_path, 1) as sidecar:
        sidecar.upstreams[0].script(["echo_headers"])
        reply = await sidecar.call({**CHAT, "stream": stream})
        shown = repr(reply.headers) + reply.body.decode()
        assert "sk-secret-of-upstream" not in shown


async def test_a_key_in_the_last_events_of_a_stream_is_not_handed_out(tmp_path):
    """T8: the usage event is held back and edited; it is scrubbed all the same, from the cache too."""

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(word for word in head.split() if word.startswith(b"sk-secret"))
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        )
        writer.write(b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n')
        writer.write(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n')
        usage = b'{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}'
        writer.write(b'data: {"choices":[],"note":"%b","usage":%b}\n\n' % (key, usage))
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    text = rules([url], extra="cache: {enabled: true}\n")
    async with running(tmp_path, 1, text=text) as sidecar:
        body = {**CHAT, "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}
        for kept in ("miss", "hit"):
            reply = await sidecar.call(body)
            assert reply.headers["x-wattline-cache"] == kept
            assert b'"note":"[redacted]"' in reply.body
            assert b"sk-secret-of-upstream" not in reply.body
    server.close()


async def test_headers_about_the_providers_own_origin_stay_there(tmp_path):
    """A browser would take them for those of every page at our address."""
    said = (
        "clear-site-data",
        "service-worker-allowed",
        "set-cookie",
        "set-cookie2",
        "nel",
        "report-to",
    )

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        head = "".join(f"{name}: x\r\n" for name in (*said, "x-harmless"))
        writer.write(f"HTTP/1.1 400 Bad Request\r\n{head}content-length: 2\r\n\r\n{{}}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with running(tmp_path, 1, text=rules([url])) as sidecar:
        reply = await sidecar.call(CHAT)
        assert reply.headers["x-harmless"] == "x"
        assert not set(said) & set(reply.headers)
    server.close()


@pytest.mark.parametrize("name", ["api_base", "base_url", "custom_host", "host", "url"])
async def test_nothing_in_a_request_names_the_destination(tmp_path, name):
    """CVE-2024-6587: a body, query or header field never alters where a call goes."""
    async with running(tmp_path, 2) as sidecar:
        canary = sidecar.upstreams[1]
        path = f"/v1/chat/completions?{name}={canary.url}"
        headers = [(f"x-{name}", canary.url), ("x-portkey-custom-host", canary.url)]
        reply = await sidecar.call({**CHAT, name: canary.url}, path=path, headers=headers)
        assert reply.status == 200
        assert not canary.journal.requests
    check_books(sidecar)


async def test_prompts_and_keys_are_in_no_log_and_no_file(tmp_path, caplog):
    """T15: run good and bad calls, then look everywhere."""
    caplog.set_level(logging.DEBUG)
    async with running(tmp_path, 2) as sidecar:
        for fault in ["ok", "500", "400", "html", "error_in_200", "truncated_json"]:
            sidecar.upstreams[0].script([fault])
            await sidecar.call(CHAT)
            await sidecar.call({**CHAT, "stream": True})
        await sidecar.call(b'{"model": "canary-prompt-4711')
    found = caplog.text.encode()
    for path in sidecar.state.rglob("*"):
        if path.is_file() and "ca" not in path.parts:
            found += path.read_bytes()
    assert b"canary-prompt-4711" not in found
    assert b"sk-secret-of-upstream" not in found
