"""Questions to a ledger's file, also while a wattline writes it. Each opens its own read-only connection.

Plain blocking sqlite3: for the command line and for start-up. In the event loop use a thread.
Times are milliseconds since 1970 UTC; `since` is included, `until` is not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from wattline.store.base import LedgerDown, State
from wattline.store.migrations.schema import ForeignSchema, check_schema
from wattline.store.outage import explain
from wattline.store.rows import MAX_TIME
from wattline.wire.call import SHADOW

type By = Literal["model", "provider", "principal", "day", "rule"]

_LABELS: dict[By, str] = {
    "model": "model",
    "provider": "provider",
    "principal": "principal",
    "day": "date(at / 1000, 'unixepoch')",
    "rule": "rule",
}
_USAGE = """
SELECT {label}, count(DISTINCT call), count(*), count(*) FILTER (WHERE state = 'failed'),
    coalesce(sum(prompt), 0), coalesce(sum(completion), 0), coalesce(sum(energy), 0),
    coalesce(sum(prompt + completion) FILTER (WHERE source = 'estimated'), 0)
FROM attempts WHERE at >= ? AND at < ? AND principal {whose} GROUP BY 1 ORDER BY 7 DESC, 1"""
_CALLERS = f"<> '{SHADOW.id}'"
_SHADOWS = f"= '{SHADOW.id}'"
_RECENT = """
SELECT seq, attempt, call, number, at, principal, provider, model, requested, rule, state, status,
    prompt, completion, source, energy, error, first_byte_ms, total_ms
FROM attempts ORDER BY seq DESC LIMIT ?"""
_ACCOUNT = """CASE WHEN features LIKE '%"key":%' AND json_valid(features)
    THEN coalesce(json_extract(features, '$.key'), 0) ELSE 0 END"""
"""Which of its provider's keys an attempt took; 0 where there is only one."""
_SEED = f"""
SELECT provider, principal, at, coalesce(prompt + completion, estimate), state, key,
    {_ACCOUNT}
FROM attempts WHERE at >= ? ORDER BY at, seq"""  # noqa: S608 - made of constants
_SPENT = """
SELECT key, settled_at / 60000 * 60000 + 59999, sum(energy) FROM attempts
WHERE at >= ?1 - 86400000 AND settled_at >= ?1 AND key IS NOT NULL AND energy > 0
GROUP BY 1, 2 ORDER BY 2"""
"""No call takes a day: what ended since then began at most a day earlier."""

_MADE = f"""
SELECT operation, principal, made, provider, model, entry, at, {_ACCOUNT}
FROM attempts WHERE at >= ? AND made IS NOT NULL ORDER BY at, seq"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What one model, provider, principal, day (UTC) or rule used."""

    label: str
    calls: int
    """Calls with at least one attempt under this label: one that went to two providers counts in both
    rows, so calls do not add up to the whole. Everything else does."""
    attempts: int
    failed: int
    prompt: int
    completion: int
    energy_micro: int
    estimated: float
    """Share of the tokens that nobody counted, 0 to 1."""


NOTHING = UsageRow("all", 0, 0, 0, 0, 0, 0, 0.0)
"""The whole of a span without calls."""


class Recent(NamedTuple):
    """An attempt, as a list of the latest ones shows it."""

    seq: int
    attempt: str
    call: str
    number: int
    at: int
    principal: str
    provider: str
    model: str
    requested: str
    rule: str
    state: State
    status: int | None
    prompt: int | None
    completion: int | None
    source: str | None
    energy: int | None
    error: str | None
    first_byte_ms: int | None
    total_ms: int | None


class Seed(NamedTuple):
    """One attempt as rate windows count it; `tokens` is the estimate while none are known."""

    provider: str
    principal: str
    at: int
    tokens: int
    state: State
    key: str | None = None
    account: int = 0
    """Which of the provider's keys; 0 where it had one."""


class Spent(NamedTuple):
    """Micro-units that ended attempts of a key cost, in the minute that ends at `at`."""

    key: str
    at: int
    micro: int


class Made(NamedTuple):
    """Something that can be asked about: its provider's `id`, and who made it for whom, when."""

    operation: str
    principal: str
    id: str
    provider: str
    model: str
    entry: str
    at: int
    account: int = 0
    """Which of the provider's keys was used; 0 where there is only one."""


@dataclass(frozen=True, slots=True)
class UsageTable:
    """All rows of a span, and the whole, in which each call counts once. Of one moment."""

    rows: tuple[UsageRow, ...]
    whole: UsageRow
    shadow: UsageRow = NOTHING
    """Shadow calls, which are in none of the others."""


def usage(path: Path, by: By, since: int = 0, until: int = MAX_TIME) -> UsageTable:
    """Totals by label, the costliest first, and over all labels. Raises LedgerDown."""
    label = _LABELS[by]
    with reading(path) as connection:
        span = (since, until)
        query = _USAGE.format(label=label, whose=_CALLERS)
        rows = tuple(map(_usage_row, connection.execute(query, span)))
        whole, shadow = (
            next(map(_usage_row, connection.execute(query, span)), NOTHING)
            for query in (
                _USAGE.format(label="'all'", whose=_CALLERS),
                _USAGE.format(label="'shadow'", whose=_SHADOWS),
            )
        )
    return UsageTable(rows, whole, shadow)


def _usage_row(row: tuple[Any, ...]) -> UsageRow:
    return UsageRow(*(*row[:7], _share(row[7], row[4] + row[5])))


def recent(path: Path, limit: int = 20) -> list[Recent]:
    """The latest attempts, newest first. Raises LedgerDown."""
    with reading(path) as connection:
        rows = connection.execute(_RECENT, (max(0, limit),)).fetchall()
    return [Recent(*row)._replace(state=State(row[10])) for row in rows]


def attempt_counts(path: Path) -> dict[State, int]:
    """How many attempts stand in each state; states without any are there with 0. Raises LedgerDown."""
    with reading(path) as connection:
        found = dict(
            connection.execute("SELECT state, count(*) FROM attempts GROUP BY 1").fetchall()
        )
    return {state: found.get(state.value, 0) for state in State}


def window_seed(path: Path, since: int) -> list[Seed]:
    """Attempts from `since` on, oldest first, to rebuild rate windows after a restart.

    Raises LedgerDown.
    """
    with reading(path) as connection:
        rows = connection.execute(_SEED, (since,)).fetchall()
    return [Seed(*row)._replace(state=State(row[4])) for row in rows]


def spent_since(path: Path, since: int) -> list[Spent]:
    """What each key spent from `since` on, oldest first. Raises LedgerDown."""
    with reading(path) as connection:
        return [Spent(*row) for row in connection.execute(_SPENT, (since,))]


def made_since(path: Path, since: int) -> list[Made]:
    """What attempts from `since` on made, oldest first. Raises LedgerDown."""
    with reading(path) as connection:
        return [Made(*row) for row in connection.execute(_MADE, (since,))]


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection in one read transaction: all its answers are of the same moment.

    Raises LedgerDown when there is no such file, or none of ours.
    """
    if not path.exists():
        raise LedgerDown(f"ledger {path}: there is no such file; it is made by the first start")
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5, isolation_level=None
        )
        # Only the writer moves the WAL, and a reader must not do it by leaving.
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)  # noqa: FBT003 - C's API
        connection.execute("PRAGMA query_only = 1")
        connection.execute("BEGIN")
        if check_schema(connection) == 0:
            raise ForeignSchema("it is blank; it is filled by the first start")
        yield connection
    except ForeignSchema as error:
        raise LedgerDown(f"ledger {path}: {error}") from error
    except sqlite3.Error as error:
        raise LedgerDown(explain(error, path)) from error
    finally:
        if connection is not None:
            connection.close()


def _share(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else 0.0
