"""An upstream: one asyncio protocol, answers prepared, nothing parsed but the tag. Whole answers are OpenAI's,
streams those of the path's dialect.

`python mock.py` prints its port and serves on 127.0.0.1 until its standard input closes.
`GET /counts` tells what it has served; `POST /release` ends the streams that have no end.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass

from http1 import Broken, Reader
from shapes import PROVIDERS, ProviderShape
from tags import EVENT, TAG, read_order

_FILLER = b"The quick brown fox jumps over the lazy dog near the quiet river bank. " * 4
ANSWER = (
    b'{"id":"chatcmpl-%b","object":"chat.completion","created":1700000000,"model":"bench-model",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"%b ' + _FILLER + b'"},'
    b'"logprobs":null,"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":97,"completion_tokens":64,"total_tokens":161},'
    b'"system_fingerprint":"fp_bench"}'
)
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


@dataclass(slots=True)
class Counts:
    """What was served: calls answered whole, streams begun, streams ended whole, content events."""

    calls: int = 0
    streams: int = 0
    ended: int = 0
    events: int = 0


class Upstream:
    """What the connections share."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.endless: set[Stream] = set()

    def release(self) -> None:
        """Let each endless stream end with its next event."""
        for stream in self.endless:
            stream.events = 1
        self.endless.clear()


class Stream:
    """One paced answer: events at fixed moments from its start, so that delays do not add up."""

    def __init__(
        self,
        upstream: Upstream,
        transport: asyncio.Transport,
        shape: ProviderShape,
        *,
        tag: int,
        events: int,
        gap: float,
    ) -> None:
        self._upstream = upstream
        self._transport = transport
        self._shape = shape
        self._tag = tag
        self.events = events
        """How many to send; 0: until released."""
        self._gap = gap
        self._sent = 0
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        upstream.counts.streams += 1
        if not events:
            upstream.endless.add(self)
        transport.write(_STREAM_HEAD + (_framed(shape.first) if shape.first else b""))
        self._send()

    def stop(self) -> None:
        """The connection is gone."""
        self._upstream.endless.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def _send(self) -> None:
        text = EVENT % (self._tag, self._sent, time.monotonic_ns())
        self._transport.write(_framed(self._shape.event % text))
        self._upstream.counts.events += 1
        self._sent += 1
        if self.events and self._sent >= self.events:
            self._transport.write(_framed(self._shape.last) + b"0\r\n\r\n")
            self._upstream.counts.ended += 1
            return
        due = self._start + self._sent * self._gap
        self._timer = self._loop.call_at(due, self._send)


class Connection(asyncio.Protocol):
    """One client connection; it may carry any number of calls, one after another."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._reader = Reader(answers=False)
        self._parts: list[bytes] = []
        self._stream: Stream | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (narrows for mypy)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        try:
            for part in self._reader.feed(data):
                if not part.last:
                    self._parts.append(part.payload)
                    continue
                body = b"".join((*self._parts, part.payload)) if self._parts else part.payload
                self._parts.clear()
                self._answer(part.head, body)
        except Broken:
            self._transport.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Nobody reads the stream any more."""
        if self._stream is not None:
            self._stream.stop()

    def _answer(self, head: bytes, body: bytes) -> None:
        method, path, *_ = head.split(b" ", 2)
        if method == b"post" and path.endswith(b"/chat/completions"):
            self._complete(body, PROVIDERS["openai"])
        elif method == b"post" and path.endswith(b"/messages"):
            self._complete(body, PROVIDERS["anthropic"])
        elif method == b"post" and b":streamgeneratecontent" in path:
            self._complete(body, PROVIDERS["gemini"])
        elif path == b"/counts":
            self._write(200, json.dumps(asdict(self._upstream.counts)).encode())
        elif path == b"/release":
            self._upstream.release()
            self._write(200, b"{}")
        elif path.endswith(b"/models"):
            self._write(200, b'{"object":"list","data":[]}')
        else:
            self._write(404, b'{"error":{"message":"the mock has no such path"}}')

    def _complete(self, body: bytes, shape: ProviderShape) -> None:
        order = read_order(body)
        if order is None:
            self._write(400, b'{"error":{"message":"no tag in the prompt"}}')
        elif order[2] is None:
            self._upstream.counts.calls += 1
            tag = TAG % int(order[1])
            self._write(200, ANSWER % (tag, tag))
        else:
            self._stream = Stream(
                self._upstream,
                self._transport,
                shape,
                tag=int(order[1]),
                events=int(order[2]),
                gap=int(order[3]) / 1000,
            )

    def _write(self, status: int, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )


def _framed(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


async def listen(upstream: Upstream) -> asyncio.Server:
    """Serve on a free port of 127.0.0.1."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Connection(upstream), "127.0.0.1", 0, backlog=2048)


async def main() -> None:
    """Serve until standard input closes, that is, until the benchmark is gone."""
    server = await listen(Upstream())
    print(server.sockets[0].getsockname()[1], flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stopped.set)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
