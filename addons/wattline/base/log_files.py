"""A folder of log files: `server.YYYY-MM-DD.N.log`, a new one each day and after each 20 MB.

For one process: the folder is locked. Nothing in it but files of this name is ever touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 20_000_000
KEEP_DAYS: Final = 7
MAX_FILES: Final = 100
"""Two gigabytes: a flood of lines must not fill the disk in the days that files are kept."""
LOCK: Final = "server.lock"
_NAME: Final = re.compile(r"server\.(\d{4}-\d{2}-\d{2})\.([1-9]\d{0,8})\.log", re.ASCII)
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class LogsInUse(OSError):
    """Another process writes into this folder."""


class LogFiles:
    """`write` and `tidy` raise OSError; the next call tries again. Days are those of the local time."""

    name = "the log's file"

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = MAX_BYTES,
        keep_days: int = KEEP_DAYS,
        max_files: int = MAX_FILES,
    ) -> None:
        self.folder = folder
        self._max_bytes, self._keep_days, self._max_files = max_bytes, keep_days, max_files
        self._lock: int | None = None
        self._file: int | None = None
        self._path = folder
        self._identity = (0, 0)
        self._size = 0
        self._torn = False
        self._day: date | None = None
        self._since = self._until = 0.0

    def open(self) -> None:
        """Make the folder (0700) and lock it. Raises LogsInUse, OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.folder / LOCK, _FLAGS, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise LogsInUse(
                f"{self.folder}: another process writes its log there: stop it, or name another folder "
                "under `log: file` in rules.yaml"
            ) from None
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock

    def write(self, lines: Iterable[tuple[float, bytes]]) -> None:
        """Add lines, each with the time when it came (seconds since 1970) and without its line break."""
        ready: list[bytes] = []
        size = 0
        for created, line in lines:
            full = self._size + size + len(line) + 1 > self._max_bytes
            if self._file is None or full or not self._since <= created < self._until:
                self._flush(ready)
                size = 0
                self._turn(created, len(line) + 1)
            ready.append(line)
            size += len(line) + 1
        self._flush(ready)

    def tidy(self, now: float) -> None:
        """Delete own files that are too old, or too many; all of a day stay for `keep_days` days more."""
        oldest = _day(now) - timedelta(days=self._keep_days)
        found = sorted(self._own())
        surplus = max(0, len(found) - self._max_files)
        for index, (day, _, path) in enumerate(found):
            if (day < oldest or index < surplus) and path != self._path:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the folder back. Idempotent."""
        self._leave()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _own(self) -> Iterable[tuple[date, int, Path]]:
        for entry in os.scandir(self.folder):
            match = _NAME.fullmatch(entry.name)
            if match is None or not entry.is_file(follow_symlinks=False):
                continue
            with contextlib.suppress(ValueError):
                yield date.fromisoformat(match[1]), int(match[2]), Path(entry.path)

    def _turn(self, created: float, size: int) -> None:
        """Go on in the file for this moment that has room."""
        self._leave()
        day = _day(created)
        news = day != self._day
        numbers = [number for found, number, _ in self._own() if found == day]
        self._enter(day, max(numbers, default=1))
        if self._size and self._size + size > self._max_bytes:
            self._leave()
            self._enter(day, max(numbers, default=1) + 1)
            news = True
        if news:
            self.tidy(created)
        self._day = day
        self._since, self._until = _bounds(day)

    def _enter(self, day: date, number: int) -> None:
        path = self.folder / f"server.{day.isoformat()}.{number}.log"
        file = os.open(path, _FLAGS, 0o600)
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            os.close(file)
            raise OSError(f"{path} is no file")
        self._file, self._path, self._size = file, path, status.st_size
        self._identity = status.st_dev, status.st_ino
        self._torn = self._size > 0 and os.pread(file, 1, self._size - 1) != b"\n"

    def _flush(self, ready: list[bytes]) -> None:
        if not ready:
            return
        self._follow()
        assert self._file is not None  # noqa: S101  (`write` opened it)
        data = (b"\n" if self._torn else b"") + b"\n".join(ready) + b"\n"
        ready.clear()
        while data:
            self._torn = True  # until all of it is written
            count = os.write(self._file, data)
            self._size += count
            data = data[count:]
        self._torn = False

    def _follow(self) -> None:
        """Somebody may have taken the file away: then a new one is made in its place."""
        try:
            status = self._path.lstat()
            gone = (status.st_dev, status.st_ino) != self._identity
        except FileNotFoundError:
            gone = True
        if gone and self._day is not None:
            number = int(self._path.name.split(".")[2])
            self._leave()
            self._enter(self._day, number)

    def _leave(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _day(moment: float) -> date:
    return datetime.fromtimestamp(moment).astimezone().date()


def _bounds(day: date) -> tuple[float, float]:
    """Its first moment, and the next day's."""
    following = day + timedelta(days=1)
    return (
        datetime(day.year, day.month, day.day).astimezone().timestamp(),
        datetime(following.year, following.month, following.day).astimezone().timestamp(),
    )
