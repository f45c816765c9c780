"""`wattline proof`: what was passed on, and whether the same bytes went out as came in."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from wattline.cli.failure import FAILED
from wattline.cli.options import age
from wattline.cli.terminal import console, safe, table
from wattline.service.watching.proofs import proof_file, read_proofs

WRONG = ("changed", "unreadable")
SHOWN = 20
NUMBERS = ("passed", "bytes up", "bytes down")
MESSAGES = ("messages up", "messages down")
"""Only shown where WebSockets were passed on."""


def proof(state: Path, *, since: str, as_json: bool = False) -> int:
    """Print the records, verified anew; 1 when one was changed or can't be read. Raises Failure."""
    start = 0 if since == "all" else int((time.time() - age(since)) * 1000)
    found = list(read_proofs(proof_file(state), start))
    verdicts = Counter(str(record["verdict"]) for record in found)
    wrong = [record for record in found if record["verdict"] in WRONG]
    odd = sum("out_of_order" in record for record in found)
    if as_json:
        whole = {
            "since": since,
            "verdicts": verdicts,
            "ok": not wrong,
            "out_of_order": odd,
            "records": found,
        }
        json.dump(whole, sys.stdout, indent=2)
        print()
    elif found:
        _print(found)
        _print_wrong(wrong)
        if odd:
            print(
                f"note: {odd} of {len(found)} have a later time than what was written after them: the clock was set back, "
                "or the file was changed"
            )
    else:
        print(
            "Nothing was passed on and proved. `proof: {tunnels: true, passed: true}` in rules.yaml"
        )
        print("has it written down; see further back with --since all.")
    return FAILED if wrong else 0


def _print(found: list[dict[str, Any]]) -> None:
    sums: dict[tuple[str, str, str], list[int]] = {}
    for record in found:
        place = tuple(str(record.get(name, "?")) for name in ("host", "kind", "verdict"))
        counts = sums.setdefault((place[0], place[1], place[2]), [0] * len(NUMBERS + MESSAGES))
        counts[0] += 1
        if record["verdict"] == "unreadable":
            continue
        for at, way in enumerate((record["up"], record["down"]), 1):
            counts[at] += way["bytes_in"]
            counts[at + 2] += way.get("messages_in", 0)
    any_messages = any(sum(counts[len(NUMBERS) :]) for counts in sums.values())
    columns = NUMBERS + MESSAGES if any_messages else NUMBERS
    made = table(("host", "kind", "verdict", *columns), columns)
    for (host, kind, verdict), counts in sorted(sums.items()):
        numbers = (f"{count:,}" for count in counts[: len(columns)])
        made.add_row(safe(host), safe(kind), verdict, *numbers)
    console().print(made)


def _print_wrong(wrong: list[dict[str, Any]]) -> None:
    for record in wrong[:SHOWN]:
        if record["verdict"] == "unreadable":
            print("a line of the file can't be read")
            continue
        text = f"CHANGED: {record.get('kind')} {record.get('id')} to {record.get('host')}"
        for way in ("up", "down"):
            one = record[way]
            text += f"\n  {way}: {_end(one, 'in')} came in,\n      {_end(one, 'out')} went out"
        for line in text.splitlines():
            print(safe(line))
    if len(wrong) > SHOWN:
        print(f"and {len(wrong) - SHOWN} more")


def _end(way: dict[str, Any], end: str) -> str:
    messages = way.get(f"messages_{end}")
    told = "" if messages is None else f" in {messages} messages"
    return f"{way[f'bytes_{end}']} bytes{told} {way[f'digest_{end}']}"
