"""Newline-delimited JSON: bytes in, whole lines out. A line keeps its terminator, so that a proxy can
pass it on untouched; `payload` reads it.
"""

from __future__ import annotations

from wattline.wire.sse import MAX_EVENT, EventTooLarge

MEDIA_TYPE = "application/x-ndjson"

_SPACE = b" \t\r\n"
_BREAKS = (
    ("\x85".encode(), b"\\u0085"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


class LineDecoder:
    """Cuts a stream into lines, at any chunk boundary, in linear time. A line ends with LF or CRLF."""

    def __init__(self, max_line: int = MAX_EVENT) -> None:
        self._max_line = max_line
        self._buffer = bytearray()
        self._too_large = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, terminators included.

        Raises EventTooLarge, after the lines before the large one were handed out.
        """
        if self._too_large:
            raise EventTooLarge
        if not self._buffer and len(data) - 1 == data.find(b"\n") < self._max_line:
            return [data] if data else []
        scanned = len(self._buffer)
        self._buffer += data
        return self._cut(scanned)

    def rest(self) -> bytes:
        """The bytes after the last whole line: at the stream's end a last line without its LF."""
        return bytes(self._buffer)

    def _cut(self, scan: int) -> list[bytes]:
        buffer = self._buffer
        lines: list[bytes] = []
        start = 0
        while start < len(buffer):
            end = buffer.find(b"\n", scan) + 1
            if (end or len(buffer)) - start > self._max_line:
                self._too_large = True
                if not lines:
                    raise EventTooLarge
                break
            if not end:
                break
            lines.append(bytes(buffer[start:end]))
            start = scan = end
        del buffer[:start]
        return lines


def payload(raw: bytes) -> bytes | None:
    """What a line says, without white space around it; None for a blank line."""
    return raw.strip(_SPACE) or None


def line(value: bytes) -> bytes:
    """A line with `value`, the JSON of an object on one line. Characters that Unicode takes for line
    breaks are escaped: clients that cut text into lines (httpx, and with it Ollama's own) break there.
    """
    for character, escape in _BREAKS:
        value = value.replace(character, escape)
    return value + b"\n"
