"""`audit`: recompute all of a ledger and say in a sentence where it differs. Read-only.

What must hold (docs/ledger.md has it in words): numbers without a gap; each attempt in one state with
what belongs to it; exactly one debit for each settled attempt with an energy, and no other debits;
each account the sum of its entries and of the holds of open attempts. What no audit can see: an edit
that is wrong but consistent, such as another model's name; or other tokens, unless `recompute` knows
the rates.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wattline.store.checks import CHECKS, Check
from wattline.store.migrations.schema import expected_schema, read_schema
from wattline.store.reading import reading
from wattline.wire.usage import Usage, UsageSource

LISTED = 20
"""Differences of one kind that are listed one by one."""


class Priced(NamedTuple):
    """A settled attempt with a usage and an energy, for recomputing the one from the other."""

    attempt: str
    book: str
    entry: str
    provider: str
    model: str
    operation: str
    usage: Usage
    energy: int


type Recompute = Callable[[Priced], int | None]
"""The energy in micro-units that the attempt should have cost; None: can't say (another book)."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """`differences` is empty when everything adds up."""

    path: Path
    attempts: int
    entries: int
    accounts: int
    differences: tuple[str, ...]
    under_way: int = 0
    """Attempts that are not settled yet."""

    @property
    def ok(self) -> bool:
        """True when there is nothing to report."""
        return not self.differences


_PRICED = """
SELECT attempt, book, entry, provider, model, operation, prompt, completion, cached, reasoning, source,
    energy
FROM attempts WHERE prompt IS NOT NULL AND energy IS NOT NULL AND state NOT IN ('failed', 'unsettled')
    AND flags NOT LIKE '%"cached_answer"%' AND flags NOT LIKE '%"bonus"%'
ORDER BY seq"""
"""An answer from the cache costs what the rules say of hits, and one for the bonus account nothing,
whatever its tokens.
"""

_UNDER_WAY = "SELECT count(*) FROM attempts WHERE state = 'sent'"


def audit(path: Path, recompute: Recompute | None = None) -> AuditReport:
    """Check the ledger at `path` as of this moment; a running wattline may go on writing.

    Raises LedgerDown when the file can't be read as a ledger at all.
    """
    with reading(path) as connection:
        differences = [*_damage(connection), *_schema(connection)]
        for check in CHECKS:
            differences += _listed(_found(connection, check))
        if recompute is not None:
            differences += _listed(_mispriced(connection, recompute))
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - constants
            for table in ("attempts", "entries", "accounts")
        ]
        under_way = connection.execute(_UNDER_WAY).fetchone()[0]
    attempts, entries, accounts = counts
    return AuditReport(path, attempts, entries, accounts, tuple(differences), under_way)


def _damage(connection: sqlite3.Connection) -> Iterator[str]:
    for (line,) in connection.execute(f"PRAGMA integrity_check({LISTED})"):
        if line != "ok":
            yield f"the file is damaged: {line}"


def _schema(connection: sqlite3.Connection) -> Iterator[str]:
    expected, found = expected_schema(), read_schema(connection)
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"the schema's {name} is missing: its rule was not enforced"
        elif name not in expected:
            yield f"{name} is not part of the schema"
        elif expected[name] != found[name]:
            yield f"the schema's {name} was changed"


def _found(connection: sqlite3.Connection, check: Check) -> Iterator[str]:
    try:
        for row in connection.execute(check.query):
            yield check.sentence.format(*row)
    except sqlite3.OperationalError as error:  # a sum beyond 64 bits
        yield f"a check can't be made ({error}): {check.sentence}"


def _mispriced(connection: sqlite3.Connection, recompute: Recompute) -> Iterator[str]:
    for row in connection.execute(_PRICED):
        usage = Usage(*(*row[6:10], UsageSource(row[10])))
        priced = Priced(*(*row[:6], usage, row[11]))
        energy = recompute(priced)
        if energy is not None and energy != priced.energy:
            yield f"attempt {priced.attempt} cost {priced.energy}; by its tokens it costs {energy}"


def _listed(sentences: Iterator[str]) -> list[str]:
    listed = [sentence for _, sentence in zip(range(LISTED), sentences, strict=False)]
    more = sum(1 for _ in sentences)
    return [*listed, f"… and {more} more of this kind"] if more else listed
