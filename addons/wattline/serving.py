"""The sidecar as a process: signals, start-up words, exit code."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys

from wattline import __version__
from wattline.app.sidecar import Sidecar
from wattline.base.os_words import told
from wattline.base.settings import Settings, SettingsError
from wattline.base.tasks import spawn
from wattline.base.uncaught import log_unhandled
from wattline.process_log import ProcessLog
from wattline.proxy.ca import CaError
from wattline.rules.load import RulesError
from wattline.rules.unconfigured import bad_key_texts, what_calls_get, why_unconfigured
from wattline.store.base import LedgerDown
from wattline.testing.crash import Crash, marks_attempts

log = logging.getLogger(__name__)


def serve(settings: Settings) -> int:
    """Run until SIGINT or SIGTERM; the exit code."""
    try:
        return asyncio.run(_serve(settings))
    except (RulesError, SettingsError, LedgerDown, CaError) as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        sys.stderr.write(f"can't start: {told(error)}\n")
    except KeyboardInterrupt:
        return 130
    return 1


async def _serve(settings: Settings) -> int:
    env = settings.env
    sidecar = Sidecar(settings, mark_attempts=marks_attempts(env), crash=Crash.from_env(env))
    with ProcessLog(sidecar) as logs:
        return await _run(sidecar, logs)


async def _run(sidecar: Sidecar, logs: ProcessLog) -> int:
    loop = asyncio.get_running_loop()
    log_unhandled(loop)
    stops = Stops(sidecar)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stops.take, number)
    async with sidecar:
        loop.add_signal_handler(signal.SIGHUP, lambda: spawn(sidecar.books.fresh(), name="SIGHUP"))
        logs.follow_rules()
        _say_ready(sidecar)
        gc.collect()
        gc.freeze()  # what start-up made stays; no later collection needs to look at it
        await stops.first.wait()
        _say_stopping(sidecar)
    return 0


class Stops:
    """What each signal to stop does: the first lets open calls end, the second ends them, the third
    ends the process, and the next start closes what is open in the ledger.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self.first = asyncio.Event()
        self._sidecar = sidecar
        self._count = 0

    def take(self, number: int) -> None:
        """SIGINT or SIGTERM came."""
        self._count += 1
        if self._count == 1:
            self.first.set()
        elif self._count == 2:
            _say("stopping at once: open calls end with an error; once more exits without waiting")
            self._sidecar.hurry()
        else:
            os._exit(128 + number)


def _say_stopping(sidecar: Sidecar) -> None:
    grace, count = sidecar.books.current.limits.grace, sidecar.open_calls
    if not count:
        _say("stopping")
        return
    calls = "1 open call gets" if count == 1 else f"{count} open calls get"
    _say(f"stopping: {calls} up to {grace:g} s; Ctrl-C or SIGTERM again ends them at once")


def _say(message: str) -> None:
    """Into the log, and to whoever sits at the terminal, however little is logged."""
    if log.isEnabledFor(logging.INFO):
        log.info("%s", message)
    elif sys.stderr.isatty():
        sys.stderr.write(f"wattline: {message}\n")


def _say_ready(sidecar: Sidecar) -> None:
    host, port = sidecar.address
    book = sidecar.books.current
    ready = sorted(n for n, p in book.providers.items() if p.unavailable is None and not p.demo)
    log.info("wattline %s on http://%s:%d, rules %s", __version__, host, port, sidecar.books.path)
    if ready:
        log.info("providers: %s", ", ".join(ready))
        for text in bad_key_texts(book):
            log.warning("%s: its provider is skipped", text)
    else:
        log.info(
            "%s: %s. Set for example OPENAI_API_KEY and start again; `wattline check` lists all.",
            why_unconfigured(book),
            what_calls_get(book),
        )
