"""Rate windows as JSON: what they allow, what is used, what is left."""

from __future__ import annotations

from typing import Any

from wattline.engine.view import View
from wattline.rules.book import Book
from wattline.rules.compiled.window import GLOBAL_KEY, Scope, Window
from wattline.service.entrance.addresses import counted_as
from wattline.wire.call import Principal


def window_facts(window: Window, key: str, view: View, now: float) -> dict[str, Any]:
    """One window under one key. `freeAfter` is seconds until one more call fits; null while one does."""
    calls, tokens = view.used(window, key, now)
    full = view.peek(window, key, now)
    return {
        "name": window.name,
        "scope": window.scope.value,
        "seconds": window.per,
        "calls": _bound(window.calls, calls),
        "tokens": _bound(window.tokens, tokens),
        "freeAfter": None if full is None else full.retry_after,
    }


def caller_windows(
    caller: Principal, peer: str | None, book: Book, view: View, now: float
) -> list[dict[str, Any]]:
    """Each window over a caller, those of its tier included; those over addresses with a `peer` only."""
    keys = {Scope.PRINCIPAL: caller.id, Scope.GLOBAL: GLOBAL_KEY}
    if peer is not None:
        keys[Scope.ADDRESS] = counted_as(peer)
    return [
        window_facts(window, keys[window.scope], view, now)
        for window in book.windows_over(caller.tier)
        if window.scope in keys
    ]


def tier_facts(name: str | None, book: Book) -> dict[str, Any] | None:
    """A tier by its bounds, as B's clients read them; None without one, or when the rules have it no more."""
    tier = book.tiers.get(name) if name is not None else None
    if tier is None:
        return None
    by_span = {window.per: window for window in tier.windows}
    second, minute, day = (by_span.get(per) for per in (1.0, 60.0, 86_400.0))
    return {
        "name": name,
        "rps": None if second is None else second.calls,
        "rpm": None if minute is None else minute.calls,
        "rpd": None if day is None else day.calls,
        "tpm": None if minute is None else minute.tokens,
        "min_provider_score": None if tier.min_score is None else float(tier.min_score),
    }


def _bound(limit: int | None, used: int) -> dict[str, int] | None:
    if limit is None:
        return None
    return {"limit": limit, "used": used, "left": max(limit - used, 0)}
