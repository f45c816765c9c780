"""Many SSE answers at once, paced by the mock: when their first event came, how late each was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from calls import Request, plain
from checks import Failures
from http1 import Part
from load import PATIENCE, Caller, connect, patiently
from shapes import CLIENTS, ClientShape
from tags import find_events


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One slice. Times in seconds; lists sorted."""

    streams: int
    ended: int
    """Streams that came whole, with all events in order and the end marker."""
    events: int
    first: list[float]
    """From sending the request to the first content event."""
    delays: list[float]
    """From the mock's sending an event to its arrival; both read the same monotonic clock."""
    failures: Failures


class StreamCaller(Caller):
    """A connection that makes one warm-up call and then one streamed call."""

    def __init__(
        self,
        numbers: Iterator[int],
        contains: bytes,
        answered: Callable[[Caller, float], None],
        failed: Callable[[str], None],
        seen: Callable[[], None],
        shape: ClientShape,
    ) -> None:
        super().__init__(numbers, contains, answered, failed)
        self._shape = shape
        self._seen = seen
        self._streaming = False
        self._found = False
        self._marked = False
        self._tail = b""
        self._expected = 0
        self.events = 0
        self.first: float | None = None
        self.delays: list[float] = []

    def stream(self, request: Request, expected: int) -> None:
        """Send the streamed call; it is whole with `expected` events (0: with any number)."""
        self._streaming = True
        self._expected = expected
        self.call(request)

    def part(self, part: Part) -> None:
        """Take the events in it apart; a whole answer is the warm-up's."""
        if not self._streaming:
            super().part(part)
            return
        now = time.monotonic_ns()
        if not part.head.startswith(b"http/1.1 200 "):
            line = part.head.split(b"\r\n", 1)[0].decode("latin-1")
            self.fail(f"status line {line!r} for a stream, body {part.payload[:200]!r}")
            return
        # An event is complete at its boundary; what follows the last one waits for more bytes.
        data = self._tail + part.payload
        found = data.rfind(self._shape.boundary)
        cut = found + len(self._shape.boundary) if found >= 0 else 0
        self._tail = data[cut:]
        if cut:
            self._take(data[:cut], now)
        if part.last and self.busy:
            self._end()

    def _take(self, frames: bytes, now: int) -> None:
        for number, place, sent in find_events(frames):
            if self._shape.repeats and self.events == self._expected:
                break
            if int(number) != self.number:
                self.fail(f"an event of call {int(number)} came in the stream of {self.number}")
                return
            if int(place) != self.events:
                self.fail(f"event {int(place)} came where {self.events} was due")
                return
            self.events += 1
            self.delays.append((now - int(sent)) / 1e9)
            if self.first is None:
                self.first = time.perf_counter() - self.sent
                self._seen()
        self._marked = self._marked or self._shape.mark in frames
        self._found = self._found or self._contains in frames

    def _end(self) -> None:
        if not self._marked:
            self.fail(f"a stream ended after {self.events} events without its end marker")
        elif self._expected and self.events != self._expected:
            self.fail(f"a stream ended after {self.events} of {self._expected} events")
        elif not self._found:
            self.fail(f"a stream ended without {self._contains.decode()}")
        else:
            self.busy = False
            self._answered(self, time.perf_counter())


class StreamLoad:
    """`streams` connections with one stream each, begun evenly over `spread` seconds."""

    def __init__(
        self,
        port: int,
        request: Request,
        *,
        streams: int,
        events: int,
        gap: float,
        spread: float,
        numbers: Iterator[int],
        contains: bytes,
        client: str = "openai",
    ) -> None:
        self._port = port
        self._shape = CLIENTS[client]
        self._request = request
        self._count = streams
        self._events = events
        self._spread = spread
        self._seconds = spread + events * gap
        self._numbers = numbers
        self._contains = contains
        self._callers: list[StreamCaller] = []
        self._failures = Failures()
        self._open = 0
        self._ended = 0
        self._begun = 0
        self._idle = asyncio.Event()
        self._all_begun = asyncio.Event()

    async def warm(self) -> None:
        """Connect, and make one plain call on each connection: a stream then meets open ones.

        Raises CheckFailed.
        """
        for _ in range(self._count):
            self._callers.append(await connect(self._port, self._caller))
        self._open = self._count
        request = plain(self._port)
        for caller in self._callers:
            caller.call(request)
        await patiently(self._idle, 0, self._callers)
        self._failures.check()
        self._ended = 0

    def start(self) -> None:
        """Begin the streams."""
        self._idle.clear()
        self._open = self._count
        loop = asyncio.get_running_loop()
        for place, caller in enumerate(self._callers):
            delay = self._spread * place / self._count
            loop.call_later(delay, caller.stream, self._request, self._events)

    async def all_open(self) -> None:
        """Return when each stream has had its first event. Raises CheckFailed."""
        try:
            async with asyncio.timeout(self._spread + PATIENCE):
                await self._all_begun.wait()
        except TimeoutError:
            self._failures.add(f"only {self._begun} of {self._count} streams began")
        self._failures.check()

    async def finish(self) -> StreamResult:
        """Wait for the streams' ends."""
        await patiently(self._idle, self._seconds, self._callers)
        return StreamResult(
            streams=self._count,
            ended=self._ended,
            events=sum(caller.events for caller in self._callers),
            first=sorted(c.first for c in self._callers if c.first is not None),
            delays=sorted(delay for caller in self._callers for delay in caller.delays),
            failures=self._failures,
        )

    def close(self) -> None:
        """End the connections."""
        for caller in self._callers:
            caller.close()

    def _caller(self) -> StreamCaller:
        return StreamCaller(
            self._numbers,
            self._contains,
            self._answered,
            self._failed,
            self._seen,
            self._shape,
        )

    def _seen(self) -> None:
        self._begun += 1
        if self._begun == self._count:
            self._all_begun.set()

    def _answered(self, _caller: Caller, _now: float) -> None:
        self._ended += 1
        self._stopped()

    def _failed(self, reason: str) -> None:
        self._failures.add(reason)
        self._all_begun.set()
        self._stopped()

    def _stopped(self) -> None:
        self._open -= 1
        if not self._open:
            self._idle.set()
