"""What keys used and how providers did, out of the ledger. Each question opens its own read-only connection.

Plain blocking sqlite3, as `store.reading`: in the event loop use a thread. All sums are made by SQLite,
which lets other threads run meanwhile, over at most `MOST` attempts, the newest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from wattline.store.reading import reading
from wattline.store.rows import MAX_TIME

MOST = 200_000
"""Attempts that one question looks at."""
OPEN = "local"
"""Who calls in open mode: too many to have an index for."""

type Per = Literal["provider", "model"]

_USED = """
SELECT count(*), count(DISTINCT call), count(*) FILTER (WHERE state = 'failed'),
    coalesce(sum(prompt), 0), coalesce(sum(completion), 0), coalesce(sum(energy), 0), min(at), max(at)
FROM (SELECT call, state, prompt, completion, energy, at FROM attempts
    WHERE {whose} AND at >= ?2 ORDER BY at DESC LIMIT ?3)"""
_WHOSE = {
    "key": "key = ?1",
    "caller": f"principal = ?1 AND key IS NULL AND principal <> '{OPEN}'",
    "open": f"principal = ?1 AND key IS NULL AND principal = '{OPEN}'",
}
_RECENT = """
WITH recent AS (SELECT provider, {model} AS model, call, state, error, prompt, completion, energy,
    first_byte_ms, total_ms FROM attempts WHERE at >= ?1 AND at < ?2 AND state <> 'sent'
    AND flags NOT LIKE '%"drill"%'
    ORDER BY at DESC LIMIT ?3)"""
_DONE = f"""{_RECENT}
SELECT provider, model, count(*), count(DISTINCT call),
    count(*) FILTER (WHERE state = 'complete'), count(*) FILTER (WHERE state = 'aborted'),
    count(*) FILTER (WHERE state = 'truncated'),
    coalesce(sum(prompt), 0), coalesce(sum(completion), 0), coalesce(sum(energy), 0),
    avg(first_byte_ms) FILTER (WHERE state = 'complete'), avg(total_ms) FILTER (WHERE state = 'complete')
FROM recent GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"""  # noqa: S608 - constants
_TIMES = f"""{_RECENT},
ranked AS (SELECT provider, model, total_ms,
    row_number() OVER (PARTITION BY provider, model ORDER BY total_ms) AS place,
    count(*) OVER (PARTITION BY provider, model) AS size
    FROM recent WHERE state = 'complete' AND total_ms IS NOT NULL)
SELECT provider, model, min(total_ms) FILTER (WHERE place * 100 >= size * 50),
    min(total_ms) FILTER (WHERE place * 100 >= size * 95)
FROM ranked GROUP BY 1, 2"""  # noqa: S608 - constants
_ERRORS = f"""{_RECENT}
SELECT provider, model, coalesce(error, 'unknown'), count(*) FROM recent
WHERE state IN ('failed', 'truncated', 'unsettled') GROUP BY 1, 2, 3 ORDER BY 4 DESC, 3"""  # noqa: S608 - constants
_MODEL: Mapping[Per, str] = MappingProxyType({"provider": "''", "model": "model"})


@dataclass(frozen=True, slots=True)
class Used:
    """What one key or caller used. `first` and `last` are when, in milliseconds since 1970 UTC."""

    attempts: int
    calls: int
    failed: int
    prompt: int
    completion: int
    energy_micro: int
    first: int | None
    last: int | None

    @property
    def whole(self) -> bool:
        """Nothing was left out."""
        return self.attempts < MOST


@dataclass(frozen=True, slots=True)
class Performance:
    """How one provider or one model of it did. Times are milliseconds, of attempts that were complete; None
    when there were none. `errors` counts attempts by the code of what went wrong.
    """

    provider: str
    model: str
    attempts: int
    calls: int
    complete: int
    aborted: int
    """The client went away: nobody's fault here."""
    truncated: int
    prompt: int
    completion: int
    energy_micro: int
    first_byte_ms: float | None
    total_ms: float | None
    median_ms: int | None
    slow_ms: int | None
    """95 of 100 were faster."""
    errors: tuple[tuple[str, int], ...]


def used(
    path: Path, *, key: str | None = None, caller: str = "", since: int = 0, most: int = MOST
) -> Used:
    """What a key used, or without one a caller of rules.yaml. Raises LedgerDown."""
    whose = "key" if key is not None else "open" if caller == OPEN else "caller"
    sql = _USED.format(whose=_WHOSE[whose])
    with reading(path) as connection:
        row = connection.execute(sql, (caller if key is None else key, since, most)).fetchone()
    return Used(*row)


def performance(
    path: Path, per: Per, since: int = 0, until: int = MAX_TIME, most: int = MOST
) -> list[Performance]:
    """Each provider, or each of their models, the busiest first. Raises LedgerDown."""
    model, place = _MODEL[per], (since, until, most)
    with reading(path) as connection:
        done = connection.execute(_DONE.format(model=model), place).fetchall()
        found = connection.execute(_TIMES.format(model=model), place)
        times = {row[:2]: row[2:] for row in found}
        errors: dict[tuple[str, str], list[tuple[str, int]]] = {}
        for *who, code, count in connection.execute(_ERRORS.format(model=model), place):
            errors.setdefault((who[0], who[1]), []).append((code, count))
    rows = (
        (*row, *times.get(row[:2], (None, None)), tuple(errors.get(row[:2], ()))) for row in done
    )
    return [Performance(*row) for row in rows]
