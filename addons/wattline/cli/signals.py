"""Signals of a parent that only stands in for its child."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Iterator

FROM_KEYS = (signal.SIGINT, signal.SIGQUIT)
"""Keys send these to every process of the foreground group, so the child has them already."""
FORWARDED = (*FROM_KEYS, signal.SIGTERM, signal.SIGHUP)


class Forwarder:
    """Hands the signals that we get to the child. Those that come before there is one wait for it;
    once it has ended, the next one ends us at once: what is still open in the ledger is closed by the
    next start.
    """

    def __init__(self) -> None:
        self._child: Process | None = None
        self._waiting: list[signal.Signals] = []

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals over. Do it before the child starts: one that kills us orphans it."""
        loop = asyncio.get_running_loop()
        for number in FORWARDED:
            loop.add_signal_handler(number, self._deliver, number)
        try:
            yield
        finally:
            for number in FORWARDED:
                loop.remove_signal_handler(number)

    def start(self, child: Process) -> None:
        """The child is there."""
        self._child = child
        for number in self._waiting:
            self._send(child, number)

    def _deliver(self, number: signal.Signals) -> None:
        if self._child is None:
            self._waiting.append(number)
        elif self._child.returncode is not None:
            os._exit(128 + number)
        elif number not in FROM_KEYS or not in_foreground():
            self._send(self._child, number)

    @staticmethod
    def _send(child: Process, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(number)


def in_foreground() -> bool:
    """Whether we are in the group that a terminal's keys reach."""
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            return os.tcgetpgrp(descriptor) == os.getpgrp()
    return False
