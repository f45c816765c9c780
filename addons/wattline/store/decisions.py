"""Calls that no attempt was made of: what was decided and why they ended. The newest are kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from wattline.store.base import BadRow, Refused
from wattline.store.rows import REFUSED, Values, refused_values

type Submit = Callable[[str, Values], asyncio.Future[bool]]
"""Queue a statement: the future is True at its commit when it changed a row."""

_NOTE = (
    f"INSERT INTO decisions ({', '.join(REFUSED)}) VALUES ({', '.join('?' * len(REFUSED))})"  # noqa: S608 - constants
    " RETURNING principal"
)

log = logging.getLogger("wattline.store")


class SqliteDecisions:
    """The verb, in the ledger's file."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    def note(self, row: Refused) -> None:
        """Queue it. Nobody waits for it: it is lost where the ledger can't be written."""
        try:
            self._submit(_NOTE, refused_values(row))
        except BadRow as error:
            log.warning("a refused call is not noted: %s", error)
