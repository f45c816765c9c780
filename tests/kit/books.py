"""The ledger against the upstreams' own count: the invariants that hold after every test."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from kit.sidecars import Running


def rows(state: Path, after: int = 0) -> list[dict[str, Any]]:
    """All attempts in the order they were opened, or those that came after the first `after`."""
    connection = sqlite3.connect(f"file:{state / 'ledger.sqlite'}?mode=ro", uri=True)
    try:
        connection.row_factory = sqlite3.Row
        found = connection.execute(
            "SELECT * FROM attempts ORDER BY rowid LIMIT -1 OFFSET ?", (after,)
        ).fetchall()
        return [dict(row) for row in found]
    finally:
        connection.close()


def check_books(running: Running, after: int = 0) -> None:
    """I2, I3, I5: each attempt that an upstream counted has exactly one row with the same tokens; rows
    that no upstream saw owe nothing; nothing is left open or held. `after`: so many rows are of requests that the journals have
    forgotten."""
    ledger = {row["attempt"]: row for row in rows(running.state, after)}
    seen = [r for upstream in running.upstreams for r in upstream.journal.requests]
    marks = [r.attempt for r in seen if r.attempt]
    assert len(marks) == len(set(marks)), "an attempt reached an upstream twice"
    for record in seen:
        if record.attempt:
            row = ledger[record.attempt]
            if row["state"] == "complete" and row["source"] == "provider":
                counted = (record.prompt_tokens, record.completion_tokens)
                assert (row["prompt"], row["completion"]) == counted
    for attempt, row in ledger.items():
        assert row["state"] != "sent", f"{attempt} was never settled"
        if attempt not in marks and row["provider"] != "cache":
            assert not row["energy"], f"{attempt} was never seen by an upstream, yet it owes"
