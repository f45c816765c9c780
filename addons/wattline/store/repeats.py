"""Which requests were made under which Idempotency-Key: so that a restart doubles nothing.

Rules of this file. Nothing of a request or an answer is here but digests. A claim is one statement, so of
two requests with one key one gets it. A row outlives the process; its answer, in memory, does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from wattline.store.reading import reading
from wattline.store.rows import Values

type Submit = Callable[[str, Values], asyncio.Future[bool]]
"""Queue a statement: the future is True at its commit when it changed a row."""

CLEANED: Final = 1_000
"""Most rows that are deleted at once: more would hold up other writes."""

_CLAIM = """
INSERT INTO repeats (scope, key, request, state, at) VALUES (?1, ?2, ?3, 'running', ?4)
ON CONFLICT (scope, key) DO UPDATE SET request = ?3, state = 'running', at = ?4
WHERE repeats.at <= ?5 OR ?6 RETURNING scope"""
_DONE = "UPDATE repeats SET state = 'done' WHERE scope = ? AND key = ? RETURNING scope"
_FREE = "DELETE FROM repeats WHERE scope = ? AND key = ? RETURNING scope"
_CLEAN = f"""
DELETE FROM repeats WHERE (scope, key) IN
    (SELECT scope, key FROM repeats WHERE at <= ? ORDER BY at LIMIT {CLEANED})"""  # noqa: S608 - a constant
_FIND = "SELECT request, state FROM repeats WHERE scope = ? AND key = ? AND at > ?"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A request under a key. All but `at` (milliseconds since 1970 UTC) are digests in hex, `scope` of who
    asks.
    """

    scope: str
    key: str
    request: str
    at: int


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of the first request with a key. `running`: its process ended before it did."""

    request: str
    state: Literal["running", "done"]


class Repeats:
    """The verbs. Their futures raise LedgerDown."""

    def __init__(self, submit: Submit, path: Path) -> None:
        self._submit, self._path = submit, path

    def claim(self, repeat: Repeat, expired: int, *, again: bool = False) -> asyncio.Future[bool]:
        """Write the row; True at its commit, False when another request has the key since after `expired`.
        `again`: the key was free, whatever a row says.
        """
        values = (repeat.scope, repeat.key, repeat.request, repeat.at, expired, 1 if again else 0)
        return self._submit(_CLAIM, values)

    def done(self, repeat: Repeat) -> asyncio.Future[bool]:
        """The request is over and counts."""
        return self._submit(_DONE, (repeat.scope, repeat.key))

    def free(self, repeat: Repeat) -> asyncio.Future[bool]:
        """The request came to nothing: its key may be used again."""
        return self._submit(_FREE, (repeat.scope, repeat.key))

    def clean(self, expired: int) -> asyncio.Future[bool]:
        """Delete rows that are that old, the oldest first, `CLEANED` at most."""
        return self._submit(_CLEAN, (expired,))

    def find(self, repeat: Repeat, expired: int) -> Earlier | None:
        """The row under a key, unless it is that old. Blocking. Raises LedgerDown."""
        with reading(self._path) as connection:
            row = connection.execute(_FIND, (repeat.scope, repeat.key, expired)).fetchone()
        return None if row is None else Earlier(*row)


__all__ = ["CLEANED", "Earlier", "Repeat", "Repeats"]
