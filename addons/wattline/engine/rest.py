"""Providers that rest: left out of plans until a given time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rest:
    """Until when (monotonic seconds) and why. `limited`: the provider itself asked to wait."""

    until: float
    reason: str
    limited: bool = False


class Resting:
    """The providers that rest now, by name. There are never more than the rules name."""

    def __init__(self) -> None:
        self._rests: dict[str, Rest] = {}

    def rest(self, provider: str, until: float, reason: str, *, limited: bool = False) -> None:
        """Let it rest. A rest that ends later stays: a short wait doesn't heal a refused key."""
        known = self._rests.get(provider)
        if known is None or until > known.until:
            self._rests[provider] = Rest(until, reason, limited)

    def resting(self, provider: str, now: float) -> Rest | None:
        """Its rest, or None when it may be tried."""
        rest = self._rests.get(provider)
        if rest is None:
            return None
        if now < rest.until:
            return rest
        del self._rests[provider]
        return None

    def clear(self) -> None:
        """Let every provider be tried again: its key may be another one now."""
        self._rests.clear()
