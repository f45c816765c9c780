"""A drill's fault, between us and a provider: an answer made here, or a real one that is spoilt.

Only what a client may meet anyway is made: the codes are those of real faults, so that rules, failover and
clients do what they would do then.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from wattline.rules.compiled.provider import Timeouts
from wattline.rules.drill import CUT, MALFORMED, REFUSE, SLOW_DRIP, STALL, Drill
from wattline.upstream.base import Broken, Incoming, Outgoing, Upstream
from wattline.wire.http import Headers
from wattline.wire.ndjson import MEDIA_TYPE as NDJSON
from wattline.wire.ndjson import LineDecoder
from wattline.wire.sse import EventDecoder, EventTooLarge

_BODY = b'{"error":{"message":"A fault drill of the sidecar.","type":"fault_drill","code":"fault_drill"}}'
_UNREADABLE = b'{"drill": '


class _Cutter(Protocol):
    """Cuts a stream into its events."""

    def feed(self, data: bytes) -> list[bytes]: ...

    def rest(self) -> bytes: ...


async def drilled(
    upstream: Upstream, outgoing: Outgoing, timeouts: Timeouts, drill: Drill
) -> Incoming:
    """What the drill makes of an attempt. Raises Broken, as `Upstream.send`."""
    if drill.kind == REFUSE:
        raise Broken("refused", "a fault drill refuses the connection")
    if drill.status is not None:
        return MadeIncoming(drill.status, _headers(drill))
    ends = asyncio.get_running_loop().time() + timeouts.total
    incoming = await upstream.send(outgoing, timeouts)
    if not 200 <= incoming.status < 300:
        return incoming  # it has a fault of its own
    return SpoiltIncoming(incoming, drill, timeouts.idle, ends)


def _headers(drill: Drill) -> Headers:
    pairs = [("content-type", "application/json")]
    if drill.retry_after is not None:
        pairs.append(("retry-after", f"{drill.retry_after:.0f}"))
    return tuple(pairs)


@dataclass(slots=True)
class MadeIncoming:
    """An error that no provider gave."""

    status: int
    headers: Headers

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Its body."""
        yield _BODY

    def close(self) -> None:
        """See `Incoming`."""


@dataclass(slots=True)
class SpoiltIncoming:
    """A real answer with the drill's fault in it. `idle` is the longest pause that is waited for, seconds; `ends`
    when the attempt's time is over, by the loop's clock.
    """

    incoming: Incoming
    drill: Drill
    idle: float
    ends: float
    status: int = field(init=False)
    headers: Headers = field(init=False)

    def __post_init__(self) -> None:
        self.status, self.headers = self.incoming.status, self.incoming.headers

    def close(self) -> None:
        """See `Incoming`."""
        self.incoming.close()

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The body as the drill leaves it. Raises Broken."""
        cutter = self._cutter()
        body = self._whole() if cutter is None else self._events(cutter)
        async with aclosing(body) as data:
            async for piece in data:
                yield piece

    def _cutter(self) -> _Cutter | None:
        kind = next((v.lower() for n, v in self.headers if n == "content-type"), "")
        if kind.startswith("text/event-stream"):
            return EventDecoder()
        return LineDecoder() if kind.startswith(NDJSON) else None

    async def _whole(self) -> AsyncGenerator[bytes]:
        """An answer that has no events: the fault comes before its first byte."""
        if self.drill.kind == MALFORMED:
            self.incoming.close()
            yield _UNREADABLE
            return
        if self.drill.kind != SLOW_DRIP:
            await self._fail()
        async for data in self.incoming.pieces():
            await self._wait(self.drill.pause)
            yield data

    async def _events(self, cutter: _Cutter) -> AsyncGenerator[bytes]:
        seen = 0
        async for event in _cut(self.incoming.pieces(), cutter):
            if self.drill.kind == SLOW_DRIP:
                await self._wait(self.drill.pause)
                yield event
            elif seen != self.drill.after:
                yield event
            elif self.drill.kind == MALFORMED:
                yield _spoilt(event)
            else:
                await self._fail()
            seen += 1
        yield cutter.rest()

    async def _fail(self) -> None:
        if self.drill.kind == STALL:
            await self._wait(math.inf)
        raise self._broken(CUT)

    async def _wait(self, seconds: float) -> None:
        """Nothing comes for so long. Raises Broken where that is longer than is waited for a real answer."""
        left = max(self.ends - asyncio.get_running_loop().time(), 0.0)
        await asyncio.sleep(min(seconds, self.idle, left))
        if seconds >= left and left <= self.idle:
            raise self._broken("total_timeout")
        if seconds >= self.idle:
            raise self._broken("idle_timeout")

    def _broken(self, code: str) -> Broken:
        self.incoming.close()
        return Broken(code, f"a fault drill: {self.drill.kind}", sent=True)


def _spoilt(event: bytes) -> bytes:
    """The first half of an event, which still ends as one."""
    text = event.rstrip(b"\r\n")
    return text[: max(len(text) // 2, 1)] + event[len(text) :]


async def _cut(pieces: AsyncIterator[bytes], cutter: _Cutter) -> AsyncGenerator[bytes]:
    async for data in pieces:
        try:
            events = cutter.feed(data)
        except EventTooLarge as error:
            raise Broken("bad_answer", "one event is too large", sent=True) from error
        for event in events:
            yield event
