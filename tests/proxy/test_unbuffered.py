"""Translation adds no buffering, through real sockets: a provider that says nothing more until the client
has what it said before.
"""

from __future__ import annotations

import asyncio
from itertools import product

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from kit.providers.base import FakeProvider, Seen
from kit.providers.fleet import Fleet, fleet
from kit.providers.saying import Saying

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROVIDERS = ("anthropic", "openai", "gemini", "ollama")
USER = {"role": "user", "content": "Say words."}
CHAT = {"messages": [USER], "max_tokens": 64, "stream": True}
CLIENTS = {
    "openai": ("/v1/chat/completions", CHAT),
    "responses": ("/v1/responses", {"input": "Say words.", "stream": True}),
    "anthropic": ("/v1/messages", CHAT),
    "gemini": (
        "/v1beta/models/{model}:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "Say words."}]}]},
    ),
    "ollama": ("/api/chat", {"messages": [USER]}),
}
WORDS = [f"word{number} " for number in range(8)]
PATIENCE = 10.0


class Step:
    """Lets a provider's stream go on by one event."""

    def __init__(self, provider: FakeProvider, saying: Saying) -> None:
        self.sent = 0
        self._heard = asyncio.Semaphore(0)
        frames, _ = provider.frames(saying)
        cut = next(place for place, frame in enumerate(frames) if b"@" in frame)
        self._before, template = frames[:cut], frames[cut]
        self._after = [frame for frame in frames[cut:] if b"@" not in frame]
        self._spoken = [template.replace(b"@", word.encode()) for word in WORDS]
        provider._stream = self._stream

    def go_on(self) -> None:
        self._heard.release()

    async def _stream(self, request: web.Request, seen: Seen, saying: Saying) -> web.StreamResponse:
        seen.prompt_tokens, seen.completion_tokens = saying.prompt, saying.completion
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for frame in self._before:
            await response.write(frame)
        for frame in self._spoken:
            await response.write(frame)
            self.sent += 1
            await self._heard.acquire()
        for frame in self._after:
            await response.write(frame)
        await response.write_eof()
        return response


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(tmp_path_factory):
    # A provider that waits is no slow one here.
    waits = ("first_byte: 0.25, idle: 0.25", "first_byte: 20, idle: 20")
    async with fleet(tmp_path_factory.mktemp("unbuffered"), PROVIDERS, replace=[waits]) as found:
        yield found


@pytest.fixture
def sidecar(started: Fleet):
    started.forget()
    yield started
    started.check()


async def _until(answer: aiohttp.ClientResponse, got: bytes, wanted: bytes) -> bytes:
    while wanted not in got:
        chunk = await answer.content.readany()
        assert chunk, f"the stream ended without {wanted!r}"
        got += chunk
    return got


@pytest.mark.parametrize("kind", ["text", "thought"])
@pytest.mark.parametrize(("client", "provider"), list(product(CLIENTS, PROVIDERS)))
async def test_each_event_is_answered_before_the_next_is_sent(sidecar, client, provider, kind):
    """Each word is with the client while the provider still waits: nothing waits for a later event."""
    said = {"thought": "@@@"} if kind == "thought" else {"texts": ("@@@",)}
    saying = Saying(**said)
    upstream = sidecar.provider(provider)
    step = Step(upstream, saying)
    path, body = CLIENTS[client]
    model = f"m-{provider}"
    upstream.script(saying)
    asked = body if "{model}" in path else {"model": model, **body}
    url = sidecar.url + path.format(model=model)
    async with (
        asyncio.timeout(PATIENCE),
        aiohttp.ClientSession() as session,
        session.post(url, json=asked) as answer,
    ):
        assert answer.status == 200
        got = b""
        for number, word in enumerate(WORDS, 1):
            got = await _until(answer, got, word.encode())
            assert step.sent == number
            step.go_on()
        got += await answer.read()
    assert b"energy" in got
