"""Just enough HTTP/1.1 to take messages off a connection: Content-Length, chunked, until close.

Shared by the load generator and the mock. It is small so that neither is what gets measured; it
judges framing only as far as the benchmark needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

MAX_HEAD = 65_536


class Broken(Exception):
    """The bytes are no HTTP/1.1 message."""


class Part(NamedTuple):
    """A stretch of a message: its head (start line and headers, lower case), some of its body,
    and whether the message ends here.
    """

    head: bytes
    payload: bytes
    last: bool


class Body(Protocol):
    """Takes the bytes after a head apart. `rest` is what follows the body once it is `done`."""

    done: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes:
        """The payload in `data`. Raises Broken."""
        ...


class LengthBody:
    """A body of a known number of bytes."""

    __slots__ = ("_left", "done", "rest")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """All of `data` up to the length."""
        left = self._left
        if len(data) < left:
            self._left = left - len(data)
            return data
        self.done = True
        self.rest = data[left:]
        return data[:left] if self.rest else data


class ChunkedBody:
    """A body in the chunked transfer coding (RFC 9112, 7.1); trailers are dropped."""

    __slots__ = ("_held", "done", "rest")

    def __init__(self) -> None:
        self._held = b""
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """The payload of the chunks that are complete in what was fed so far."""
        data = self._held + data if self._held else data
        payload: list[bytes] = []
        at = 0
        while (line := data.find(b"\r\n", at)) >= 0:
            size = _chunk_size(data[at:line])
            if size == 0:
                end = data.find(b"\r\n\r\n", line)
                if end < 0:
                    break
                self.done, self.rest, self._held = True, data[end + 4 :], b""
                return b"".join(payload)
            end = line + 2 + size
            if len(data) < end + 2:
                break
            if data[end : end + 2] != b"\r\n":
                raise Broken(f"a chunk of {size} bytes does not end where it says")
            payload.append(data[line + 2 : end])
            at = end + 2
        self._held = data[at:]
        return b"".join(payload)


class OpenBody:
    """A body that ends with its connection; the reader's owner sees that end."""

    __slots__ = ("done", "rest")

    def __init__(self) -> None:
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """All of it."""
        return data


class Reader:
    """Splits what one connection receives into parts of messages."""

    __slots__ = ("_answers", "_body", "_head", "_held")

    def __init__(self, *, answers: bool) -> None:
        """`answers`: messages without a length run until close; requests without one are empty."""
        self._answers = answers
        self._held = b""
        self._head = b""
        self._body: Body | None = None

    def feed(self, data: bytes) -> Iterator[Part]:
        """The parts in `data`. Raises Broken."""
        while data or self._body is not None:
            if self._body is None:
                data = self._held + data if self._held else data
                end = data.find(b"\r\n\r\n")
                if end < 0:
                    if len(data) > MAX_HEAD:
                        raise Broken(f"no end of the head in {MAX_HEAD} bytes")
                    self._held = data
                    return
                self._held = b""
                self._head = data[: end + 2].lower()
                self._body = _body(self._head, answers=self._answers)
                data = data[end + 4 :]
            body = self._body
            payload = body.feed(data)
            if not body.done:
                yield Part(self._head, payload, last=False)
                return
            self._body = None
            data = body.rest
            yield Part(self._head, payload, last=True)


def header(head: bytes, name: bytes) -> bytes | None:
    """The value of a header in a lower-case head; None when it is not there."""
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        return None
    start = at + len(name) + 3
    return head[start : head.index(b"\r\n", start)].strip()


def _body(head: bytes, *, answers: bool) -> Body:
    length = header(head, b"content-length")
    if length is not None:
        if not length.isdigit():
            raise Broken(f"content-length is {length!r}")
        return LengthBody(int(length))
    if header(head, b"transfer-encoding") == b"chunked":
        return ChunkedBody()
    return OpenBody() if answers else LengthBody(0)


def _chunk_size(line: bytes) -> int:
    digits = line.split(b";", 1)[0].strip()
    if not digits or digits.strip(b"0123456789abcdefABCDEF"):
        raise Broken(f"chunk size is {line[:20]!r}")
    return int(digits, 16)
