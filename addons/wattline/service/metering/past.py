"""Rate windows and budgets as the last days left them, and what was made in the last hour, out of the
ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from wattline.engine.health import Health
from wattline.engine.spending import LONGEST, Spending
from wattline.engine.windows import Windows
from wattline.rules.book import Book
from wattline.rules.compiled.provider import FROM_CACHE
from wattline.rules.compiled.window import GLOBAL_KEY, Scope, Window
from wattline.service.remembered import Place, Remembered
from wattline.store.base import State
from wattline.store.fared import fared_since
from wattline.store.reading import Seed, made_since, spent_since, window_seed
from wattline.wire.call import SHADOW
from wattline.wire.http import Ending

FARED_FOR = 3_600.0
"""Seconds that are looked back for the health of targets."""
_NO_TIERS: Mapping[str, str] = MappingProxyType({})


def remember(
    windows: Windows,
    book: Book,
    ledger: Path,
    now: float,
    wall: float,
    tiers: Mapping[str, str] = _NO_TIERS,
) -> int:
    """Count what was sent within the longest window; how many attempts that were. Windows by address
    stay as they are: the ledger knows no addresses. `tiers`: of keys and users that are not in rules.yaml.

    `now` is monotonic seconds, `wall` seconds since 1970. Raises LedgerDown.
    """
    longest = max((w.per for w in _all(book)), default=0.0)
    seeds = window_seed(ledger, int((wall - longest) * 1000))
    counted = 0
    for seed in seeds:
        # A failed attempt gave its slot back.
        if seed.state is not State.FAILED:
            tier = tiers.get(seed.key or seed.principal)
            if seed.key is None:
                tier = book.auth.tiers.get(seed.principal, tier)
            _count(windows, book, seed, now + min(seed.at / 1000 - wall, 0.0), tier)
            counted += 1
    return counted


def recall(remembered: Remembered, ledger: Path, wall: float) -> int:
    """Remember what was made before a restart; how much that was. `wall` is seconds since 1970.

    Raises LedgerDown.
    """
    found = made_since(ledger, int((wall - remembered.ttl) * 1000))
    for made in found:
        place = Place(made.provider, made.model, made.entry, made.account)
        age = wall - made.at / 1000
        remembered.note(made.operation, made.principal, made.id, place, age)
    return len(found)


def heal(health: Health, ledger: Path, now: float, wall: float, version: str | None = None) -> int:
    """Learn how targets fared before a restart; how many attempts that were. Breakers that opened under other rules
    than those of this version are closed: the change of the rules did that. None: the version of the last attempt.
    Raises LedgerDown.
    """
    found = fared_since(ledger, int((wall - FARED_FOR) * 1000))
    if version is None and found:
        version = max(found, key=lambda one: one.began).book
    changed = max((one.began for one in found if one.book != version), default=None)
    for one in found:
        if changed is not None and one.at > changed:
            health.clear()
            changed = None
        place, at = (one.provider, one.model), now + min(one.at / 1000 - wall, 0.0)
        if one.provider == FROM_CACHE:
            continue
        began = at - (one.total_ms or 0) / 1000
        if one.state is State.COMPLETE:
            health.good(place, at, one.first_byte_ms, one.total_ms, began=began)
        elif one.error is not None and one.error != Ending.SHUTDOWN:
            health.bad(place, one.error, at, began=began)
    if not any(one.book == version for one in found):
        health.clear()
    return len(found)


def recount(spending: Spending, ledger: Path, now: float, wall: float) -> None:
    """Count what each key spent within the longest budget. Raises LedgerDown."""
    for spent in spent_since(ledger, int((wall - LONGEST) * 1000)):
        spending.seed(spent.key, now + min(spent.at / 1000 - wall, 0.0), spent.micro)


def _count(windows: Windows, book: Book, seed: Seed, at: float, tier: str | None) -> None:
    provider = book.providers.get(seed.provider)
    if provider is not None:
        used = next((one for one in provider.keys if one.key == seed.account), provider)
        for window in used.windows:
            windows.seed(window, window.name, at, 1, seed.tokens)
    if seed.principal == SHADOW.id:
        return
    for window in book.windows_over(tier):
        if window.scope is Scope.PRINCIPAL:
            windows.seed(window, seed.principal, at, 1, seed.tokens)
        elif window.scope is Scope.GLOBAL:
            windows.seed(window, GLOBAL_KEY, at, 1, seed.tokens)


def _all(book: Book) -> Iterable[Window]:
    yield from book.windows
    for tier in book.tiers.values():
        yield from tier.windows
    for provider in book.providers.values():
        yield from provider.windows  # those of further keys are as long
