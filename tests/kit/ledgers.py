"""Rows for ledgers, and a look at what is really in the file."""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

from wattline.store.base import Opened, Settled, State
from wattline.wire.usage import Usage

AT = 1_700_000_000_000
USAGE = Usage(400, 100)

_numbers = itertools.count(1)


def opened(attempt: str | None = None, **changes: Any) -> Opened:
    """An attempt of `local` with an estimate of 500 tokens for 625 micro-units and no hold."""
    number = next(_numbers)
    row = Opened(
        attempt=f"att_{number}" if attempt is None else attempt,
        call=f"req_{number}",
        number=1,
        at=AT,
        principal="local",
        provider="openai",
        model="gpt-4o-mini",
        entry="fast",
        requested="gpt-4o-mini",
        rule="default",
        dialect="openai",
        operation="chat",
        stream=True,
        estimate=500,
        estimate_energy=625,
        hold=0,
        book="v1",
        features={"stream": True, "tokens": 400, "tags": ["a"]},
    )
    return replace(row, **changes)


def settled(attempt: str, **changes: Any) -> Settled:
    """A complete end with 500 tokens for 625 micro-units."""
    row = Settled(attempt, AT + 1_000, State.COMPLETE, 200, USAGE, 625, None, (), 12, 300)
    return replace(row, **changes)


def query(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Read the file on a connection of the test's own."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def dump(path: Path) -> tuple[tuple[Any, ...], ...]:
    """All rows of all tables: equal dumps are equal ledgers."""
    return tuple(
        tuple(query(path, f"SELECT * FROM {table} ORDER BY 1"))  # noqa: S608 - the names below
        for table in ("attempts", "entries", "accounts")
    )
