from __future__ import annotations

import asyncio

import pytest

from kit.raw_http import Wire, ask
from wattline.demo.knobs import Knobs
from wattline.demo.provider import DemoProvider

HELLO = [{"role": "user", "content": "hello there"}]


@pytest.fixture
async def provider():
    """A provider that neither waits nor fails by chance; what a test leaves running is an error."""
    before = asyncio.all_tasks()
    provider = DemoProvider(Knobs.instant(), allow_faults=True)
    await provider.start()
    yield provider
    await provider.stop()
    assert provider.live == 0
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


@pytest.fixture
def chat(provider):
    """`await chat("cut:3", stream=True, …)`: the bytes of a chat completion with that fault."""

    async def send(
        fault: str = "ok", *, path: str = "/v1/chat/completions", headers=None, **more
    ) -> Wire:
        asked = {"input": "hello"} if path == "/v1/responses" else {"messages": HELLO}
        body = {"model": "some-model", **asked, **more}
        return await ask(
            provider.url, path, body, headers={"x-demo-fault": fault, **(headers or {})}
        )

    return send


@pytest.fixture
def stream(chat):
    """The same, streamed, with usage asked for."""

    async def send(fault: str = "ok", **more) -> Wire:
        if more.get("path") != "/v1/responses":
            more.setdefault("stream_options", {"include_usage": True})
        return await chat(fault, stream=True, **more)

    return send
