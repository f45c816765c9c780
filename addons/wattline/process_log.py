"""The log of a sidecar that is a process of its own: stderr and files, levels, uncaught exceptions."""

from __future__ import annotations

import logging
from typing import Self

from wattline.app.sidecar import Sidecar
from wattline.base.clock import SystemClock
from wattline.base.key_hash import KeyHash
from wattline.base.log_files import LogFiles, LogsInUse
from wattline.base.log_queue import FileHandler
from wattline.base.logs import (
    JsonFormatter,
    default_level,
    send_also_to,
    send_no_more_to,
    set_format,
    set_level,
    set_up,
)
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
        self._hide = None if known is None else known.hide
        self._files = FileHandler(JsonFormatter(sidecar.secrets, self._hide), SystemClock())
        self._level = sidecar.settings.log_level or default_level(env)
        self._format = log_format(env) or "text"

    def __enter__(self) -> Self:
        set_up(self._level, self._sidecar.secrets, self._format, self._hide)
        send_also_to(self._files)
        self._hooks = log_uncaught()
        return self

    def __exit__(self, *_: object) -> None:
        send_no_more_to(self._files)
        self._files.close()
        self._hooks.put_back()

    def follow_rules(self) -> None:
        """Log as rules.yaml has it. Raises LogsInUse; a folder that can't be used otherwise is told of."""
        settings = self._sidecar.settings
        rules = self._sidecar.books.current.log
        choice = log_choice(rules, settings.log_level, settings.env, settings.state)
        set_level(choice.level)
        set_format(choice.format)
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
        self._sidecar.log_missing = lambda: self._files.dropped + self._files.lost
