"""The audit trail: who called what, how it went. A read-only question to the ledger, a page at a time.

Plain blocking sqlite3: in the event loop use a thread. Times are milliseconds since 1970 UTC.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from wattline.store.base import State
from wattline.store.reading import reading
from wattline.store.rows import MAX_TIME

LAST: Final = (MAX_TIME, 2**62)
"""Before this is everything."""

_COLUMNS = (
    "seq, attempt, call, number, at, principal, key, provider, model, requested, operation, state, status,"
    " prompt, completion, source, energy, error, flags, first_byte_ms, total_ms"
)
_ALL = f"""
SELECT {_COLUMNS} FROM attempts WHERE (at, seq) < (?1, ?2) AND at <= ?1
ORDER BY at DESC, seq DESC LIMIT ?3"""  # noqa: S608 - constants
# Two parts, since each has an index of its own that gives its rows in order.
_OF_CALLER = f"""
SELECT {_COLUMNS} FROM attempts
    WHERE principal = ?4 AND key IS NULL AND principal <> 'local' AND at <= ?1 AND (at, seq) < (?1, ?2)
UNION ALL
SELECT {_COLUMNS} FROM attempts
    WHERE principal = ?4 AND key IS NOT NULL AND at <= ?1 AND (at, seq) < (?1, ?2)
ORDER BY at DESC, seq DESC LIMIT ?3"""  # noqa: S608 - constants
_OF_LOCAL = f"""
SELECT {_COLUMNS} FROM attempts
WHERE principal = ?4 AND at <= ?1 AND (at, seq) < (?1, ?2)
ORDER BY at DESC, seq DESC LIMIT ?3"""  # noqa: S608 - constants
_LOCAL = "local"


class Trace(NamedTuple):
    """One attempt of a call. `flags` is a JSON list; `energy` micro-units."""

    seq: int
    attempt: str
    call: str
    number: int
    at: int
    principal: str
    key: str | None
    provider: str
    model: str
    requested: str
    operation: str
    state: State
    status: int | None
    prompt: int | None
    completion: int | None
    source: str | None
    energy: int | None
    error: str | None
    flags: str
    first_byte_ms: int | None
    total_ms: int | None


def trail(
    path: Path, principal: str | None, limit: int, before: tuple[int, int] = LAST
) -> list[Trace]:
    """The attempts of a principal (None: everybody's) before a place, the latest first. A place is the time
    and the number of a row, so that no page repeats or leaves out any of the same time.

    Raises LedgerDown.
    """
    values = (*before, limit) if principal is None else (*before, limit, principal)
    query = _ALL if principal is None else _OF_LOCAL if principal == _LOCAL else _OF_CALLER
    with reading(path) as connection:
        rows = connection.execute(query, values).fetchall()
    return [Trace(*row)._replace(state=State(row[11])) for row in rows]
