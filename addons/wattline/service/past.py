"""Rate windows as the last minutes left them, out of the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wattline.engine.windows import Windows
from wattline.rules.book import Book, Scope, Window
from wattline.rules.conditions import GLOBAL_KEY
from wattline.store.base import State
from wattline.store.reading import Seed, window_seed


def remember(windows: Windows, book: Book, ledger: Path, now: float, wall: float) -> int:
    """Count what was sent within the longest window; how many attempts that were. Windows by address
    stay as they are: the ledger knows no addresses.

    `now` is monotonic seconds, `wall` seconds since 1970. Raises LedgerDown.
    """
    longest = max((w.per for w in _all(book)), default=0.0)
    seeds = window_seed(ledger, int((wall - longest) * 1000))
    counted = 0
    for seed in seeds:
        # A failed attempt gave its slot back.
        if seed.state is not State.FAILED:
            _count(windows, book, seed, now + min(seed.at / 1000 - wall, 0.0))
            counted += 1
    return counted


def _count(windows: Windows, book: Book, seed: Seed, at: float) -> None:
    provider = book.providers.get(seed.provider)
    for window in provider.windows if provider is not None else ():
        windows.seed(window, window.name, at, 1, seed.tokens)
    for window in book.windows:
        if window.scope is Scope.PRINCIPAL:
            windows.seed(window, seed.principal, at, 1, seed.tokens)
        elif window.scope is Scope.GLOBAL:
            windows.seed(window, GLOBAL_KEY, at, 1, seed.tokens)


def _all(book: Book) -> Iterable[Window]:
    yield from book.windows
    for provider in book.providers.values():
        yield from provider.windows
