"""Puts a reply on the wire: head, pieces, pace, and the faults of the connection."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from wattline.base.clock import Clock
from wattline.demo.journal import Ended, Entry, Journal
from wattline.demo.knobs import Knobs
from wattline.demo.listener import close
from wattline.demo.reply import Break, Event, Reply

type Sleep = Callable[[float], Awaitable[object]]

AHEAD = 0.001
"""Seconds that the output may be early: shorter sleeps cost more than they are worth."""
YIELD_EVENTS = 32
"""After so many events others get a turn: a write that the kernel takes at once never waits."""
GZIP = 16 + zlib.MAX_WBITS
TENTHS = 10


class Gate:
    """Where stalled answers wait."""

    def __init__(self) -> None:
        self._open = asyncio.Event()

    async def wait(self) -> None:
        """Until the next release."""
        await self._open.wait()

    def release(self) -> None:
        """Let go on what waits now; what stalls later waits again."""
        self._open.set()
        self._open = asyncio.Event()


@dataclass(frozen=True, slots=True)
class Pace:
    """Time as the sender knows it. `knobs` is asked again at each event."""

    clock: Clock
    sleep: Sleep
    knobs: Callable[[], Knobs]


class _Over(Exception):
    """The answer was broken off as planned."""


class Sender:
    """Sends one reply. `send` returns what aiohttp wants to have back."""

    def __init__(
        self, request: web.BaseRequest, entry: Entry, journal: Journal, pace: Pace, gate: Gate
    ) -> None:
        self._request = request
        self._entry = entry
        self._journal = journal
        self._pace = pace
        self._gate = gate
        self._response = web.StreamResponse()
        self._due = 0.0

    async def send(self, reply: Reply, delay: float) -> web.StreamResponse:
        """`delay` is in seconds. Raises CancelledError or ConnectionError when the client goes."""
        entry = self._entry
        entry.prompt_tokens = reply.prompt_tokens
        try:
            await self._wait(delay + self._making(reply))
            await self._stop(reply.manner.before)
            if reply.events is None:
                await self._send_body(reply)
            else:
                await self._send_events(reply)
            await self._response.write_eof()
            self._end(reply.ending)
        except _Over:
            pass
        return self._response

    def _making(self, reply: Reply) -> float:
        """Seconds that a model would take for an answer that is sent in one piece."""
        if reply.events is not None or not reply.manner.paced:
            return 0.0
        return reply.completion_tokens / self._pace.knobs().token_speed

    async def _head(self, reply: Reply, length: int | None) -> None:
        response = self._response
        response.set_status(reply.status)
        response.headers["content-type"] = reply.content_type
        response.headers["server"] = "wattline-demo"
        response.headers["x-wattline-demo"] = "1"
        response.headers["x-request-id"] = f"req_demo{self._entry.number:08d}"
        if reply.events is not None:
            response.headers["cache-control"] = "no-cache"
        if reply.manner.gzip:
            response.headers["content-encoding"] = "gzip"
        for name, value in reply.headers:
            response.headers.add(name, value)
        response.content_length = length
        self._entry.status = reply.status
        await response.prepare(self._request)
        self._due = self._pace.clock.monotonic()

    async def _send_body(self, reply: Reply) -> None:
        manner, body = reply.manner, reply.payload()
        if manner.gzip:
            body = zlib.compress(body, wbits=GZIP)
        await self._head(reply, len(body))
        await self._stop(manner.after.get(0))
        broken = manner.after.get(1)
        await self._pieces(reply, body[: len(body) // 2] if broken else body)
        if broken:
            await self._stop(broken)
            await self._pieces(reply, body[len(body) // 2 :])
        self._entry.completion_tokens = reply.completion_tokens
        self._entry.usage = reply.usage()

    async def _pieces(self, reply: Reply, body: bytes) -> None:
        if not reply.manner.drip:
            await self._write(reply, body)
            return
        size = -(-len(body) // TENTHS) or 1
        for start in range(0, len(body), size):
            await self._pace.sleep(reply.manner.drip)
            await self._write(reply, body[start : start + size])

    async def _send_events(self, reply: Reply) -> None:
        manner, entry = reply.manner, self._entry
        squeeze = zlib.compressobj(wbits=GZIP) if manner.gzip else None
        await self._head(reply, None)
        await self._stop(manner.after.get(0))
        for event in reply.events or ():
            if manner.paced and event.tokens:
                await self._keep_pace(event.tokens)
            if manner.drip:
                await self._pace.sleep(manner.drip)
            data = event.encode()
            if manner.newline != b"\n":
                data = data.replace(b"\n", manner.newline)
            if squeeze is not None:
                data = squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH)
            await self._write(reply, data)
            self._count(event)
            if not entry.events % YIELD_EVENTS:
                await asyncio.sleep(0)
            if manner.after:
                await self._stop(manner.after.get(entry.events))
        if late := [place for place in manner.after if place > entry.events]:
            await self._stop(manner.after[min(late)])
        if squeeze is not None:
            await self._write(reply, squeeze.flush())

    def _count(self, event: Event) -> None:
        entry = self._entry
        entry.events += 1
        entry.completion_tokens += event.tokens
        if (usage := event.usage()) is not None:
            entry.usage = usage
        self._journal.changed()

    async def _write(self, reply: Reply, data: bytes) -> None:
        if reply.manner.slicer is None:
            await self._response.write(data)
            self._entry.body_bytes += len(data)
            return
        for piece in reply.manner.slicer(data):
            await self._response.write(piece)
            self._entry.body_bytes += len(piece)
            await asyncio.sleep(0)

    async def _keep_pace(self, tokens: int) -> None:
        self._due += tokens / self._pace.knobs().token_speed
        await self._wait(self._due - self._pace.clock.monotonic())

    async def _wait(self, seconds: float) -> None:
        if seconds > AHEAD:
            await self._pace.sleep(seconds)

    async def _stop(self, what: Break | None) -> None:
        """Break off, or stall. Raises _Over unless the answer goes on."""
        match what:
            case None:
                return
            case Break.STALL:
                await self._stall()
                return
            case Break.END:
                await self._response.write_eof()
                self._end(Ended.FAULT)
            case Break.CLOSE | Break.RESET:
                self._end(Ended.FAULT)
                close(self._request.transport, reset=what is Break.RESET)
        raise _Over

    async def _stall(self) -> None:
        self._entry.stalled = True
        self._journal.changed()
        await self._gate.wait()
        self._entry.stalled = False

    def _end(self, ended: Ended) -> None:
        self._journal.end(self._entry, ended, self._pace.clock.monotonic())
