"""A provider on loopback that refuses what the real one refuses, and says what it is told to.

A subclass knows one dialect. What comes is validated, recorded, and counted, apart from the ledger that is
checked against it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from kit.providers.meaning import Meaning, Wrong, need
from kit.providers.saying import Fault, Saying

CREDENTIALS = (
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "proxy-authorization",
)
OK = Saying()


@dataclass
class Seen:
    """One request. The counts are those that its answer told to the end."""

    path: str
    headers: dict[str, str]
    raw: bytes
    attempt: str | None
    meaning: Meaning | None = None
    wrong: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Journal:
    """Named as the demo provider's, so that the books can be checked against it."""

    requests: list[Seen] = field(default_factory=list)


class FakeProvider:
    """Start it, script it, ask what it saw. Says `always` when nothing is scripted."""

    name = ""
    auth = ""
    """The header of its key."""
    prefix = ""
    """What its base URL ends with."""
    stream_type = "text/event-stream"

    def __init__(self, key: str) -> None:
        self.key = key
        self.always = OK
        self.next: deque[Saying] = deque()
        self.raw: deque[tuple[list[bytes], str]] = deque()
        """Answers as bytes, before any that is scripted: pieces and their content type."""
        self.journal = Journal()
        self.url = ""
        self._stopped = asyncio.Event()

    @property
    def last(self) -> Seen:
        return self.journal.requests[-1]

    @property
    def wrongs(self) -> list[str]:
        """Why requests were refused."""
        return [seen.wrong for seen in self.journal.requests if seen.wrong]

    def script(self, *sayings: Saying) -> None:
        """The next answers; what was scripted before is forgotten."""
        self.next = deque(sayings)

    async def start(self) -> str:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self.url

    async def stop(self) -> None:
        self._stopped.set()
        await self._runner.cleanup()

    # What a dialect knows.

    def understand(self, path: str, query: str, body: Any, headers: dict[str, str]) -> Meaning:
        """The request's meaning. Raises Wrong for what the real provider would refuse."""
        raise NotImplementedError

    def whole(self, saying: Saying) -> Any:
        """The body of a whole answer."""
        raise NotImplementedError

    def frames(self, saying: Saying) -> tuple[list[bytes], int]:
        """The frames of a stream, and how many there are up to the first output."""
        raise NotImplementedError

    def error(self, status: int, message: str) -> Any:
        """The body of an error."""
        raise NotImplementedError

    def error_frame(self, saying: Saying) -> bytes:
        """An error inside a stream."""
        raise NotImplementedError

    # How it is said.

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.path_qs, headers, raw, headers.get("x-wattline-attempt"))
        self.journal.requests.append(seen)
        if self.raw:
            pieces, kind = self.raw.popleft()
            return await self._send(request, pieces, kind)
        try:
            seen.meaning = self._checked(request, raw, headers)
        except Wrong as wrong:
            seen.wrong = str(wrong)
            return web.json_response(self.error(400, seen.wrong), status=400)
        saying = self.next.popleft() if self.next else self.always
        if saying.fault is Fault.STATUS:
            return web.json_response(
                self.error(saying.status, saying.message),
                status=saying.status,
                headers=saying.headers,
            )
        return await self._answer(request, seen, saying, seen.meaning)

    def _checked(self, request: web.Request, raw: bytes, headers: dict[str, str]) -> Meaning:
        keys = [name for name in CREDENTIALS if name in headers]
        wanted = f"Bearer {self.key}" if self.auth == "authorization" else self.key
        need(keys == [self.auth], f"credentials {keys}, not {self.auth}")
        need(headers[self.auth] == wanted, "the key is another one")
        need("key=" not in request.query_string, "a key in the query")
        need(headers.get("content-type") == "application/json", "content-type is not JSON")
        need(request.method == "POST", request.method)
        leaked = [n for n in headers if n.startswith("x-wattline") and n != "x-wattline-attempt"]
        need(not leaked, f"our own headers leaked: {leaked}")
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise Wrong("no JSON") from error
        return self.understand(request.path, request.query_string, body, headers)

    async def _answer(
        self, request: web.Request, seen: Seen, saying: Saying, meaning: Meaning
    ) -> web.StreamResponse:
        match saying.fault:
            case Fault.CUT_HEAD:
                # Without a byte, a connection that was used before is taken for one that had gone stale.
                request.transport.write(b"HTTP/1.1 2")
                request.transport.close()
                return web.Response()
            case Fault.STALL_HEAD:
                await self._stopped.wait()
                return web.Response()
            case Fault.GARBAGE:
                return web.Response(text="<html>gateway</html>", content_type="text/html")
            case Fault.EMPTY:
                return web.Response(body=b"", content_type="application/json")
        if meaning.stream:
            return await self._stream(request, seen, saying)
        return await self._plain(request, seen, saying)

    async def _plain(self, request: web.Request, seen: Seen, saying: Saying) -> web.StreamResponse:
        if saying.fault in (Fault.ERROR_FIRST, Fault.ERROR_MID):
            body = self.error(saying.status, saying.message)
            return web.json_response(body, headers=saying.headers)
        data = json.dumps(self.whole(saying), ensure_ascii=False).encode()
        if saying.fault is not Fault.NONE:
            response = web.StreamResponse(headers={"content-type": "application/json"})
            response.content_length = len(data)
            await response.prepare(request)
            await response.write(data[: len(data) // 2])
            return await self._break(request, saying, response)
        self._count(seen, saying)
        return await self._send(request, _cut(data, saying), "application/json", saying.headers)

    async def _stream(self, request: web.Request, seen: Seen, saying: Saying) -> web.StreamResponse:
        frames, first = self.frames(saying)
        kind = self.stream_type
        fault = saying.fault
        if fault is Fault.NONE:
            self._count(seen, saying)
            pieces = [piece for frame in frames for piece in _cut(frame, saying)]
            return await self._send(request, pieces, kind, saying.headers)
        response = web.StreamResponse(headers={"content-type": kind})
        await response.prepare(request)
        kept = frames[: first - 1] if fault.endswith("first") else frames[:first]
        for frame in kept:
            await response.write(frame)
        if fault.endswith("mid"):
            await asyncio.sleep(0.03)  # in one read with the error it would be no output yet
        if fault in (Fault.ERROR_FIRST, Fault.ERROR_MID):
            await response.write(self.error_frame(saying))
            await response.write_eof()
            return response
        return await self._break(request, saying, response)

    async def _break(
        self, request: web.Request, saying: Saying, response: web.StreamResponse
    ) -> web.StreamResponse:
        if saying.fault.startswith("stall"):
            await self._stopped.wait()
        await asyncio.sleep(0)
        request.transport.close()  # what was written goes out first
        return response

    def _count(self, seen: Seen, saying: Saying) -> None:
        if saying.usage:
            seen.prompt_tokens, seen.completion_tokens = saying.prompt, saying.completion

    async def _send(
        self,
        request: web.Request,
        pieces: Iterable[bytes],
        kind: str,
        headers: dict[str, str] | None = None,
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": kind, **(headers or {})})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0)
        await response.write_eof()
        return response


def _cut(data: bytes, saying: Saying) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))] if saying.bytewise else [data]


def sse(value: Any, event: str | None = None, end: str = "\n") -> bytes:
    """One event of a stream."""
    head = f"event: {event}{end}" if event else ""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"{head}data: {data}{end}{end}".encode()
