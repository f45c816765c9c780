"""A file of JSON lines that is bounded: rotated by size, read from its end, whatever is in it. Blocking I/O."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

BLOCK = 64 * 1024
MAX_LINE = 64 * 1024
"""Bytes. A longer line is none of ours."""

_decode = msgspec.json.Decoder().decode


class JsonLines:
    """One file and the ones before it: `name`, `name.1`, `name.2`, … The newest line is the last of `name`."""

    def __init__(self, path: Path, max_bytes: int, older: int = 1) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._older = older

    def append(self, lines: Sequence[bytes]) -> None:
        """Add whole lines, each with its line feed. Raises OSError."""
        data = b"".join(lines)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.size() + len(data) > self._max_bytes:
            self._rotate()
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.path, flags, 0o600)
        try:
            if _is_cut(descriptor):
                data = b"\n" + data
            _write(descriptor, data)
        finally:
            os.close(descriptor)

    def size(self) -> int:
        """Bytes of the newest file; 0 when there is none."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def lines(self, most: int) -> Iterator[bytes]:
        """The last lines of all files, the newest first, empty ones left out. What can't be read ends it."""
        left = most
        for path in self._files():
            if left <= 0:
                return
            try:
                for line in _backwards(path):
                    yield line
                    left -= 1
                    if left <= 0:
                        return
            except OSError:
                return

    def records(self, most: int) -> Iterator[dict[str, Any] | None]:
        """The last lines as objects, the newest first; None for a line that is none."""
        return (read_record(line) for line in self.lines(most))

    def _files(self) -> Iterator[Path]:
        yield self.path
        for number in range(1, self._older + 1):
            older = self._numbered(number)
            if not older.exists():
                return
            yield older

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _rotate(self) -> None:
        if not self.path.exists():
            return
        for number in range(self._older, 1, -1):
            before = self._numbered(number - 1)
            if before.exists():
                before.replace(self._numbered(number))
        if self._older:
            self.path.replace(self._numbered(1))
        else:
            self.path.unlink()


def read_record(line: bytes) -> dict[str, Any] | None:
    """A line as an object; None when it is none."""
    if len(line) > MAX_LINE:
        return None
    try:
        found = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_cut(descriptor: int) -> bool:
    """The last line has no line feed: a process died while it wrote."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _backwards(path: Path) -> Iterator[bytes]:
    """The lines of a file from its end. Of one that is too long, only a part is given, so that it is seen."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    try:
        end = os.fstat(descriptor).st_size
        tail = b""
        while end > 0:
            start = max(end - BLOCK, 0)
            block = os.pread(descriptor, end - start, start)
            end = start if block else 0
            first, *whole = (block + tail).split(b"\n")
            yield from (line for line in reversed(whole) if line.strip())
            tail = first[: MAX_LINE + 1]
        if tail.strip():
            yield tail
    finally:
        os.close(descriptor)
