"""A server of pictures on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200))


@dataclass
class Gallery:
    """`/a.png` and `/b.jpg`; `/404`, `/page`, `/empty`, `/big`, `/hops/<n>`, and `/slow`, which waits for
    `hurry`."""

    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers of each request."""
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody did not wait for `/slow`."""

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    @property
    def last(self) -> dict[str, str]:
        """The headers of the last request."""
        return self.asked[-1][1]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path_qs, {k.lower(): v for k, v in request.headers.items()}))
        match request.path.split("/")[1:]:
            case ["a.png"]:
                return web.Response(body=PNG, content_type="image/png")
            case ["b.jpg"]:
                return web.Response(body=JPEG, content_type="image/jpeg")
            case ["page"]:
                return web.Response(text="<html>sign in</html>", content_type="text/html")
            case ["empty"]:
                return web.Response(body=b"", content_type="image/png")
            case ["big"]:
                return web.Response(body=PNG + bytes(100_000), content_type="image/png")
            case ["hops", left]:
                to = f"/hops/{int(left) - 1}" if int(left) > 1 else "/a.png"
                return web.Response(status=302, headers={"location": to})
            case ["slow"]:
                return await self._slow(request)
        return web.Response(status=404)

    async def _slow(self, request: web.Request) -> web.StreamResponse:
        while not self.hurry.is_set():
            if request.transport is None or request.transport.is_closing():
                self.left.set()
                raise ConnectionResetError
            await asyncio.sleep(0.005)
        return web.Response(body=PNG, content_type="image/png")


@asynccontextmanager
async def gallery(
    tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Gallery]:
    """A running one."""
    made = Gallery()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, 0, ssl_context=tls).start()
    made.url = f"{'https' if tls else 'http'}://{host}:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        made.hurry.set()
        await runner.cleanup()
