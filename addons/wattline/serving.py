"""The sidecar as a process: signals, start-up words, exit code."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import signal
import sys
from collections.abc import Iterable

from wattline import __version__
from wattline.app import Sidecar, secrets_of
from wattline.base.logs import set_level, set_up
from wattline.base.settings import Settings, SettingsError
from wattline.base.tasks import spawn
from wattline.proxy.ca import CaError
from wattline.rules.load import RulesError
from wattline.service.reload import Books
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
        reason = str(error)
        if error.errno == errno.EADDRINUSE:
            reason = "the port is in use: stop what listens there, or choose another (--port, PORT)"
        sys.stderr.write(f"can't start: {reason}\n")
    except KeyboardInterrupt:
        return 130
    return 1


async def _serve(settings: Settings) -> int:
    env = settings.env
    sidecar = Sidecar(settings, mark_attempts=marks_attempts(env), crash=Crash.from_env(env))
    set_up(settings.log_level or "info", lambda: _known_secrets(sidecar))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with sidecar:
        loop.add_signal_handler(signal.SIGHUP, lambda: spawn(sidecar.books.fresh(), name="SIGHUP"))
        if settings.log_level is None:
            set_level(sidecar.books.current.log_level)
        _say_ready(sidecar)
        gc.collect()
        gc.freeze()  # what start-up made stays; no later collection needs to look at it
        await stop.wait()
        log.info("stopping: open calls get up to %g s", sidecar.books.current.limits.grace)
    return 0


def _known_secrets(sidecar: Sidecar) -> Iterable[str]:
    books: Books | None = getattr(sidecar, "books", None)
    return secrets_of(books.current) if books is not None else ()


def _say_ready(sidecar: Sidecar) -> None:
    host, port = sidecar.address
    book = sidecar.books.current
    ready = sorted(n for n, p in book.providers.items() if p.unavailable is None and not p.demo)
    log.info("wattline %s on http://%s:%d, rules %s", __version__, host, port, sidecar.books.path)
    if ready:
        log.info("providers: %s", ", ".join(ready))
    else:
        log.info(
            "no provider key is set: answers come from the built-in demo provider and are made up. "
            "Set for example OPENAI_API_KEY and start again; `wattline check` lists all."
        )
