"""`wattline cache`: what broke providers' prompt caches, out of the sidecar that runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from wattline.cli.accounts import MAX_ANSWER, TIMEOUT, result_of
from wattline.cli.failure import Failure
from wattline.cli.terminal import console, safe, table

DOLLARS = "US$"
PIPED = 80
"""Columns where no terminal says how many there are: causes are long, and take several lines then."""
COLUMNS = ("conversation", "caller", "model", "calls", "cached", "lost", DOLLARS, "broken by")
RIGHT = ("calls", "cached", "lost", "US$")


def cache(state: Path, *, as_json: bool = False) -> None:
    """Print conversations and totals. Raises Failure, OSError."""
    found = _ask(state)
    if as_json:
        json.dump(found, sys.stdout, indent=2)
        print()
        return
    if not found["conversations"]:
        print(
            "No conversation was looked at. `affinity: {diagnose: true}` in rules.yaml begins it."
        )
        return
    show(found)


def show(found: dict[str, Any]) -> None:
    """Conversations as a table, and the totals. Dollars only where a public price is known."""
    priced = any(map(_dollars, found["conversations"]))
    shown = [number for number, name in enumerate(COLUMNS) if priced or name != DOLLARS]
    made = table([COLUMNS[number] for number in shown], RIGHT)
    for one in found["conversations"]:
        row = _row(one)
        made.add_row(*(row[number] for number in shown))
    out = console()
    out.print(made, width=min(out.width, PIPED) if not out.is_terminal else None)
    out.print(_totals(found["totals"], priced=priced))


def _ask(state: Path) -> dict[str, Any]:
    from wattline.service.accounts.control_door import connect

    wire = connect(state, TIMEOUT)
    if wire is None:
        raise Failure("no sidecar runs with this state folder: it keeps this in memory only")
    with wire, wire.makefile("rb") as answers:
        wire.sendall(b'{"verb": "cache"}\n')
        return result_of(answers.readline(MAX_ANSWER))


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    last = one["breaks"][0]["what"] if one["breaks"] else ""
    more = f" (and {len(one['breaks']) - 1} before)" if len(one["breaks"]) > 1 else ""
    share = one["cachedTokens"] / one["promptTokens"] if one["promptTokens"] else 0.0
    return (
        safe(one["conversation"]),
        safe(one["principal"]),
        safe(one["model"]),
        f"{one['calls']:,}",
        f"{share:.0%}",
        f"{one['lostTokens']:,}",
        _dollars(one),
        safe(f"{last}{more}"),
    )


def _dollars(one: dict[str, Any]) -> str:
    """Nothing where no public price is known."""
    priced = any(found["lostDollars"] is not None for found in one["breaks"])
    return f"{one['lostDollars']:.4f}" if priced else ""


def _totals(totals: dict[str, Any], *, priced: bool) -> str:
    saved = f", for US$ {totals['lostDollars']:.4f} less by public prices" if priced else ""
    causes = ", ".join(f"{cause} {count}" for cause, count in totals["breaks"].items())
    return (
        f"{totals['calls']:,} calls, {totals['promptTokens']:,} tokens of prompts, "
        f"{totals['cachedTokens']:,} of them read from caches. {totals['lostTokens']:,} more could have "
        f"been{saved}. {causes}".rstrip()
    )
