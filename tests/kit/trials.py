"""A running sidecar whose one rule gets further fields: drills, shadows, continuation."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

from kit.sidecars import Running

_RULE = "{name: by-model, when: {}, try: model}"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def ahead(**span: float) -> str:
    """An ISO time so far ahead of now (`hours=1`)."""
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


def with_rule(sidecar: Running, fields: str) -> None:
    """Add `fields` (flow style YAML) to the rule; the next call has them."""
    text = sidecar.rules.read_text()
    assert _RULE in text
    sidecar.rules.write_text(text.replace(_RULE, f"{{name: by-model, {fields}, try: model}}"))


def with_drill(sidecar: Running, fields: str, **span: float) -> None:
    """Add a drill that ends in an hour, or as `span` says."""
    until = ahead(**(span or {"hours": 1}))
    with_rule(sidecar, f"fault: {{share: 1, until: '{until}', {fields}}}")


def ask(**more: Any) -> dict[str, Any]:
    """A small chat."""
    return {**BODY, **more}


def rows(sidecar: Running) -> list[dict[str, Any]]:
    """The attempts in the ledger, the oldest first."""
    path = sidecar.state / "ledger.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute("SELECT * FROM attempts ORDER BY seq").fetchall()
    return [{**row, "flags": json.loads(row["flags"])} for row in found]
