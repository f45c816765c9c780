"""Calls of the past out of a ledger, in the order of time. Read-only; a running wattline may go on writing."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import Any, NamedTuple

from wattline.store.reading import reading
from wattline.store.rows import MAX_TIME
from wattline.wire.call import SHADOW

DRILL = '"drill"'
"""As it stands in the JSON of an attempt's flags."""
EXCLUDED = '"excluded"'
"""The same, of an attempt whose error counts against no target."""
_DRILLED = f"SELECT count(DISTINCT call) FROM attempts WHERE at >= ? AND at < ? AND instr(flags, '{DRILL}')"  # noqa: S608 - constants
_REFUSALS = "SELECT count(*) FROM decisions WHERE at >= ? AND at < ?"
_WHOLE = "attempt, call, number, at, principal, provider, model, requested, rule, dialect, operation, stream, book, features, state, status, settled_at, prompt, completion, source, energy, error, flags, first_byte_ms, total_ms"  # fmt: skip
_FIRST = f"""
SELECT {_WHOLE} FROM attempts
WHERE at >= ? AND at < ? AND number = 1 AND operation <> 'lookup' AND principal <> '{SHADOW.id}' ORDER BY at, seq"""  # noqa: S608 - constants
_LATER = f"""
SELECT {_WHOLE} FROM attempts WHERE at >= ? AND at < ? AND number > 1 ORDER BY seq"""  # noqa: S608 - constants
_ONE = f"SELECT {_WHOLE} FROM attempts WHERE call = ?1 OR attempt = ?1 ORDER BY seq"  # noqa: S608 - constants
_REFUSED = "call, at, principal, requested, rule, dialect, operation, stream, book, status, code, left_out, features"  # fmt: skip
_UNSENT = f"SELECT {_REFUSED} FROM decisions WHERE at >= ? AND at < ? ORDER BY at, seq"  # noqa: S608 - constants
_ONE_UNSENT = f"SELECT {_REFUSED} FROM decisions WHERE call = ? ORDER BY seq DESC LIMIT 1"  # noqa: S608 - constants
_SHORT = f"""
SELECT call, principal, requested, dialect, operation, stream, rule, book, features, instr(flags, '{DRILL}'),
    provider || '/' || model, at / 1000.0, coalesce(settled_at, at) / 1000.0, state, prompt, completion, energy,
    error, first_byte_ms, total_ms, instr(flags, '{EXCLUDED}') = 0
FROM attempts"""  # noqa: S608 - constants
_SHORT_FIRST = f"""
{_SHORT} WHERE at >= ? AND at < ? AND number = 1 AND operation <> 'lookup' AND principal <> '{SHADOW.id}'
ORDER BY at, seq"""
_SHORT_LATER = f"{_SHORT} WHERE at >= ? AND at < ? AND number > 1 ORDER BY seq"
_LATEST = "SELECT at FROM attempts WHERE at >= ? AND at < ? ORDER BY at DESC LIMIT 1 OFFSET ?"
LONGEST_CALL = 86_400_000
"""Milliseconds in which the last attempt of a call has begun: no deadline is longer."""
BATCH = 5_000


class AttemptRow(NamedTuple):
    """One attempt. Times are milliseconds since 1970 UTC, energy micro-units; `features` and `flags` JSON."""

    attempt: str
    call: str
    number: int
    at: int
    principal: str
    provider: str
    model: str
    requested: str
    rule: str
    dialect: str
    operation: str
    stream: int
    book: str
    features: str
    state: str
    status: int | None
    settled_at: int | None
    prompt: int | None
    completion: int | None
    source: str | None
    energy: int | None
    error: str | None
    flags: str
    first_byte_ms: int | None
    total_ms: int | None


class RefusedRow(NamedTuple):
    """A call that no attempt was made of; see `store.base.Refused`."""

    call: str
    at: int
    principal: str
    requested: str
    rule: str
    dialect: str
    operation: str
    stream: int
    book: str
    status: int
    code: str
    left_out: int
    features: str


class ShortRow(NamedTuple):
    """What a backtest needs of a call's first attempt. `ends`: of each attempt its target, begin and end in seconds
    since 1970 UTC, state, tokens of prompt and answer, energy, error, milliseconds to the first byte and in all, and
    whether its error counts.
    """

    call: str
    principal: str
    requested: str
    dialect: str
    operation: str
    stream: int
    rule: str
    book: str
    features: str
    ends: tuple[tuple[Any, ...], ...]


type CallRows = tuple[AttemptRow, ...] | RefusedRow
"""All attempts of one call, or its refusal."""


class History:
    """Of one moment of a ledger. Times are milliseconds since 1970 UTC; `since` is included, `until` is not."""

    def __init__(self, connection: Connection, since: int, until: int) -> None:
        self._connection, self._since, self._until = connection, since, until

    @property
    def _noted(self) -> bool:
        """Refused calls are written down in this file; not in one that an older wattline left."""
        return _has(self._connection, "decisions")

    @property
    def _until_later(self) -> tuple[int, int]:
        """When further attempts of the span's calls begin."""
        return self._since, self._until + LONGEST_CALL

    def shorten(self, most: int) -> bool:
        """Begin later, so that the span has about so many attempts; False where it has no more than that."""
        found = self._connection.execute(_LATEST, (self._since, self._until, most)).fetchone()
        if found is None:
            return False
        self._since = found[0] + 1
        return True

    def count(self) -> int:
        """How many calls there are."""
        span = (self._since, self._until)
        first = f"SELECT count(*) FROM attempts WHERE at >= ? AND at < ? AND number = 1 AND principal <> '{SHADOW.id}'"  # noqa: S608 - constants
        queries = (first, _REFUSALS) if self._noted else (first,)
        counts = [self._connection.execute(query, span).fetchone()[0] for query in queries]
        return int(sum(counts))

    def calls(self) -> Iterator[CallRows]:
        """Each call once, in the order of their decisions. A call in which a fault was made on purpose says
        nothing of its targets, and is left out.
        """
        return heapq.merge(self._sent(), self._unsent(), key=_at)

    def short(self) -> Iterator[ShortRow | RefusedRow]:
        """As `calls`, with less of each: a million of them are read in less time."""
        return heapq.merge(self._short(), self._unsent(), key=_seconds)

    def _short(self) -> Iterator[ShortRow]:
        later: dict[str, list[tuple[Any, ...]]] = {}
        for row in self._connection.execute(_SHORT_LATER, self._until_later):
            later.setdefault(row[0], []).append(row)
        cursor = self._connection.execute(_SHORT_FIRST, (self._since, self._until))
        while rows := cursor.fetchmany(BATCH):
            for row in rows:
                if row[0] not in later:
                    if not row[9]:
                        yield ShortRow._make((*row[:9], (row[10:],)))
                    continue
                attempts = (row, *later.pop(row[0]))
                if not any(attempt[9] for attempt in attempts):
                    yield ShortRow._make((*row[:9], tuple(one[10:] for one in attempts)))

    def _sent(self) -> Iterator[tuple[AttemptRow, ...]]:
        later: dict[str, list[AttemptRow]] = {}
        for row in self._connection.execute(_LATER, self._until_later):
            found = AttemptRow._make(row)
            later.setdefault(found.call, []).append(found)
        cursor = self._connection.execute(_FIRST, (self._since, self._until))
        make = AttemptRow._make
        while rows := cursor.fetchmany(BATCH):
            for row in rows:
                first = make(row)
                attempts = (first, *later.pop(first.call)) if first.call in later else (first,)
                if not _drilled(attempts):
                    yield attempts

    def _unsent(self) -> Iterator[RefusedRow]:
        if not self._noted:
            return
        cursor = self._connection.execute(_UNSENT, (self._since, self._until))
        while rows := cursor.fetchmany(BATCH):
            yield from map(RefusedRow._make, rows)


def _drilled(rows: tuple[AttemptRow, ...]) -> bool:
    return any(DRILL in row.flags for row in rows)


def _at(rows: CallRows) -> int:
    return rows.at if isinstance(rows, RefusedRow) else rows[0].at


def _seconds(row: ShortRow | RefusedRow) -> float:
    return row.at / 1000 if isinstance(row, RefusedRow) else float(row.ends[0][1])


def _has(connection: Connection, table: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (table,)).fetchone() is not None


@contextmanager
def history(path: Path, since: int = 0, until: int = MAX_TIME) -> Iterator[History]:
    """The calls of a span. Raises LedgerDown."""
    with reading(path) as connection:
        yield History(connection, since, until)


def apart(path: Path, since: int = 0, until: int = MAX_TIME) -> tuple[int, int]:
    """What makes the calls of a span differ from those that are counted as used: how many were left out for a drill,
    and how many were refused before any attempt. Raises LedgerDown.
    """
    with reading(path) as connection:
        span = (since, until)
        (drilled,) = connection.execute(_DRILLED, span).fetchone()
        if not _has(connection, "decisions"):
            return drilled, 0
        (refused,) = connection.execute(_REFUSALS, span).fetchone()
        return drilled, refused


def one_call(path: Path, name: str) -> CallRows | None:
    """The call of this id, or with an attempt of this id; None when there is none. Raises LedgerDown."""
    with reading(path) as connection:
        rows = connection.execute(_ONE, (name,)).fetchall()
        if rows:
            found = [AttemptRow._make(row) for row in rows]
            if found[0].call != name:
                rows = connection.execute(_ONE, (found[0].call,)).fetchall()
                found = [AttemptRow._make(row) for row in rows]
            return tuple(found)
        if not _has(connection, "decisions"):
            return None
        row = connection.execute(_ONE_UNSENT, (name,)).fetchone()
        return None if row is None else RefusedRow._make(row)
