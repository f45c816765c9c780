"""`wattline shadow`: how shadow targets did beside those that answered."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from rich.text import Text

from wattline.cli.options import age
from wattline.cli.terminal import console, print_rows, safe
from wattline.cli.usage import LEDGER
from wattline.dialects.base import Energy
from wattline.store.shadows import Compared, compared

SPARE = ("energy", "total ms", "tokens out", "rule", "first byte ms")
"""What a narrow terminal does without, the first of them first."""
TARGETS = ("shadow", "answered by")
NUMBERS = ("calls", "failed", "first byte ms", "total ms", "tokens out", "energy")


def shadow(state: Path, *, since: str, as_json: bool = False) -> None:
    """Print the comparison. Raises Failure, LedgerDown."""
    start = 0 if since == "all" else max(int((time.time() - age(since)) * 1000), 0)
    ledger = state / LEDGER
    found = compared(ledger, start) if ledger.exists() else []
    if as_json:
        rows = [
            {**row._asdict(), "energy": Energy(row.energy_micro).json, "failed": failed(row)}
            for row in found
        ]
        json.dump({"since": since, "rows": rows}, sys.stdout, indent=2)
        print()
    elif not found:
        print("No shadow calls. A rule makes them with `shadow: {target: …, share: 0.05}`.")
    else:
        _print(found)


def failed(row: Compared) -> int:
    """Shadow calls that did not come to their end."""
    return row.calls - row.complete


def _print(found: list[Compared]) -> None:
    rows = [_row(row) for row in found]
    print_rows(("rule", *TARGETS, *NUMBERS), rows, numbers=NUMBERS, ids=TARGETS, spare=SPARE)
    out = console()
    out.print(
        "Pairs are means: of the shadow, and of the answers that the same calls' clients got. Energy is the "
        "shadow's alone; no caller pays it."
    )


def _row(row: Compared) -> tuple[str | Text, ...]:
    return (
        safe(row.rule),
        safe(row.shadow),
        safe(row.answered_by or "(not known)"),
        f"{row.calls:,}",
        f"{failed(row):,}",
        _pair(row.first_byte_ms, row.own_first_byte_ms),
        _pair(row.total_ms, row.own_total_ms),
        _pair(row.completion, row.own_completion),
        f"{row.energy_micro / 1_000_000:,.2f}",
    )


def _pair(shadow: float | None, own: float | None) -> str:
    first, second = ("-" if value is None else f"{value:,.0f}" for value in (shadow, own))
    return f"{first} / {second}"
