"""Public prices of models, from the data that the genai-prices package ships. Nothing is downloaded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from wattline.service.catalog.reported import price

log = logging.getLogger(__name__)

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one token as decimal text; tokens for `context`."""

    prompt: str | None
    completion: str | None
    context: int | None = None
    name: str | None = None
    description: str | None = None
    cached: str | None = None
    """For a token that the provider reads from its cache."""


class Prices:
    """`learn` looks names up in a thread; `of` tells what was learned. The data costs some 10 MB, loaded
    with the first question.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Price | None] = {}
        self._learning = asyncio.Lock()
        self._snapshot: Any = None

    def of(self, model: str, url: str) -> Price | None:
        """The price of a provider's model, by the provider's base URL."""
        return self._known.get((model, url))

    async def learn(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Look up what is not known yet: pairs of model and base URL."""
        missing = [pair for pair in dict.fromkeys(wanted) if pair not in self._known]
        if not missing:
            return
        async with self._learning:
            found = await asyncio.to_thread(self._look_up, missing)
        if len(self._known) > 50_000:
            self._known.clear()
        self._known.update(found)

    def _look_up(self, wanted: list[tuple[str, str]]) -> dict[tuple[str, str], Price | None]:
        try:
            if self._snapshot is None:
                from genai_prices.data_snapshot import (  # noqa: PLC0415  (10 MB that few need)
                    get_snapshot,
                )

                self._snapshot = get_snapshot()
        except Exception:
            log.exception("the table of prices can't be read")
            return dict.fromkeys(wanted)
        return {pair: _price(self._snapshot, *pair) for pair in wanted}


def _price(snapshot: Any, model: str, url: str) -> Price | None:
    try:
        _, info = snapshot.find_provider_model(model, None, None, url)
        prices = info.get_prices(datetime.now(UTC))
    except (LookupError, ValueError, TypeError, AttributeError):
        return None
    return Price(
        prompt=_for_token(getattr(prices, "input_mtok", None)),
        completion=_for_token(getattr(prices, "output_mtok", None)),
        context=info.context_window if isinstance(info.context_window, int) else None,
        name=info.name if isinstance(info.name, str) else None,
        description=info.description if isinstance(info.description, str) else None,
        cached=_for_token(getattr(prices, "cache_read_mtok", None)),
    )


def _for_token(amount: Any) -> str | None:
    base = getattr(amount, "base", amount)  # a price in steps begins with its base
    return price(str(base / MILLION)) if isinstance(base, Decimal) else None
