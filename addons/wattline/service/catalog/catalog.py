"""The catalog: asked by pages, kept fresh while it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wattline.base.clock import Clock
from wattline.base.origin import Origin
from wattline.engine.view import View
from wattline.rules.book import Book
from wattline.rules.compiled.provider import Provider
from wattline.rules.compiled.target import AS_ASKED
from wattline.service.catalog.entry import Entry, ProviderEntry
from wattline.service.catalog.join import Sources, base_url, entries, one, providers, sorted_entries
from wattline.service.catalog.prices import Prices
from wattline.service.catalog.reports import Reports
from wattline.wire.call import LOCAL, Principal

KEPT_SECONDS = 1.0
"""How long a joined list answers for its caller: a burst of questions is joined once."""
MAX_KEPT = 64
AT_ONCE = 16
"""Names looked at before others have their turn of the event loop."""

type _Key = tuple[str, str | None, str | None, frozenset[tuple[str, Origin]], str, int]


class Catalog:
    """What there is to call, for each caller."""

    def __init__(
        self, book: Callable[[], Book], view: View, clock: Clock, reports: Reports, prices: Prices
    ) -> None:
        self._book = book
        self._view = view
        self._clock = clock
        self._reports = reports
        self._prices = prices
        self._kept: dict[_Key, tuple[float, list[Entry]]] = {}

    async def models(self, principal: Principal) -> list[Entry]:
        """What this caller can call; what would be answered now comes first."""
        await self._reports.fresh()
        book = self._book()
        who = (principal.id, principal.tier, principal.key, principal.providers)
        key = (*who, book.version, self._reports.version)
        kept = self._kept.get(key)
        if kept is not None and self._clock.monotonic() - kept[0] < KEPT_SECONDS:
            return kept[1]
        await self._prices.learn(self._priced(book))
        found = sorted_entries(await _gathered(self._sources(book), principal))
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[key] = self._clock.monotonic(), found
        return found

    async def model(self, principal: Principal, name: str) -> Entry | None:
        """One of them, by the name to call it by."""
        listed = await self.models(principal)
        found = next((entry for entry in listed if entry.id == name), None)
        return found or one(name, self._sources(self._book()), principal)

    async def providers(self, principal: Principal = LOCAL) -> list[ProviderEntry]:
        """Every provider and its state for this caller, who may have a key of its own for it."""
        await self._reports.fresh()
        return providers(self._sources(self._book()), principal)

    def states(self, principal: Principal) -> dict[str, str]:
        """`ProviderEntry.status` of every provider, as it is known now."""
        found = providers(self._sources(self._book()), principal)
        return {entry.id: entry.status for entry in found}

    def closed(self) -> str | None:
        """Why no provider can be used until somebody does something; None while one can. One that rests or is
        at its limit comes back by itself, and one that lacks a key can be a user's with an own one.
        """
        book = self._book()
        found = [one for one in book.providers.values() if not one.demo or not book.configured]
        if not found or not all(self._is_closed(one) for one in found):
            return None
        return "no provider can be used: each is off, or lacks what it needs"

    def _is_closed(self, provider: Provider) -> bool:
        parked = self._view.parked(provider.name) is not None
        return parked or provider.unavailable is not None

    async def refresh(self) -> None:
        """Ask all providers for their models anew."""
        await self._reports.refresh()
        self._kept.clear()

    def _sources(self, book: Book) -> Sources:
        return Sources(
            book,
            self._view,
            self._reports.of,
            self._prices.of,
            self._clock.monotonic(),
            self._clock.wall(),
        )

    def _priced(self, book: Book) -> list[tuple[str, str]]:
        wanted = [
            (target.model, base_url(target.provider))
            for chain in book.models.values()
            for target in chain
            if target.model != AS_ASKED and _has_price(target.provider)
        ]
        for provider in book.providers.values():
            if _has_price(provider):
                url = base_url(provider)
                wanted += [(report.id, url) for report in self._reports.of(provider)]
        return wanted


def _has_price(provider: Provider) -> bool:
    """A public one: what speaks plain HTTP stands in the operator's own network."""
    return provider.unavailable is None and provider.origin.scheme == "https"


async def _gathered(sources: Sources, principal: Principal) -> list[Entry]:
    found = []
    for number, entry in enumerate(entries(sources, principal)):
        if entry is not None:
            found.append(entry)
        if number % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
    return found
