"""Logging to stderr: one line a record, no control characters, no secret."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable

LEVELS = ("debug", "info", "warn", "warning", "error", "silent")
MIN_SECRET = 8
"""Shorter values are no secrets worth hiding, and would garble ordinary words."""


class SafeFormatter(logging.Formatter):
    """Replaces known secrets and escapes control characters (log injection, terminal escapes)."""

    def __init__(self, secrets: Callable[[], Iterable[str]]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self.secrets = secrets
        self._second = -1
        self._time = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  (the base's)
        """As the base does, once a second: a line is written for every call."""
        second = int(record.created)
        if second != self._second:
            self._second, self._time = second, super().formatTime(record, datefmt)
        return self._time

    def format(self, record: logging.LogRecord) -> str:
        """The record as safe text; a traceback keeps its lines, indented."""
        text = super().format(record)
        for secret in self.secrets():
            if len(secret) >= MIN_SECRET and secret in text:
                text = text.replace(secret, "[redacted]")
        lines = [_escape(line) for line in text.split("\n")]
        return "\n    ".join(lines)


def set_up(level: str, secrets: Callable[[], Iterable[str]]) -> None:
    """Send wattline's records and other libraries' warnings to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SafeFormatter(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    set_level(level)
    # Ours go straight to the handler: mitmproxy puts further ones on the root, for its own pages.
    ours = logging.getLogger("wattline")
    ours.handlers[:] = [handler]
    ours.propagate = False
    for noisy in ("mitmproxy.proxy.server", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def set_level(level: str) -> None:
    """From which level on wattline's own records are shown."""
    logging.getLogger("wattline").setLevel(_number(level))


def _number(level: str) -> int:
    if level == "silent":
        return logging.CRITICAL + 1
    return logging.getLevelNamesMapping()[level.upper()]


def _escape(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in line)
