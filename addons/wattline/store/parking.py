"""Providers and models that an operator switched off until further notice: they stay off over restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wattline.store.base import BadRow
from wattline.store.reading import reading
from wattline.store.rows import MAX_ID, MAX_TEXT, Values

type Submit = Callable[[str, Values], asyncio.Future[bool]]
"""Queue a statement: the future is True at its commit when it changed a row."""

_PARK = (
    "INSERT INTO parked (provider, model, at, by, reason) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (provider, model) DO UPDATE SET at = excluded.at, by = excluded.by,"
    " reason = excluded.reason RETURNING provider"
)
_UNPARK = "DELETE FROM parked WHERE provider = ? AND model = ? RETURNING provider"
_READ = "SELECT provider, model, at, by, reason FROM parked ORDER BY provider, model"


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """One that is off. `model` is empty for the whole provider; `at` is milliseconds since 1970 UTC, `by`
    the principal who did it.
    """

    provider: str
    model: str
    at: int
    by: str
    reason: str


class SqliteParking:
    """The verbs, in the ledger's file. `done` of each is called at its commit, in the order of commits."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    async def park(self, row: ParkedRow, done: Callable[[], None]) -> None:
        """Write it, or other words for one that is off already. Raises LedgerDown, BadRow."""
        for text, most in ((row.provider, MAX_ID), (row.model, MAX_TEXT), (row.reason, MAX_TEXT)):
            _check(text, most)
        values = (row.provider, row.model, row.at, row.by, row.reason)
        await self._write(_PARK, values, done)

    async def unpark(self, provider: str, model: str, done: Callable[[], None]) -> bool:
        """Forget it; False when it was not off. Raises LedgerDown."""
        return await self._write(_UNPARK, (provider, model), done)

    async def _write(self, sql: str, values: Values, done: Callable[[], None]) -> bool:
        written = self._submit(sql, values)

        def committed(future: asyncio.Future[bool]) -> None:
            if not future.cancelled() and future.exception() is None and future.result():
                done()

        written.add_done_callback(committed)
        # A caller that leaves must not take the note of a commit with it.
        return await asyncio.shield(written)


def read_parked(path: Path) -> list[ParkedRow]:
    """All that are off. Raises LedgerDown."""
    with reading(path) as connection:
        return [ParkedRow(*row) for row in connection.execute(_READ)]


def _check(text: str, most: int) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRow("a text has half of a character") from None
    if len(text) > most:
        raise BadRow(f"a text must have at most {most} characters")
