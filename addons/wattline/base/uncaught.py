"""Exceptions that nobody caught: into the log, and the process goes on where it can (A-011)."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from dataclasses import dataclass
from typing import Any, Final

UNCAUGHT: Final = "[UNCAUGHT EXCEPTION]"
UNHANDLED: Final = "[UNHANDLED REJECTION]"

log = logging.getLogger("wattline.process")


@dataclass(frozen=True, slots=True)
class Hooks:
    """What was in place before."""

    main: Any
    thread: Any
    unraisable: Any

    def put_back(self) -> None:
        """Use them again."""
        sys.excepthook = self.main
        threading.excepthook = self.thread
        sys.unraisablehook = self.unraisable


def log_uncaught() -> Hooks:
    """From now on those of the main thread, of other threads, and of what can't raise (`__del__`)."""
    before = Hooks(sys.excepthook, threading.excepthook, sys.unraisablehook)
    sys.excepthook = _of_main
    threading.excepthook = _of_thread
    sys.unraisablehook = _unraisable
    return before


def log_unhandled(loop: asyncio.AbstractEventLoop) -> None:
    """From now on those of tasks and callbacks whose result nobody asked for."""
    loop.set_exception_handler(_of_loop)


def _of_main(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if not issubclass(kind, Exception):
        sys.__excepthook__(kind, error, trace)
        return
    log.error("%s %s", UNCAUGHT, kind.__name__, exc_info=(kind, error, trace))


def _of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit or args.exc_value is None:
        return
    found = args.exc_type, args.exc_value, args.exc_traceback
    name = "?" if args.thread is None else args.thread.name
    log.error("%s %s in thread %s", UNCAUGHT, args.exc_type.__name__, name, exc_info=found)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    kind = args.exc_type.__name__
    found = None if args.exc_value is None else (args.exc_type, args.exc_value, args.exc_traceback)
    log.error("%s %s: %s", UNCAUGHT, kind, args.err_msg or "in a finaliser", exc_info=found)


def _of_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A broken connection is no bug: it is told as what it is."""
    error = context.get("exception")
    text = str(context.get("message", "an error in the event loop"))
    if isinstance(error, ConnectionError | TimeoutError):
        log.warning("%s: %s", text, type(error).__name__)
        return
    found = (type(error), error, error.__traceback__) if isinstance(error, BaseException) else None
    log.error("%s %s", UNHANDLED, text, exc_info=found)
