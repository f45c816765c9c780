"""An upstream that answers each path with what it is told to, and keeps what it was sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Scripted:
    """`answers` by path: what goes out as JSON, or as it is where it is bytes (events are a stream); `status` for all of them."""

    answers: Mapping[str, Any]
    status: int = 200
    url: str = ""
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    """Path, headers by lower-case name, and body of each request."""

    @property
    def last(self) -> tuple[str, dict[str, str], Any]:
        return self.requests[-1]

    async def handle(self, request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.path, headers, json.loads(await request.read())))
        answer = self.answers.get(request.path)
        if answer is None:
            return web.json_response({"error": {"message": "no such path"}}, status=404)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        kind = "text/event-stream" if body.startswith(b"event:") else "application/json"
        return web.Response(body=body, status=self.status, content_type=kind)


@asynccontextmanager
async def scripted(answers: Mapping[str, Any], status: int = 200) -> AsyncIterator[Scripted]:
    """A running one on a free port."""
    upstream = Scripted(answers, status)
    runner = web.ServerRunner(web.Server(upstream.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    upstream.url = f"http://{host}:{port}"
    try:
        yield upstream
    finally:
        await runner.cleanup()
