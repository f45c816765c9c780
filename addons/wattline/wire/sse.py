"""Server-sent events (WHATWG HTML, section 9.2): bytes in, whole events out, and the way back.

An event is handed on as the bytes it came in, so that a proxy can pass it on untouched; `data` and
`event_name` read it. Each blank line ends an event, also one without fields: its `data` is None.
"""

from __future__ import annotations

import re

MAX_EVENT = 8 * 1024 * 1024
"""Bytes of one event, unless told otherwise."""

_BOM = b"\xef\xbb\xbf"

# The end of a line and a blank line after it. A lone CR is a whole line end at once, so that streams
# of that style are not one event late; only after a CRLF it waits for the LF that surely follows.
_BLANK_LINE = re.compile(rb"\r\n(?:\n|\r\n|\r(?=[^\n]))|\n(?<!\r\n)[\n\r]|\r\r")
_LONGEST_END = 4


class EventTooLarge(Exception):
    """An event is larger than the decoder's bound. The stream can't be read any further."""


class EventDecoder:
    """Cuts a stream into events, at any chunk boundary, in linear time.

    A byte order mark at the start of the stream is dropped, as the standard says; all other bytes come
    out again in `feed` and `rest`.
    """

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._buffer = bytearray()
        self._scanned = 0
        self._lf_only = True
        self._fresh = True
        self._too_large = False

    def feed(self, data: bytes) -> list[bytes]:
        """The events that `data` completes, terminators included.

        Raises EventTooLarge, after the events before the large one were handed out.
        """
        if self._too_large:
            raise EventTooLarge
        if self._lf_only and b"\r" in data:
            self._lf_only = False
        if self._is_one_event(data):
            return [data]
        self._buffer += data
        if self._fresh and not self._drop_bom():
            return []
        return self._cut()

    def rest(self) -> bytes:
        """The bytes after the last whole event."""
        return bytes(self._buffer)

    def _is_one_event(self, data: bytes) -> bool:
        """What providers send most of the time: nothing is waiting, and one event comes whole."""
        return (
            self._lf_only
            and not self._buffer
            and not self._fresh
            and not data.startswith(b"\n")
            and len(b"\n\n") < data.find(b"\n\n") + 2 == len(data) <= self._max_event
        )

    def _drop_bom(self) -> bool:
        """Whether enough has come to tell that there is none (any more)."""
        if self._buffer[:3] == _BOM:
            del self._buffer[:3]
        elif len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        self._fresh = False
        return True

    def _cut(self) -> list[bytes]:
        buffer = self._buffer
        events: list[bytes] = []
        start = 0
        while start < len(buffer):
            end = self._event_end(start)
            if (len(buffer) if end < 0 else end) - start > self._max_event:
                self._too_large = True
                if not events:
                    raise EventTooLarge
                break
            if end < 0:
                break
            events.append(bytes(buffer[start:end]))
            start = end
            self._scanned = 0
        if start:
            del buffer[:start]
        self._scanned = max(0, len(buffer) - _LONGEST_END + 1)
        return events

    def _event_end(self, start: int) -> int:
        """Where the event that begins at `start` ends; -1 when that has not come yet."""
        buffer = self._buffer
        if buffer[start] in b"\r\n":
            return start + 1
        scan = start + self._scanned
        if self._lf_only:
            found = buffer.find(b"\n\n", scan)
            return found + 2 if found >= 0 else -1
        match = _BLANK_LINE.search(buffer, scan)
        return match.end() if match else -1


def data(raw: bytes) -> bytes | None:
    """What the `data` fields of an event say, joined with LF; None when it has none."""
    # The two usual forms first: a data line alone, or one event line before it.
    start = raw.find(b"\n") + 1 if raw.startswith(b"event:") else 0
    if (
        raw.startswith(b"data: ", start)
        and raw.find(b"\n", start) == len(raw) - 2
        and b"\r" not in raw
    ):
        return raw[start + 6 : -2]
    found = _fields(raw, b"data")
    return b"\n".join(found) if found else None


def event_name(raw: bytes) -> str | None:
    """The event's type; None when it has none of its own (`message`)."""
    if b"event" not in raw:
        return None
    found = _fields(raw, b"event")
    return found[-1].decode("utf-8", "replace") or None if found else None


def _fields(raw: bytes, name: bytes) -> list[bytes]:
    values = []
    for line in raw.splitlines():
        field, _, value = line.partition(b":")
        if field == name:
            values.append(value.removeprefix(b" "))
    return values


def event(payload: bytes, name: str | None = None) -> bytes:
    """An event with `payload` as its data; each line of it becomes a `data` line."""
    head = b"" if name is None else b"event: " + name.encode() + b"\n"
    lines = payload.splitlines() or [b""]
    return head + b"".join(b"data: " + line + b"\n" for line in lines) + b"\n"


DONE = event(b"[DONE]")
"""The end marker of OpenAI's streams."""
