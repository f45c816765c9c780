"""What an attacker sends: raw bytes, HTTP/2 frames that no library would make, and a good neighbour."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import re
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings

from kit.clients import CONNECT_H2, dial
from kit.sidecars import Running

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
GOOD = json.dumps(CHAT).encode()
CALLS = "/v1/chat/completions"
BUSY = 5
"""How much longer all may take by the clock, on a machine with other work."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


def request(
    *headers: bytes,
    line: bytes = b"POST /v1/chat/completions HTTP/1.1",
    host: bytes | None = b"127.0.0.1",
    body: bytes = GOOD,
    length: bool = True,
) -> bytes:
    """One request; `headers` are whole lines without their end."""
    lines = [line]
    if host is not None:
        lines.append(b"host: " + host)
    if length:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join([*lines, *headers, b"", b""]) + body


async def raw(
    address: tuple[str, int], data: bytes, *, quiet: float = 0.25, seconds: float = 20
) -> bytes:
    """What comes back until the sidecar closes, or has been silent for `quiet` seconds after it said
    something, or has said nothing for `seconds`.
    """
    reader, writer = await asyncio.open_connection(*address)
    out = b""
    try:
        writer.write(data)
        while True:
            async with asyncio.timeout(quiet if out else seconds):
                more = await reader.read(65536)
            if not more:
                return out
            out += more
    except (TimeoutError, ConnectionError):
        return out
    finally:
        writer.close()


def statuses(answer: bytes) -> list[int]:
    """The final statuses in an answer on the wire, 100 left out."""
    return [int(found) for found in _STATUS.findall(answer) if found != b"100"]


def code(answer: bytes) -> str | None:
    """The error's code in the last answer."""
    try:
        return json.loads(answer.rpartition(b"\r\n\r\n")[2])["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return None


class Frames:
    """An HTTP/2 connection through CONNECT and TLS, whose client side checks nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.wire = h2.connection.H2Connection(config)
        self.status: dict[int, int] = {}
        self.body: dict[int, bytes] = {}
        self.over: set[int] = set()
        self.gone = False
        self.acknowledge = True

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, sidecar: Running, settings: dict[int, int] | None = None
    ) -> AsyncIterator[Frames]:
        reader, writer = await dial(sidecar.address, CONNECT_H2, sidecar.ca)
        frames = cls(reader, writer)
        if settings:
            frames.wire.local_settings = h2.settings.Settings(initial_values=settings)
        frames.wire.initiate_connection()
        frames.flush()
        try:
            yield frames
        finally:
            writer.transport.abort()

    def flush(self) -> None:
        self.writer.write(self.wire.data_to_send())

    def headers(self, fields: Iterable[tuple[str, str]], *, end: bool = True) -> int:
        stream = self.wire.get_next_available_stream_id()
        self.wire.send_headers(stream, list(fields), end_stream=end)
        self.flush()
        return stream

    def call(
        self,
        *extra: tuple[str, str],
        pseudo: Iterable[tuple[str, str]] | None = None,
        path: str = CALLS,
        body: bytes = GOOD,
    ) -> int:
        fields = pseudo or [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "api.openai.com"),
            (":path", path),
        ]
        stream = self.headers([*fields, *extra], end=not body)
        if body:
            self.wire.send_data(stream, body, end_stream=True)
            self.flush()
        return stream

    async def until_over(self, stream: int, seconds: float = 15) -> int:
        """The stream's status; 0 when it was reset or the connection closed without one."""
        async with asyncio.timeout(seconds):
            while stream not in self.over and not self.gone:
                await self.read()
        return self.status.get(stream, 0)

    async def read(self) -> None:
        try:
            data = await self.reader.read(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.gone = True
            return
        for event in self.wire.receive_data(data):
            self._see(event)
        self.flush()

    def _see(self, event: Any) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            self.status[event.stream_id] = int(dict(event.headers)[":status"])
        elif isinstance(event, h2.events.DataReceived):
            self.body[event.stream_id] = self.body.get(event.stream_id, b"") + event.data
            if self.acknowledge and event.flow_controlled_length:
                with contextlib.suppress(h2.exceptions.ProtocolError):
                    self.wire.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
        elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
            self.over.add(event.stream_id)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.gone = True


@dataclass
class Neighbour:
    """A good client's record: seconds of each call, statuses that were no 200, and the loop's stalls. Of calls
    and stalls also the seconds that this process was at work: the machine may have had other work.
    """

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stalls: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    work_stalls: list[float] = field(default_factory=list)

    def check(self, *, most: float = 1.0, stall: float = 0.25) -> None:
        """Each call succeeded, the slowest in a hundred within `most` of work, the loop never stood long."""
        assert not self.failures, self.failures[:3]
        assert self.seconds, "the neighbour never called"
        assert _slow(self.work) < most, sorted(self.work)[-5:]
        assert _slow(self.work_stalls) < stall, sorted(self.work_stalls)[-5:]
        assert _slow(self.seconds) < BUSY * most, sorted(self.seconds)[-5:]
        assert _slow(self.stalls) < BUSY * stall, sorted(self.stalls)[-5:]


def _slow(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99) - 1] if len(values) > 1 else values[0]


@contextlib.asynccontextmanager
async def neighbour(sidecar: Running, *, every: float = 0.05) -> AsyncIterator[Neighbour]:
    """A good client that calls once per `every` seconds, at least five times."""
    record = Neighbour()
    stop = asyncio.Event()

    async def calls() -> None:
        while not stop.is_set() or len(record.seconds) + len(record.failures) < 5:
            began, worked = time.monotonic(), time.process_time()
            try:
                async with asyncio.timeout(20):
                    reply = await sidecar.call(CHAT)
            except (TimeoutError, OSError) as error:
                record.failures.append(repr(error))
            else:
                if reply.status != 200:
                    record.failures.append(f"{reply.status} {reply.body[:200]!r}")
                record.seconds.append(time.monotonic() - began)
                record.work.append(time.process_time() - worked)
            await asyncio.sleep(every)

    async def watch() -> None:
        while True:
            before, worked = time.monotonic(), time.process_time()
            await asyncio.sleep(0.01)
            record.stalls.append(max(0.0, time.monotonic() - before - 0.01))
            record.work_stalls.append(time.process_time() - worked)

    gc.collect()
    gc.freeze()  # as a sidecar does: a collection must not look at all that other tests have left here
    tasks = [asyncio.ensure_future(calls()), asyncio.ensure_future(watch())]
    try:
        yield record
        stop.set()
        await tasks[0]
    finally:
        gc.unfreeze()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
