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


@contextlib.contextmanager
def forwarding(child: Process) -> Iterator[None]:
    """Hand the signals that we get to the child. Once it has ended, the next one ends us at once:
    what is still open in the ledger is closed by the next start.
    """
    loop = asyncio.get_running_loop()

    def deliver(number: signal.Signals) -> None:
        if child.returncode is not None:
            os._exit(128 + number)
        if number in FROM_KEYS and in_foreground():
            return
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(number)

    for number in FORWARDED:
        loop.add_signal_handler(number, deliver, number)
    try:
        yield
    finally:
        for number in FORWARDED:
            loop.remove_signal_handler(number)


def in_foreground() -> bool:
    """Whether we are in the group that a terminal's keys reach."""
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            return os.tcgetpgrp(descriptor) == os.getpgrp()
    return False
