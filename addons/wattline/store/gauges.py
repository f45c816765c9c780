"""How the ledger is doing, for metrics."""

from __future__ import annotations

from dataclasses import dataclass

from wattline.base.quantiles import Quantiles


@dataclass(frozen=True, slots=True)
class LedgerGauges:
    """One reading. `commits` are seconds of group commits since the start."""

    down: bool
    rows: int
    """Written since the start."""
    waiting: int
    """Rows that wait for a commit."""
    kept: int
    """Settlements that are in memory only, since nothing can be written."""
    commits: Quantiles
