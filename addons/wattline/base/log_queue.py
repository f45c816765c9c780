"""Log records on their way out: a bounded queue and a thread, so that no call ever waits for a disk, or for
whoever reads our stderr.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from datetime import date, datetime
from typing import Final, Protocol, override

from wattline.base.clock import Clock
from wattline.base.logs import stamp

LIMIT: Final = 10_000
"""Records that may wait; what comes beyond is counted and dropped."""
PAUSE: Final = 0.05
"""Seconds in which lines gather: one write for all of them."""
TICK: Final = 60.0
"""Seconds between two looks at the clock, when nothing is logged."""
PARTING: Final = 3.0
"""Seconds that the last lines get at the end."""

log = logging.getLogger("wattline.logs")


class Place(Protocol):
    """Where lines go. All but `close` raise OSError."""

    name: str
    """For the words that tell of its troubles."""

    def open(self) -> None:
        """Before the first line."""
        ...

    def write(self, lines: list[tuple[float, bytes]]) -> None:
        """Add lines, each with the time when it came (seconds since 1970) and without its line break."""
        ...

    def tidy(self, now: float) -> None:
        """Once a day, at its first lines or a minute after midnight."""
        ...

    def close(self) -> None:
        """After the last line."""
        ...


class QueuedHandler(logging.Handler):
    """`dropped` counts lines that found no room in the queue, `lost` those that their place did not take."""

    def __init__(self, form: logging.Formatter, clock: Clock, limit: int = LIMIT) -> None:
        super().__init__()
        self.setFormatter(form)
        self.dropped = 0
        self.lost = 0
        self._clock, self._limit = clock, limit
        self._place: Place | None = None
        self._told = 0
        self._failing = False
        self._day: date | None = None
        self._waiting: deque[logging.LogRecord] = deque()
        self._news = threading.Event()
        self._ended = threading.Event()
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self, place: Place) -> None:
        """Open it, then write in the background what came since we were made. Raises OSError."""
        place.open()
        self._place = place
        self._thread.start()

    @override
    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock: a deque needs none."""
        if self.filter(record):
            self.emit(record)
        return True

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Queue it. Never waits, never raises."""
        if len(self._waiting) >= self._limit or os.getpid() != self._process:
            self.dropped += 1
            return
        self._waiting.append(stamp(record))
        if not self._news.is_set():
            self._news.set()

    @override
    def close(self) -> None:
        """Write what waits, for some seconds at most. Idempotent."""
        if os.getpid() != self._process:
            self._place = None  # after a fork it is the parent's
        elif not self._ended.is_set():
            self._ended.set()
            self._news.set()
            if self._thread.is_alive():
                self._thread.join(PARTING)
        super().close()

    def write_waiting(self) -> None:
        """Write what waits now; what the thread does, and tests."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(1_000, len(self._waiting)))]
            self._write([line for record in batch if (line := self._line(record)) is not None])
        if self.dropped + self.lost > self._told and not self._failing:
            self._tell_missing()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._news.wait(TICK)
            self._ended.wait(PAUSE)
            self._news.clear()
            self.write_waiting()
            self._tidy()
        self.write_waiting()
        if self._place is not None:
            self._place.close()

    def _line(self, record: logging.LogRecord) -> tuple[float, bytes] | None:
        try:
            return record.created, self.format(record).encode()
        except Exception:  # noqa: BLE001  (a line that can't be written must not end the thread)
            self.lost += 1
            return None

    def _write(self, lines: list[tuple[float, bytes]]) -> None:
        if self._place is None:
            return
        try:
            self._place.write(lines)
        except OSError as error:
            self.lost += len(lines)
            if not self._failing:
                self._failing = True
                log.error("%s can't be written: %s", self._place.name, error.strerror or error)  # noqa: TRY400
            return
        self._failing = False

    def _tell_missing(self) -> None:
        """In the file itself, where somebody may look for them."""
        missing = self.dropped + self.lost
        text = (
            f"{missing - self._told} lines are missing here: too many at once, or nobody took them"
        )
        self._told = missing
        record = logging.LogRecord(log.name, logging.WARNING, "", 0, text, None, None)
        record.created = self._clock.wall()
        line = self._line(record)
        self._write([line] if line is not None else [])

    def _tidy(self) -> None:
        """Old files go at midnight, whether something is logged or not."""
        now = self._clock.wall()
        day = datetime.fromtimestamp(now).astimezone().date()
        if self._place is None or day == self._day:
            return
        self._day = day
        try:
            self._place.tidy(now)
        except OSError as error:
            log.warning("old log files can't be deleted: %s", error.strerror or error)
