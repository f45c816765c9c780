"""Switching providers off and on at run time. What a provider is, is in rules.yaml alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Kind
from wattline.engine.parking import Parked, Parking
from wattline.rules.book import Book
from wattline.rules.compiled.target import AS_ASKED
from wattline.service.outage import ledger_told
from wattline.store.base import BadRow
from wattline.store.parking import ParkedRow, SqliteParking

log = logging.getLogger(__name__)


class ParkingDesk:
    """Writes what is off into the ledger's file, then into `parking`, which every decision looks at."""

    def __init__(
        self, store: SqliteParking, parking: Parking, book: Callable[[], Book], clock: Clock
    ) -> None:
        self.parking = parking
        self._store, self._book, self._clock = store, book, clock

    def load(self, rows: Iterable[ParkedRow]) -> None:
        """What was off when the last process ended."""
        for row in rows:
            self.parking.put((row.provider, row.model), Parked(row.at, row.by, row.reason))
            log.warning("%s is off since an operator said so", f"{row.provider}/{row.model}"[:200])

    async def park(self, provider: str, model: str, reason: str | None, by: str) -> Parked:
        """Let nobody call a provider, or with a `model` that model of it. Without a reason an earlier one
        stays. Raises Fault.
        """
        self._check(provider, model)
        if reason is None:
            models = self.parking.models(provider)
            before = models.get(model) if model else self.parking.of(provider)
            reason = before.reason if before is not None else ""
        row = ParkedRow(provider, model, int(self._clock.wall() * 1000), by, reason)
        parked = Parked(row.at, by, reason)
        with _told():
            await self._store.park(row, partial(self.parking.put, (provider, model), parked))
        log.warning("%s switched off by %s", f"{provider}/{model}".rstrip("/")[:200], by)
        return parked

    async def unpark(self, provider: str, model: str, by: str) -> None:
        """Let it be called again. What is not in the rules any more may be taken off the list too.

        Raises ClientFault 409 when it was not off, OurFault.
        """
        with _told():
            done = partial(self.parking.take, (provider, model))
            found = await self._store.unpark(provider, model, done)
        if not found:
            self._check(provider, model)
            raise ClientFault(
                "It is not switched off by an operator.", status=409, code="not_disabled"
            )
        log.warning("%s switched on by %s", f"{provider}/{model}".rstrip("/")[:200], by)

    def _check(self, provider: str, model: str) -> None:
        book = self._book()
        found = book.providers.get(provider)
        if found is None:
            raise _missing(f"There is no provider {provider[:100]!r} in rules.yaml.", "provider")
        if not model:
            return
        known = {listed.id for listed in found.models}
        targets = [t for chain in book.models.values() for t in chain if t.provider is found]
        known |= {target.model for target in targets} - {AS_ASKED}
        if known and model not in known and not any(t.model == AS_ASKED for t in targets):
            shown = ", ".join(sorted(known)[:20])
            text = f"rules.yaml names no model {model[:100]!r} of {provider}. It names: {shown}."
            raise _missing(text, "model")


def _missing(message: str, param: str) -> ClientFault:
    return ClientFault(
        message, status=404, code=f"{param}_not_found", kind=Kind.NOT_FOUND, param=param
    )


@contextmanager
def _told() -> Iterator[None]:
    """What the store says, as a fault."""
    try:
        with ledger_told():
            yield
    except BadRow as error:
        raise ClientFault(f"This can't be kept: {error}.", code="invalid_value") from None
