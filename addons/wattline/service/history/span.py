"""A span of the ledger under other rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wattline.engine.backtest import Replay
from wattline.engine.tally import Price, Tally
from wattline.rules.book import Book
from wattline.rules.compiled.target import Target
from wattline.rules.compiled.window import Window
from wattline.service.catalog.costs import ANSWER
from wattline.service.history.past import past_in_short
from wattline.store.books import read_books
from wattline.store.history import history
from wattline.store.reading import reading
from wattline.store.rows import MAX_TIME
from wattline.wire.call import Call

TOLD_EVERY = 2_000
"""Calls between two words on how far it is."""
_SERVED = """
SELECT DISTINCT provider, model FROM attempts WHERE at >= ? AND state = 'complete'"""


@dataclass(frozen=True, slots=True)
class Span:
    """Milliseconds since 1970 UTC."""

    since: int
    until: int = MAX_TIME


def served(ledger: Path, span: Span) -> list[tuple[str, str]]:
    """Providers and models that answered: their keys were there. Raises LedgerDown."""
    with reading(ledger) as connection:
        return connection.execute(_SERVED, (span.since,)).fetchall()


def versions_of(ledger: Path, text: str) -> frozenset[str]:
    """The versions under which this very file was in force. Raises LedgerDown."""
    return frozenset(row.version for row in read_books(ledger) if row.text == text)


def run(
    ledger: Path,
    book: Book,
    span: Span,
    *,
    same: frozenset[str] = frozenset(),
    price: Price | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> tuple[Tally, int]:
    """Replay a span; the sum, and how many calls could not be replayed. Windows begin as they were: what came
    before the span is replayed too and not counted. `tell` hears how many of how many calls are done.

    Raises LedgerDown.
    """
    longest = max((w.per for w in windows_of(book)), default=0.0)
    replay = Replay(book, same, _cost(price))
    tally, start = Tally(book, price), span.since / 1000
    before = 0
    with history(ledger, max(span.since - int(longest * 1000), 0), span.until) as found:
        count = found.count()
        for done, past in enumerate(past_in_short(found.short())):
            made = replay.feed(past)
            if past.at < start:
                before = replay.unknown
            elif made is not None:
                tally.add(made)
            if tell is not None and done % TOLD_EVERY == 0:
                tell(done, count)
    return tally, replay.unknown - before


def _cost(price: Price | None) -> Callable[[Target, Call], float | None] | None:
    if price is None:
        return None

    def cost(target: Target, call: Call) -> float | None:
        known = price(target.provider.name, target.model)
        if known is None:
            return None
        return call.tokens * known[0] + (call.max_output or ANSWER) * known[1]

    return cost


def windows_of(book: Book) -> Iterator[Window]:
    """All that count calls."""
    yield from book.windows
    for tier in book.tiers.values():
        yield from tier.windows
    for provider in book.providers.values():
        yield from provider.windows


def available(
    there: Mapping[str, str | None] | None, seen: list[tuple[str, str]]
) -> dict[str, str | None]:
    """Which providers can be used: as a sidecar says, else those that have answered."""
    found: dict[str, str | None] = {provider: None for provider, _ in seen}
    return found if there is None else {**found, **there}
