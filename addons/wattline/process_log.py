"""The log of a sidecar that is a process of its own: stderr and files, levels, uncaught exceptions."""

from __future__ import annotations

import logging
from typing import Self

from wattline.app.sidecar import Sidecar
from wattline.base.clock import SystemClock
from wattline.base.key_hash import KeyHash
from wattline.base.log_files import LogFiles, LogsInUse
from wattline.base.log_queue import QueuedHandler
from wattline.base.logs import (
    JsonFormatter,
    default_level,
    send_also_to,
    send_no_more_to,
)
from wattline.base.stderr_log import StderrLog
from wattline.base.uncaught import log_uncaught
from wattline.rules.log_choice import log_choice, log_format

log = logging.getLogger("wattline.process")


class ProcessLog:
    """`with ProcessLog(sidecar) as logs:`, and `logs.follow_rules()` once the rules are known. What was
    logged before comes into the file too. Raises SettingsError.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        env = sidecar.settings.env
        known = KeyHash.from_env(env)
        hide = None if known is None else known.hide
        level = sidecar.settings.log_level or default_level(env)
        self._stderr = StderrLog(level, sidecar.secrets, log_format(env) or "text", hide)
        self._files = QueuedHandler(JsonFormatter(sidecar.secrets, hide), SystemClock())

    def __enter__(self) -> Self:
        self._stderr.__enter__()
        send_also_to(self._files)
        self._hooks = log_uncaught()
        return self

    def __exit__(self, *_: object) -> None:
        send_no_more_to(self._files)
        self._files.close()
        self._stderr.__exit__()
        self._hooks.put_back()

    def follow_rules(self) -> None:
        """Log as rules.yaml has it. Raises LogsInUse; a folder that can't be used otherwise is told of."""
        settings = self._sidecar.settings
        rules = self._sidecar.books.current.log
        choice = log_choice(rules, settings.log_level, settings.env, settings.state)
        self._stderr.change(choice.level, choice.format)
        self._sidecar.log_missing = self._missing
        if choice.folder is None:
            send_no_more_to(self._files)
            return
        try:
            self._files.start(LogFiles(choice.folder))
        except LogsInUse:
            raise
        except OSError as error:
            send_no_more_to(self._files)
            log.error("no log file: %s: %s", choice.folder, error.strerror or error)  # noqa: TRY400
            return

    def _missing(self) -> int:
        return self._files.dropped + self._files.lost + self._stderr.missing
