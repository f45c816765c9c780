"""Accounts at providers that rest, out of the ledger: their keys were refused, or they asked to wait."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wattline.engine.rest import Resting
from wattline.rules.book import Book
from wattline.rules.compiled.provider import Provider
from wattline.service.metering.rests import REFUSED, lasting
from wattline.store.base import LedgerDown
from wattline.store.rests import RestRow, read_rests


@dataclass(frozen=True, slots=True)
class Held:
    """One account that rests, for `seconds` from now on. `owner`: the caller whose own key it is; `key`: which of
    several keys of the provider, 0 where it has one.
    """

    account: str
    provider: str
    key: int
    owner: str | None
    seconds: float
    reason: str
    limited: bool

    @property
    def refused(self) -> bool:
        """Its key is what was refused."""
        return self.reason == REFUSED

    def __str__(self) -> str:
        if self.owner is not None:
            who = f"the own key of {self.owner} for {self.provider}"
        else:
            who = f"key {self.key} of {self.provider}" if self.key else f"{self.provider}'s key"
        if self.refused:
            return f"{who} was refused; it rests {self.seconds:.0f} s more"
        return f"{who} rests {self.seconds:.0f} s more: {self.reason}"

    @property
    def json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "account": self.account,
            "provider": self.provider,
            "key": self.key or None,
            "owner": self.owner,
            "seconds": round(self.seconds, 1),
            "reason": self.reason,
        }


def held(book: Book, ledger: Path, *, runs: bool) -> list[Held]:
    """What rests by these rules, by provider. `runs`: a sidecar with these rules and keys of its own runs; else it is
    what a start with this shell's keys would go on with. Empty when the ledger can't be read.
    """
    wall = time.time()
    rows = _rows(ledger, wall)
    several = _several(rows) | {name for name, one in book.providers.items() if one.keys}
    left = lasting(rows, book, wall, anew=not runs)
    return sorted((_held(row, seconds, several) for row, seconds in left), key=_place)


def noted(ledger: Path, version: str | None, several: frozenset[str] = frozenset()) -> list[Held]:
    """What rests of the operator's accounts in a sidecar that runs with rules of this version, and that has several keys
    of these providers. Empty when the ledger can't be read.
    """
    wall = time.time()
    rows = _rows(ledger, wall)
    several |= _several(rows)
    found = [_held(r, r.until / 1000 - wall, several) for r in rows if r.book == version]
    return sorted((one for one in found if one.owner is None), key=_place)


def _rows(ledger: Path, wall: float) -> list[RestRow]:
    try:
        return read_rests(ledger, int(wall * 1000)) if ledger.exists() else []
    except LedgerDown:
        return []


def _place(one: Held) -> tuple[str, str, int]:
    return one.provider, one.owner or "", one.key


def _several(rows: Iterable[RestRow]) -> set[str]:
    """Providers of which another key than the first rests."""
    accounts = [row.account.partition(" key ") for row in rows]
    return {name for name, _, number in accounts if number.isdecimal()}


def _held(row: RestRow, seconds: float, several: Container[str]) -> Held:
    said, _, owner = row.account.partition(" of ")
    name, _, number = said.partition(" key ")
    key = int(number) if number.isdecimal() else 1 if not owner and name in several else 0
    return Held(row.account, name, key, owner or None, seconds, row.reason, row.limited)


def resting_of(found: Sequence[Held], now: float) -> Resting:
    """As decisions look at it. `now` is monotonic seconds."""
    made = Resting()
    for one in found:
        made.rest(one.account, now + one.seconds, one.reason, limited=one.limited)
    return made


def all_keys_out(provider: Provider, found: Sequence[Held]) -> bool:
    """None of the provider's keys can be used: each was refused."""
    refused = {one.account for one in found if one.refused}
    return all(one.account in refused for one in provider.each)


def rest_of(provider: Provider, found: Sequence[Held]) -> str:
    """In a table: `265 s` while all of a provider's keys rest, else how many of them do; empty for none."""
    left = {one.account: one.seconds for one in found}
    resting = [left[one.account] for one in provider.each if one.account in left]
    if not resting:
        return ""
    if len(resting) == len(provider.each):
        return f"{min(resting):.0f} s"
    return f"{len(resting)} of {len(provider.each)} keys"
