"""A part of a file, with bounds on how much is read from it: a hostile file ends the reading, not us."""

from __future__ import annotations

import errno
import io
from typing import IO

MAX_READS = 400_000
MAX_BLOCK = 1024 * 1024
"""Bytes of one read; headers are far smaller."""
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of all reads."""


class Exhausted(Exception):
    """The file takes more reading than any honest one."""


class Excerpt:
    """The bytes `start` to `end` of a file, as a file. Nobody else may read the file meanwhile."""

    def __init__(self, file: IO[bytes], start: int, end: int) -> None:
        self.size = max(0, end - start)
        self._file = file
        self._start = start
        self._at = 0
        self._reads = MAX_READS
        self._bytes = MAX_BYTES

    def read_at(self, position: int, size: int) -> bytes:
        """Up to `size` bytes from a position; none past the end. Raises Exhausted, OSError."""
        self._at = position
        return self.read(size)

    def read(self, size: int = -1, /) -> bytes:
        """As a file's `read`. Raises Exhausted, OSError."""
        left = self.size - self._at
        size = left if size < 0 else min(size, left)
        self._reads -= 1
        self._bytes -= max(size, 0)
        if size > MAX_BLOCK or self._reads < 0 or self._bytes < 0:
            raise Exhausted
        if size <= 0:
            return b""
        self._file.seek(self._start + self._at)
        data = self._file.read(size)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As a file's `seek`. Raises Exhausted, OSError."""
        self._reads -= 1
        if self._reads < 0:
            raise Exhausted
        at = (0, self._at, self.size)[whence] + offset
        if at < 0:
            raise OSError(errno.EINVAL, "there is nothing before the start")
        self._at = at
        return at

    def tell(self) -> int:
        """The position."""
        return self._at
