"""Standard error as the place of the log, for processes that serve: whoever reads it slowly, or not at all, stops
no call.
"""

from __future__ import annotations

import logging
import os
import select
import sys
from typing import Final, Self

from wattline.base.clock import SystemClock
from wattline.base.log_queue import QueuedHandler
from wattline.base.logs import Hide, Secrets, formatter, set_level, set_up

PATIENCE: Final = 1.0
"""Seconds that a reader which does not block its writers gets to take what it has."""


class StderrLines:
    """Writes to the descriptor: a thread that hangs in Python's own stream would hold its lock, and the
    interpreter could not end. See `log_queue.Place`.
    """

    name = "stderr"

    def __init__(self, descriptor: int, encoding: str) -> None:
        self._descriptor, self._encoding = descriptor, encoding

    def open(self) -> None:
        """It is open."""

    def write(self, lines: list[tuple[float, bytes]]) -> None:
        """All lines at once. Raises OSError."""
        text = b"".join(line + b"\n" for _, line in lines).decode()
        rest = memoryview(text.encode(self._encoding, "backslashreplace"))
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                if not select.select([], [self._descriptor], [], PATIENCE)[1]:
                    raise

    def tidy(self, now: float) -> None:
        """Nothing of it is old."""

    def close(self) -> None:
        """It stays open: it is the process's."""


class StderrLog:
    """`with StderrLog(level, secrets):`. Afterwards records go to stderr directly."""

    def __init__(
        self, level: str, secrets: Secrets, form: str = "text", hide: Hide | None = None
    ) -> None:
        self._level, self._secrets, self._hide = level, secrets, hide
        self._form = formatter(form, secrets, hide)
        self._queued: QueuedHandler | None = None

    def __enter__(self) -> Self:
        descriptor = _descriptor()
        if descriptor is None:
            set_up(self._level, self._direct())
            return self
        self._queued = QueuedHandler(self._form, SystemClock())
        set_up(self._level, self._queued)
        self._queued.start(StderrLines(descriptor, sys.stderr.encoding))
        return self

    def __exit__(self, *_: object) -> None:
        queued, self._queued = self._queued, None
        if queued is not None:
            queued.close()  # first, so that what it says of a stderr that is gone does not go there
            set_up(self._level, self._direct())

    @property
    def missing(self) -> int:
        """Lines that nobody has seen."""
        return 0 if self._queued is None else self._queued.dropped + self._queued.lost

    def change(self, level: str, form: str) -> None:
        """From which level on our records are shown from now on, and how they look: `text` or `json`."""
        self._level = level
        set_level(level)
        self._form = formatter(form, self._secrets, self._hide)
        if self._queued is not None:
            self._queued.setFormatter(self._form)

    def _direct(self) -> logging.Handler:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(self._form)
        return handler


def _descriptor() -> int | None:
    """None where somebody has put another stream in its place."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return None
