"""Providers that rest: left out of plans until a given time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KEPT: Final = 4_096
"""Most that rest at one time: accounts of callers with keys of their own are without number."""
_DROPPED: Final = KEPT // 16
_OWN: Final = " of "
"""In the name of a caller's own account, and of no provider's."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Until when (monotonic seconds) and why. `limited`: the provider itself asked to wait. `guessed`: it did not
    say for how long, and who has no other is tried all the same.
    """

    until: float
    reason: str
    limited: bool = False
    guessed: bool = False


class Resting:
    """The accounts that rest now, by name; never more than `KEPT`."""

    def __init__(self) -> None:
        self._rests: dict[str, Rest] = {}

    @property
    def nobody(self) -> bool:
        """None rests. One whose time is over counts until somebody asks for it."""
        return not self._rests

    def rest(
        self,
        provider: str,
        until: float,
        reason: str,
        *,
        limited: bool = False,
        guessed: bool = False,
    ) -> bool:
        """Let it rest. A rest that ends later stays, and False is returned: a short wait doesn't heal a refused
        key. What was said takes the place of what was only supposed.
        """
        known = self._rests.get(provider)
        supposed = known is not None and known.guessed and not guessed
        if known is not None and not supposed and not until > known.until:
            return False
        self._rests[provider] = Rest(until, reason, limited, guessed)
        if len(self._rests) > KEPT:
            self._drop()
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

    def answered(self, provider: str) -> None:
        """It answered: what was only supposed is over."""
        rest = self._rests.get(provider)
        if rest is not None and rest.guessed:
            del self._rests[provider]

    def clear(self) -> None:
        """Let every provider be tried again: its key may be another one now."""
        self._rests.clear()

    def _drop(self) -> None:
        """Those that end first, or have ended; callers' own before the operator's, which all callers share."""
        rests = self._rests
        for name in sorted(rests, key=lambda name: (_OWN not in name, rests[name].until))[
            :_DROPPED
        ]:
            del rests[name]
