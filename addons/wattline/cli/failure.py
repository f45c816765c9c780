"""How the command line ends when something went wrong: a line or two, and an exit code."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

FAILED = 1
USAGE = 2
RUN_FAILED = 125
"""`wattline run` itself failed: as with env(1) and timeout(1), the child's codes stay its own."""
NOT_EXECUTABLE = 126
NOT_FOUND = 127
BY_SIGNAL = 128
"""Plus the signal's number: the child was killed by it."""


class Failure(Exception):
    """What the user is told, and the exit code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


def say(message: str) -> None:
    """One of wattline's own lines, beside the output of commands."""
    sys.stderr.write(f"wattline: {message}\n")
    sys.stderr.flush()


def end(error: Exception, code: int = FAILED) -> NoReturn:
    """Tell of `error` and exit: with its message if it is meant for users, else as a bug.

    `WATTLINE_TRACEBACK=1` shows where it came from.
    """
    if os.environ.get("WATTLINE_TRACEBACK"):
        raise error
    if isinstance(error, Failure):
        say(str(error))
        sys.exit(error.code)
    say(_message(error))
    sys.exit(code)


def _message(error: Exception) -> str:
    from wattline.base.os_words import told
    from wattline.base.settings import SettingsError
    from wattline.rules.problems import RulesError
    from wattline.store.base import LedgerDown

    if isinstance(error, RulesError):
        return f"the rules can't be used:\n{error}"
    if isinstance(error, SettingsError | LedgerDown) or type(error).__name__ == "CaError":
        return str(error)
    if isinstance(error, OSError):
        return told(error)
    return (
        f"this is a bug: {type(error).__name__}: {error}\n"
        "Set WATTLINE_TRACEBACK=1 to see where, and report it."
    )
