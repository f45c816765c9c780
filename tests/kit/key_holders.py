"""Providers that know some keys, and note every header and body that reaches them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "up",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


class KeyHolder:
    """OpenAI's API at `/v1`. `keys` None: every key is good. `public`: its models are shown to everybody."""

    def __init__(self, *, keys: set[str] | None = None, public: bool = False) -> None:
        self.keys, self.public = keys, public
        self.status: int | None = None
        self.answer: dict[str, object] = {"data": [{"id": "one"}, {"id": "two"}]}
        self.seen: list[tuple[str, str]] = []
        """Path and key of each request."""
        self.raw: list[str] = []
        """All that came, as text."""
        self.url = ""

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.text()
        self.raw.append(f"{request.path_qs}\n{dict(request.headers)}\n{body}")
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        key = key or request.headers.get("x-api-key", "")
        self.seen.append((request.path, key))
        if self.status is not None:
            return web.json_response({"error": {"message": f"no: {key}"}}, status=self.status)
        listed = request.path.endswith("/models")
        if not (listed and self.public) and (not key or (self.keys and key not in self.keys)):
            return web.json_response({"error": {"message": f"no: {key}"}}, status=401)
        return web.json_response(self.answer if listed else {**ANSWER, "system_fingerprint": key})


class Served(Protocol):
    """A provider: its address is known once it is served."""

    url: str

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse: ...


@asynccontextmanager
async def holding(*holders: Served):
    """These, each on an origin of its own."""
    runners = []
    try:
        for holder in holders:
            runner = web.ServerRunner(web.Server(holder.serve))
            await runner.setup()
            runners.append(runner)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            assert site._server is not None
            holder.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        yield holders
    finally:
        for runner in runners:
            await runner.cleanup()
