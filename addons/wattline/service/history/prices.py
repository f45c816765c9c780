"""What tokens cost at each target of a book, for reports on the past."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from decimal import Decimal

from wattline.engine.tally import Price as PriceOf
from wattline.rules.book import Book
from wattline.rules.compiled.target import AS_ASKED
from wattline.service.catalog.join import base_url
from wattline.service.catalog.prices import Price, Prices


def known_prices(book: Book, places: Iterable[tuple[str, str]] = ()) -> PriceOf:
    """Public prices of the book's targets and of further ones by provider and model. Some 10 MB are loaded."""
    targets = [target for chain in book.models.values() for target in chain]
    wanted = {(t.provider.name, t.model) for t in targets if t.model != AS_ASKED} | set(places)
    urls = {name: base_url(provider) for name, provider in book.providers.items()}
    asked = {place: (place[1], urls[place[0]]) for place in wanted if place[0] in urls}
    prices = Prices()
    asyncio.run(prices.learn(asked.values()))
    known = {place: _tokens(prices.of(*pair)) for place, pair in asked.items()}
    return lambda provider, model: known.get((provider, model))


def _tokens(price: Price | None) -> tuple[float, float] | None:
    if price is None or price.prompt is None or price.completion is None:
        return None
    return float(Decimal(price.prompt)), float(Decimal(price.completion))
