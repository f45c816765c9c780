"""Plain calls over keep-alive connections: each sends its next call when the last is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from calls import Request
from checks import Failures
from http1 import Broken, Part, Reader
from tags import TAG

PATIENCE = 15.0
"""Seconds that an answer may take before its call counts as failed."""


@dataclass(frozen=True, slots=True)
class PlainResult:
    """One slice. Times in seconds; `latencies` sorted."""

    connections: int
    answers: int
    span: float
    """From the first call to the last answer, the mean over the connections; a connection that
    stopped early counts up to the slice's end, so that its silence shows."""
    latencies: list[float]
    failures: Failures

    @property
    def in_flight(self) -> float:
        """Requests/s times mean latency: how many calls were under way on average."""
        return sum(self.latencies) / self.span


class Caller(asyncio.Protocol):
    """One connection. `answered` and `failed` are told what became of each call.

    `contains` is what a good answer holds beside its call's tag, for example what the gateway adds.
    """

    def __init__(
        self,
        numbers: Iterator[int],
        contains: bytes,
        answered: Callable[[Caller, float], None],
        failed: Callable[[str], None],
    ) -> None:
        self._numbers = numbers
        self._contains = contains
        self._answered = answered
        self._failed = failed
        self._reader = Reader(answers=True)
        self._parts: list[bytes] = []
        self._transport: asyncio.Transport
        self.number = 0
        self.sent = 0.0
        """`time.perf_counter()` of the call under way."""
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (narrows for mypy)
        self._transport = transport

    def call(self, request: Request) -> None:
        """Send the next call; the one before must be answered."""
        self.number = next(self._numbers)
        self.busy = True
        self.sent = time.perf_counter()
        self._transport.write(request.tagged(self.number))

    def data_received(self, data: bytes) -> None:
        """Take what came of the answer."""
        try:
            for part in self._reader.feed(data):
                self.part(part)
        except Broken as fault:
            self.fail(f"an answer is no HTTP/1.1: {fault}")

    def part(self, part: Part) -> None:
        """Judge the answer when it is complete."""
        if not part.last:
            self._parts.append(part.payload)
            return
        now = time.perf_counter()
        body = b"".join((*self._parts, part.payload)) if self._parts else part.payload
        self._parts.clear()
        if not self.busy:
            self._failed(f"an answer came without a call: {body[:200]!r}")
            self._transport.abort()
            return
        fault = self._fault(part.head, body)
        if fault is not None:
            self.fail(fault)
            return
        self.busy = False
        self._answered(self, now)

    def connection_lost(self, exc: Exception | None) -> None:
        """An open call has failed."""
        if self.busy:
            self.fail(f"the connection closed before the answer was complete ({exc or 'EOF'})")

    def fail(self, reason: str) -> None:
        """Count the call under way as failed and end the connection."""
        if self.busy:
            self.busy = False
            self._failed(reason)
        self._transport.abort()

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    def _fault(self, head: bytes, body: bytes) -> str | None:
        if not head.startswith(b"http/1.1 200 "):
            line = head.split(b"\r\n", 1)[0].decode("latin-1")
            return f"status line {line!r}, body {body[:200]!r}"
        if TAG % self.number not in body:
            return f"an answer does not carry its request's id: {body[:200]!r}"
        if self._contains not in body:
            return f"an answer lacks {self._contains.decode()}: {body[-200:]!r}"
        return None


class PlainLoad:
    """A closed loop of `connections` callers for `seconds`."""

    def __init__(
        self,
        port: int,
        request: Request,
        *,
        connections: int,
        seconds: float,
        numbers: Iterator[int],
        contains: bytes,
    ) -> None:
        self._port = port
        self._request = request
        self._seconds = seconds
        self._numbers = numbers
        self._contains = contains
        self._count = connections
        self._callers: list[Caller] = []
        self._failures = Failures()
        self._latencies: list[float] = []
        self._ends: list[float] = []
        self._deadline = 0.0
        self._open = 0
        self._idle = asyncio.Event()

    async def warm(self) -> None:
        """Connect, and make one call on each connection that is not counted in the figures.

        Raises CheckFailed.
        """
        for _ in range(self._count):
            self._callers.append(await connect(self._port, self._caller))
        await self._round()
        self._failures.check()
        self._latencies.clear()
        self._ends.clear()

    async def run(self) -> PlainResult:
        """Load for the slice's time; each call that was begun is waited for."""
        start = time.perf_counter()
        self._deadline = start + self._seconds
        await self._round()
        ends = [max(end, self._deadline) for end in self._ends]
        ends += [self._deadline] * (self._count - len(ends))
        return PlainResult(
            connections=self._count,
            answers=len(self._latencies),
            span=sum(ends) / len(ends) - start,
            latencies=sorted(self._latencies),
            failures=self._failures,
        )

    def close(self) -> None:
        """End the connections."""
        for caller in self._callers:
            caller.close()

    async def _round(self) -> None:
        """Start every caller and wait until all have stopped."""
        self._idle.clear()
        self._open = self._count
        for caller in self._callers:
            caller.call(self._request)
        await patiently(self._idle, self._seconds, self._callers)

    def _caller(self) -> Caller:
        return Caller(self._numbers, self._contains, self._answered, self._failed)

    def _answered(self, caller: Caller, now: float) -> None:
        self._latencies.append(now - caller.sent)
        if now < self._deadline:
            caller.call(self._request)
        else:
            self._ends.append(now)
            self._stopped()

    def _failed(self, reason: str) -> None:
        self._failures.add(reason)
        self._stopped()

    def _stopped(self) -> None:
        self._open -= 1
        if not self._open:
            self._idle.set()


async def connect[C: Caller](port: int, make: Callable[[], C]) -> C:
    """A caller that is connected to `port` on this machine."""
    _, caller = await asyncio.get_running_loop().create_connection(make, "127.0.0.1", port)
    return caller


async def patiently[C: Caller](idle: asyncio.Event, seconds: float, callers: list[C]) -> None:
    """Wait for `idle`; after `seconds` and PATIENCE the calls still open have failed."""
    try:
        async with asyncio.timeout(seconds + PATIENCE):
            await idle.wait()
    except TimeoutError:
        for caller in callers:
            caller.fail(f"no complete answer within {PATIENCE:.0f} s")
