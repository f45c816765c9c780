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

    @property
    def nobody(self) -> bool:
        """None rests. One whose time is over counts until somebody asks for it."""
        return not self._rests

    def rest(self, provider: str, until: float, reason: str, *, limited: bool = False) -> bool:
        """Let it rest. A rest that ends later stays, and False is returned: a short wait doesn't heal a refused
        key.
        """
        known = self._rests.get(provider)
        if known is not None and not until > known.until:
            return False
        self._rests[provider] = Rest(until, reason, limited)
        return True

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
