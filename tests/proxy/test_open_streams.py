"""What an open stream keeps in memory."""

from __future__ import annotations

import gc

from mitmproxy import http

from kit.clients import REVERSE, client
from kit.sidecars import running
from wattline.service.exchange import Exchange
from wattline.upstream.base import Outgoing
from wattline.wire.http import Request

MARK = b"a prompt that nobody needs any more"


def _bodies() -> list[str]:
    found = []
    for one in gc.get_objects():
        if isinstance(one, http.Request):
            body = one.raw_content
        elif isinstance(one, Request | Exchange | Outgoing):
            body = one.body
        else:
            continue
        if isinstance(body, bytes) and MARK in body:
            found.append(type(one).__module__)
    return found


async def test_a_stream_that_has_begun_keeps_no_prompt(tmp_path):
    """A thousand streams with long prompts would hold a hundred MiB."""
    asked = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"%s"}]}' % MARK
    async with running(tmp_path, 1) as sidecar:
        sidecar.upstreams[0].always("stall_mid")
        waiting = await client(sidecar.address, REVERSE, None)
        headers = [("host", "localhost"), ("content-type", "application/json")]
        await waiting.send("POST", "/v1/chat/completions", headers, asked)
        async for _ in waiting.pieces():
            break  # its head is out, and a piece
        assert len(sidecar.sidecar.layers.deliveries) == 1
        assert _bodies() == []
        sidecar.upstreams[0].release()
        waiting.close()
