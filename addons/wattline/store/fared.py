"""How the attempts of the last hour ended, for the health of their targets after a restart. Read-only."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from wattline.store.base import State
from wattline.store.reading import reading

MOST = 20_000
"""Attempts that are looked at: the newest."""
_FARED = f"""
SELECT * FROM (
    SELECT settled_at, provider, model, state, error, first_byte_ms, total_ms, book FROM attempts
    WHERE at >= ? AND state IN ('complete', 'failed', 'truncated')
        AND NOT EXISTS (SELECT 1 FROM json_each(flags) WHERE value IN ('own_key', 'drill', 'excluded'))
    ORDER BY seq DESC LIMIT {MOST}
) ORDER BY settled_at
"""  # noqa: S608 - the only text put in is a constant of this file


class Fared(NamedTuple):
    """One attempt. `at` is milliseconds since 1970 UTC, when it ended; `book` the version of the rules that it was under."""

    at: int
    provider: str
    model: str
    state: State
    error: str | None
    first_byte_ms: int | None
    total_ms: int | None
    book: str | None = None

    @property
    def began(self) -> int:
        """Milliseconds since 1970 UTC."""
        return self.at - (self.total_ms or 0)


def fared_since(path: Path, since: int) -> list[Fared]:
    """Attempts from `since` on, in the order of their ends. Those with callers' own keys say nothing of the
    operator's, those that met a drill's fault or an error that is excluded nothing of anybody. Raises LedgerDown.
    """
    with reading(path) as connection:
        rows = connection.execute(_FARED, (since,)).fetchall()
    return [Fared(*row)._replace(state=State(row[3])) for row in rows]
