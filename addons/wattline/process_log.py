"""The log of a sidecar that is a process of its own: stderr and files, levels, uncaught exceptions."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Self

from wattline.app import Sidecar, secrets_of
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
from wattline.rules.book import Book
from wattline.rules.log_choice import log_choice, log_format
from wattline.service.accounts.master import operator_secrets
from wattline.service.accounts.own_keys import OwnKeys
from wattline.service.reload import Books
from wattline.web.server import WebFace

log = logging.getLogger("wattline.process")


class ProcessLog:
    """`with ProcessLog(sidecar) as logs:`, and `logs.follow_rules()` once the rules are known. What was
    logged before comes into the file too. Raises SettingsError.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._secrets = KnownSecrets(sidecar)
        env = sidecar.settings.env
        known = KeyHash.from_env(env)
        self._hide = None if known is None else known.hide
        self._files = FileHandler(JsonFormatter(self._secrets, self._hide), SystemClock())
        self._level = sidecar.settings.log_level or default_level(env)
        self._format = log_format(env) or "text"

    def __enter__(self) -> Self:
        set_up(self._level, self._secrets, self._format, self._hide)
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


class KnownSecrets:
    """What no line may show, asked for each line and gathered anew only when the rules are others."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._book: Book | None = None
        self._known: tuple[str, ...] = tuple(operator_secrets(sidecar.settings.env))

    def __call__(self) -> Iterable[str]:
        """All of them, with what is open only now: keys of users whose calls are under way."""
        logins: OwnKeys | None = getattr(self._sidecar, "own_keys", None)
        return self._lasting() if logins is None else (*self._lasting(), *logins.secrets())

    def _lasting(self) -> tuple[str, ...]:
        books: Books | None = getattr(self._sidecar, "books", None)
        web: WebFace | None = getattr(self._sidecar, "web", None)
        if books is None or books.current is self._book:
            return self._known
        own = () if web is None else (web.secret, *self._sidecar.token_secret.shown())
        operators = operator_secrets(self._sidecar.settings.env)
        found = dict.fromkeys((*secrets_of(books.current), *own, *operators))
        if web is not None:  # before that more is to come
            self._book = books.current
            self._known = tuple(found)
        return tuple(found)
