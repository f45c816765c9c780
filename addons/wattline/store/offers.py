"""Provider keys that strangers offered, encrypted, until an operator decides about each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from wattline.store.reading import reading
from wattline.store.rows import Values

type Submit = Callable[[str, Values], asyncio.Future[bool]]
"""Queue a statement: the future is True at its commit when it changed a row."""

type Decision = Literal["waiting", "accepted", "rejected"]

MAX_WAITING = 1_000
"""Offers that wait for a decision; a further one is refused."""
MAX_LISTED = 1_000

_COLUMNS = "id, at, provider, tier, mask, sealed, state, decided, decided_by"
_ADD = (
    "INSERT INTO offered_keys (id, at, provider, tier, mask, sealed, state)"  # noqa: S608 - constants
    " SELECT ?, ?, ?, ?, ?, ?, 'waiting' WHERE"
    f" (SELECT count(*) FROM offered_keys WHERE state = 'waiting') < {MAX_WAITING} RETURNING id"
)
_ACCEPT = (
    "UPDATE offered_keys SET state = 'accepted', decided = ?, decided_by = ?"
    " WHERE id = ? AND state = 'waiting' RETURNING id"
)
_REJECT = (
    "UPDATE offered_keys SET state = 'rejected', sealed = NULL, decided = ?, decided_by = ?"
    " WHERE id = ? AND state <> 'rejected' RETURNING id"
)
_RESEAL = "UPDATE offered_keys SET sealed = ? WHERE id = ? AND sealed = ? RETURNING id"
_SEALED = f"SELECT {_COLUMNS} FROM offered_keys WHERE sealed IS NOT NULL ORDER BY at, id"  # noqa: S608 - constants
_LIST = (
    f"SELECT {_COLUMNS} FROM offered_keys WHERE (?1 IS NULL OR state = ?1)"  # noqa: S608 - constants
    " ORDER BY at DESC, id LIMIT ?2 OFFSET ?3"
)
_COUNT = "SELECT count(*) FROM offered_keys WHERE (?1 IS NULL OR state = ?1)"
_ONE = f"SELECT {_COLUMNS} FROM offered_keys WHERE id = ?"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Offer:
    """One key. Times are milliseconds since 1970 UTC; `sealed` is None once it was rejected."""

    id: str
    at: int
    provider: str
    tier: str | None
    mask: str
    sealed: str | None = field(repr=False)
    state: Decision = "waiting"
    decided: int | None = None
    decided_by: str | None = None


class SqliteOffers:
    """The verbs, in the ledger's file. Each raises LedgerDown."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    async def add(self, offer: Offer) -> bool:
        """Keep one; False when `MAX_WAITING` wait already."""
        values = (offer.id, offer.at, offer.provider, offer.tier, offer.mask, offer.sealed)
        return await asyncio.shield(self._submit(_ADD, values))

    async def accept(self, offer: str, at: int, by: str) -> bool:
        """False when there is no such one that waits."""
        return await asyncio.shield(self._submit(_ACCEPT, (at, by, offer)))

    async def reject(self, offer: str, at: int, by: str) -> bool:
        """Forget the key itself; False when there is none to forget."""
        return await asyncio.shield(self._submit(_REJECT, (at, by, offer)))

    async def reseal(self, offer: Offer, sealed: str) -> bool:
        """The same key, sealed anew; False when the row is another by now."""
        return await asyncio.shield(self._submit(_RESEAL, (sealed, offer.id, offer.sealed)))


def read_sealed(path: Path) -> list[Offer]:
    """All whose keys are kept, the oldest first. Raises LedgerDown."""
    with reading(path) as connection:
        return [Offer(*row) for row in connection.execute(_SEALED)]


def read_offers(
    path: Path, state: Decision | None = None, limit: int = MAX_LISTED, offset: int = 0
) -> tuple[list[Offer], int]:
    """Offers, the newest first, and how many there are in all. Raises LedgerDown."""
    with reading(path) as connection:
        found = [Offer(*row) for row in connection.execute(_LIST, (state, limit, offset))]
        (total,) = connection.execute(_COUNT, (state,)).fetchone()
    return found, int(total)


def read_offer(path: Path, offer: str) -> Offer | None:
    """One by its id. Raises LedgerDown."""
    with reading(path) as connection:
        row = connection.execute(_ONE, (offer,)).fetchone()
    return None if row is None else Offer(*row)
