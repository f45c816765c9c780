"""`wattline usage`: calls, tokens and energy out of the ledger."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

from wattline.cli.failure import USAGE, Failure
from wattline.cli.options import age
from wattline.cli.terminal import bar, console, safe, table
from wattline.dialects.base import Energy
from wattline.store.reading import By, UsageRow
from wattline.store.reading import usage as read_usage

LEDGER = "ledger.sqlite"
BY: dict[str, By] = {
    "model": "model",
    "provider": "provider",
    "key": "principal",
    "principal": "principal",
    "rule": "rule",
    "day": "day",
}
NUMBERS = ("calls", "failed", "prompt", "completion", "energy")


def usage(state: Path, *, by: str, since: str, as_json: bool = False) -> None:
    """Print the totals. Raises Failure, LedgerDown."""
    if by not in BY:
        raise Failure(f"can't sum by {by!r}: use model, provider, key, rule or day", USAGE)
    start = 0 if since == "all" else int((time.time() - age(since)) * 1000)
    ledger = state / LEDGER
    rows = read_usage(ledger, BY[by], max(start, 0)) if ledger.exists() else []
    if by == "day":
        rows.sort(key=lambda row: row.label)
    if as_json:
        json.dump([_as_json(row) for row in rows], sys.stdout, indent=2)
        print()
    elif rows:
        _print(rows, by, since)
    elif not ledger.exists():
        print(f"No ledger in {state} yet: the first start of the sidecar makes it.")
    else:
        print(f"No calls {_span(since)}. See further back with --since 30d or --since all.")


def _as_json(row: UsageRow) -> dict[str, object]:
    return {**asdict(row), "energy": Energy(row.energy_micro).json}


def _print(rows: Sequence[UsageRow], by: str, since: str) -> None:
    weights = [row.energy_micro for row in rows]
    if not any(weights):
        weights = [row.prompt + row.completion for row in rows]
    whole = sum(weights)
    made = table((by, *NUMBERS, ""), NUMBERS)
    for row, weight in zip(rows, weights, strict=True):
        made.add_row(
            safe(row.label or "(none)"), *_numbers(row), bar(weight / whole if whole else 0)
        )
    if len(rows) > 1:
        made.add_row("all", *_numbers(_total(rows)), "")
    out = console()
    out.print(made)
    out.print(_footnote(rows, since))


def _numbers(row: UsageRow) -> tuple[str, ...]:
    counts = (row.calls, row.failed, row.prompt, row.completion)
    return (
        *(f"{count:,}" for count in counts),
        f"{round(Fraction(row.energy_micro, 10**6), 2):,.2f}",
    )


def _total(rows: Sequence[UsageRow]) -> UsageRow:
    def add(name: str) -> int:
        return sum(getattr(row, name) for row in rows)

    return UsageRow(
        "all",
        calls=add("calls"),
        attempts=add("attempts"),
        failed=add("failed"),
        prompt=add("prompt"),
        completion=add("completion"),
        energy_micro=add("energy_micro"),
        estimated=0.0,
    )


def _footnote(rows: Sequence[UsageRow], since: str) -> str:
    tokens = sum(row.prompt + row.completion for row in rows)
    estimated = sum(row.estimated * (row.prompt + row.completion) for row in rows)
    text = f"Tokens, and energy in the units of rules.yaml, {_span(since)}. Failed attempts cost nothing."
    if tokens and estimated / tokens > 0.0005:
        text += f" {estimated / tokens:.1%} of the tokens are estimates."
    return text


def _span(since: str) -> str:
    return "of all time" if since == "all" else f"of the last {since}"
