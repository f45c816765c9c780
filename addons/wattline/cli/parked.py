"""What operators switched off, out of a ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wattline.engine.parking import Parked, Parking
from wattline.store.base import LedgerDown
from wattline.store.parking import ParkedRow, read_parked


def parking_of(ledger: Path) -> Parking:
    """As decisions look at it; empty when the ledger can't be read."""
    rows = _rows(ledger)
    return Parking({(row.provider, row.model): _parked(row) for row in rows})


def parked_lines(ledger: Path) -> Iterator[str]:
    """A line for each that is off."""
    for row in _rows(ledger):
        yield f"{f'{row.provider}/{row.model}'.rstrip('/')} is {_parked(row)}"


def _rows(ledger: Path) -> list[ParkedRow]:
    try:
        return read_parked(ledger) if ledger.exists() else []
    except LedgerDown:
        return []


def _parked(row: ParkedRow) -> Parked:
    return Parked(row.at, row.by, row.reason)
