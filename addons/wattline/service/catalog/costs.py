"""What a call may cost at each of its targets in dollars, for rules that try the cheapest first."""

from __future__ import annotations

from decimal import Decimal

from wattline.rules.book import Book
from wattline.rules.compiled.target import Target
from wattline.service.catalog.join import base_url
from wattline.service.catalog.prices import Prices
from wattline.wire.call import Call

ANSWER = 500
"""Tokens of an answer whose bound the client did not say."""
CHEAPEST = "cheapest"


class Costs:
    """`prices` are public ones; a provider without any there has no cost that is known."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._known: dict[tuple[str, str], tuple[float, float] | None] = {}
        self._saved: dict[tuple[str, str], float | None] = {}

    async def learn(self, book: Book) -> None:
        """Look up the prices of every target, where a rule asks for them. Some 10 MB are loaded then."""
        if not book.affinity.diagnose and all(rule.order != CHEAPEST for rule in book.rules):
            return
        targets = [target for chain in book.models.values() for target in chain]
        wanted = {(t.provider.name, t.model): (t.model, base_url(t.provider)) for t in targets}
        await self._prices.learn(wanted.values())
        self._known = {place: self._price(*pair) for place, pair in wanted.items()}
        self._saved = {place: self._saving(*pair) for place, pair in wanted.items()}

    def of(self, target: Target, call: Call) -> float | None:
        """Dollars for the estimated prompt and the longest answer that is allowed; None: not known."""
        known = self._known.get((target.provider.name, target.model))
        if known is None:
            return None
        prompt, completion = known
        return call.tokens * prompt + (call.max_output or ANSWER) * completion

    def lost(self, target: Target, tokens: int) -> float | None:
        """Dollars that so many tokens of a prompt cost more than out of the provider's cache; None: not known."""
        saved = self._saved.get((target.provider.name, target.model))
        return None if saved is None else tokens * saved

    def _saving(self, model: str, url: str) -> float | None:
        found = self._prices.of(model, url)
        if found is None or found.prompt is None or found.cached is None:
            return None
        return max(float(Decimal(found.prompt) - Decimal(found.cached)), 0.0)

    def _price(self, model: str, url: str) -> tuple[float, float] | None:
        found = self._prices.of(model, url)
        if found is None or found.prompt is None or found.completion is None:
            return None
        return float(Decimal(found.prompt)), float(Decimal(found.completion))
