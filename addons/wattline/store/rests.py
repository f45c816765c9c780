"""Accounts at providers that rest, so that they go on resting after a restart. One row each, written when a rest begins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from wattline.store.reading import reading
from wattline.store.rows import MAX_TEXT, Values

type Submit = Callable[[str, Values], asyncio.Future[bool]]
"""Queue a statement: the future is True at its commit when it changed a row."""

_NOTE = (
    "INSERT INTO rests (account, at, until, reason, limited, book, key) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (account) DO UPDATE SET at = excluded.at, until = excluded.until,"
    " reason = excluded.reason, limited = excluded.limited, book = excluded.book, key = excluded.key"
    " RETURNING account"
)
_CLEAR = "DELETE FROM rests RETURNING account"
_FORGET = "DELETE FROM rests WHERE account = ? RETURNING account"
_READ = "SELECT account, at, until, reason, limited, book, key FROM rests WHERE until > ?"

log = logging.getLogger("wattline.store")


class RestRow(NamedTuple):
    """One rest. Times are milliseconds since 1970 UTC; `limited`: the provider itself asked to wait. `book` is the
    version of the rules, `key` a mark of the provider's key, too short to find the key by.
    """

    account: str
    at: int
    until: int
    reason: str
    limited: bool
    book: str
    key: str


class SqliteRests:
    """The verbs, in the ledger's file. Nobody waits for them: they are lost where it can't be written."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    def note(self, row: RestRow) -> None:
        """Queue it, in place of an earlier one of the account."""
        if len(row.account) > MAX_TEXT or not row.account.isprintable():
            log.warning("a rest is not noted: its account has no name that can be kept")
            return
        self._submit(_NOTE, row)

    def forget(self, account: str) -> None:
        """It does not rest any more."""
        self._submit(_FORGET, (account,))

    def clear(self) -> None:
        """Forget all of them."""
        self._submit(_CLEAR, ())


def read_rests(path: Path, wall: int) -> list[RestRow]:
    """Those that last beyond `wall`, milliseconds since 1970 UTC. Raises LedgerDown."""
    with reading(path) as connection:
        rows = connection.execute(_READ, (wall,)).fetchall()
    return [RestRow(*row)._replace(limited=bool(row[4])) for row in rows]
