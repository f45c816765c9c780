"""The rules files that were in force, by version: what old calls were decided by. The newest are kept."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from wattline.store.reading import reading
from wattline.store.rows import Values

type Submit = Callable[[str, Values], asyncio.Future[bool]]
"""Queue a statement: the future is True at its commit when it changed a row."""

MAX_TEXT = 256 * 1024
"""Characters of a file that are kept; of a longer one nothing is."""
_NOTE = (
    "INSERT INTO books (version, at, text, available) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (version) DO UPDATE SET at = excluded.at RETURNING version"
)
_READ = "SELECT version, at, text, available FROM books ORDER BY at DESC"

_THERE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'books'"

log = logging.getLogger("wattline.store")


class BookRow(NamedTuple):
    """One file. `at` is when it was last loaded, milliseconds since 1970 UTC; `available` each provider's name, and
    why it could not be used (None: it could).
    """

    version: str
    at: int
    text: str
    available: Mapping[str, str | None]


class SqliteBooks:
    """The verb, in the ledger's file."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    def note(self, row: BookRow) -> None:
        """Queue it. Nobody waits for it: it is lost where the ledger can't be written."""
        if len(row.text) > MAX_TEXT:
            log.info(
                "the rules are too long to be kept in the ledger: past calls show what was recorded"
            )
            return
        text = row.text.encode("utf-8", "replace").decode()
        self._submit(_NOTE, (row.version, row.at, text, json.dumps(dict(row.available))))


def read_books(path: Path) -> list[BookRow]:
    """All that are kept, the newest first. Raises LedgerDown."""
    with reading(path) as connection:
        if connection.execute(_THERE).fetchone() is None:
            return []  # an older wattline left the file
        rows = connection.execute(_READ).fetchall()
    return [BookRow(version, at, text, _available(said)) for version, at, text, said in rows]


def _available(said: str) -> dict[str, str | None]:
    try:
        found = json.loads(said)
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: why for name, why in found.items() if why is None or isinstance(why, str)}
