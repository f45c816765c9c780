"""`wattline audit`: whether the ledger adds up."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from wattline.cli.failure import FAILED
from wattline.cli.terminal import counted, safe
from wattline.cli.usage import LEDGER
from wattline.store.audit import audit as audit_ledger


def audit(state: Path, *, as_json: bool = False) -> int:
    """Print what was checked and each difference; 0 when there is none. Raises LedgerDown."""
    report = audit_ledger(state / LEDGER)
    if as_json:
        found = {
            "ok": report.ok,
            "path": str(report.path),
            "attempts": report.attempts,
            "entries": report.entries,
            "accounts": report.accounts,
            "under_way": report.under_way,
            "differences": list(report.differences),
        }
        json.dump(found, sys.stdout, indent=2)
        print()
        return 0 if report.ok else FAILED
    counts = ", ".join(
        (
            counted(report.attempts, "attempt"),
            counted(report.entries, "entry", "entries"),
            counted(report.accounts, "account"),
        )
    )
    if report.ok:
        print(f"The ledger adds up: {counts}.")
        if report.under_way:
            print(
                f"{counted(report.under_way, 'attempt')} not settled yet: under way now, or left open by a process "
                "that was killed; the next start closes those with their estimates."
            )
        return 0
    print(f"The ledger does NOT add up: {counts}.")
    for difference in report.differences:
        print(f"  {safe(difference)}")
    print(f"Keep {report.path} as it is, and compare it with your last backup.")
    return FAILED
