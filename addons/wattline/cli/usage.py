"""`wattline usage`: calls, tokens and energy out of the ledger."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

from rich.text import Text

from wattline.cli.options import age
from wattline.cli.terminal import bar, console, print_rows, safe
from wattline.cli.wrong_value import none_of
from wattline.dialects.base import Energy
from wattline.store.reading import NOTHING, By, UsageRow, UsageTable
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
EMPTY = UsageTable((), NOTHING)
NUMBERS = ("calls", "attempts", "failed", "prompt", "completion", "energy")


def usage(state: Path, *, by: str, since: str, as_json: bool = False) -> None:
    """Print the totals. Raises Failure, LedgerDown."""
    if by not in BY:
        raise none_of("--by", by, [name for name in BY if name != "principal"])
    start = 0 if since == "all" else int((time.time() - age(since)) * 1000)
    ledger = state / LEDGER
    found = read_usage(ledger, BY[by], max(start, 0)) if ledger.exists() else EMPTY
    if by == "day":
        found = replace(found, rows=tuple(sorted(found.rows, key=lambda row: row.label)))
    if as_json:
        rows = [_as_json(row) for row in found.rows]
        whole = {"by": by, "since": since, "rows": rows, "all": _as_json(found.whole)}
        if found.shadow.attempts:
            whole["shadow"] = _as_json(found.shadow)
        json.dump(whole, sys.stdout, indent=2)
        print()
    elif found.rows:
        _print(found, by, since)
    elif not ledger.exists():
        print(f"No ledger in {state} yet: the first start of the sidecar makes it.")
    else:
        further = "" if since == "all" else " See further back with --since 30d or --since all."
        print(f"No calls {_span(since)}.{further}")


def _as_json(row: UsageRow) -> dict[str, object]:
    return {**asdict(row), "energy": Energy(row.energy_micro).json}


def _print(found: UsageTable, by: str, since: str) -> None:
    rows = found.rows
    weights = [row.energy_micro for row in rows]
    if not any(weights):
        weights = [row.prompt + row.completion for row in rows]
    sum_of_weights = sum(weights)
    lines: list[tuple[str | Text, ...]] = []
    for row, weight in zip(rows, weights, strict=True):
        share = weight / sum_of_weights if sum_of_weights else 0
        lines.append((safe(row.label or "(none)"), *_numbers(row), bar(share)))
    if len(rows) > 1:
        taken = any(row.label == "all" for row in rows)
        lines.append(("(all)" if taken else "all", *_numbers(found.whole), ""))
    columns = (by, *NUMBERS, "")
    print_rows(columns, lines, numbers=NUMBERS, spare=("", "attempts", "failed"))
    console().print(_footnote(found, since))


def _numbers(row: UsageRow) -> tuple[str, ...]:
    counts = (row.calls, row.attempts, row.failed, row.prompt, row.completion)
    return (
        *(f"{count:,}" for count in counts),
        f"{round(Fraction(row.energy_micro, 10**6), 2):,.2f}",
    )


def _footnote(found: UsageTable, since: str) -> str:
    text = f"Tokens, and energy in the units of rules.yaml, {_span(since)}. Failed attempts cost nothing."
    if sum(row.calls for row in found.rows) > found.whole.calls:
        text += (
            " Calls with attempts in more than one row count in each, and once in the last line."
        )
    if (shadow := found.shadow).attempts:
        text += (
            f" Beside these, {shadow.calls:,} shadow calls took {shadow.prompt + shadow.completion:,} tokens "
            f"and {_numbers(shadow)[-1]} energy of nobody's account: see `wattline shadow`."
        )
    if found.whole.estimated > 0.0005:
        text += f" {found.whole.estimated:.1%} of the tokens are estimates."
    return text


def _span(since: str) -> str:
    return "of all time" if since == "all" else f"of the last {since}"
