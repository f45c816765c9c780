"""A view of a moment of the past: what was written down then, and for the rest what can be rebuilt.

Of a target that a decision looked at it is known whether it rested, was switched off or was out for its failures. That
holds under other rules too. Whether its windows had room holds only as long as the same calls went there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, override

from wattline.engine.health import Health
from wattline.engine.parking import Parked
from wattline.engine.past_call import Features, Left, skipped_of
from wattline.engine.rest import Rest, Resting
from wattline.engine.view import View
from wattline.engine.windows import Refusal, Windows
from wattline.rules.book import Provider, Target, Window, account_name
from wattline.wire.call import Call

_NONE: Final[Mapping[str, Left]] = MappingProxyType({})
_NOBODY: Final[frozenset[str]] = frozenset()
NOT_KNOWN: Final = "as it was then; why is not recorded"


class ThenView(View):
    """Set to one call after another with `look`. Windows, rests and health are those of the caller, who brings
    them to the time of the call first.
    """

    def __init__(self, windows: Windows, resting: Resting, health: Health) -> None:
        super().__init__(windows, resting, lambda _: None, None, health)
        self._then: Features | None = None
        self._left: Mapping[str, Left] = _NONE
        self._ready: frozenset[str] = _NOBODY
        self._accounts: frozenset[str] = _NOBODY
        self._exact = False
        self._owner: str | None = None

    def look(self, found: Features, ready: frozenset[str], call: Call, *, exact: bool) -> None:
        """Look at the moment of one call. `ready`: the targets that could be tried. `exact`: the same rules over
        the same calls, so that windows were as they were.
        """
        self._then, self._exact = found, exact
        self._left = skipped_of(found) if found.skipped else _NONE
        self._ready = ready
        self._accounts = frozenset(name.partition("/")[0] for name in ready) if ready else _NOBODY
        self._owner = call.principal.id if call.principal.providers else None

    @override
    def fill(self, window: Window, key: str, now: float) -> float:
        if self._then is not None and self._then.fill and window.name in self._then.fill:
            return self._then.fill[window.name]
        return super().fill(window, key, now)

    @override
    def balance(self, principal: str) -> int | None:
        return self._then.balance.get("micro") if self._then and self._then.balance else None

    @override
    def healthy(self, provider: str, now: float) -> bool:
        if self._then is not None and self._then.healthy and provider in self._then.healthy:
            return self._then.healthy[provider]
        return super().healthy(provider, now)

    @override
    def parked(self, provider: str, model: str = "") -> Parked | None:
        if not self._left or not model:
            return None
        found = self._left.get(f"{provider}/{model}")
        return Parked(0, "", "") if found is not None and found.code == "parked" else None

    @override
    def resting(self, provider: str, now: float) -> Rest | None:
        name = self._provider(provider)
        if name in self._accounts:
            return None
        if self._left and (found := self._of(name, "resting")) is not None:
            return Rest(now + (found.wait or 0.0), NOT_KNOWN, found.limited)
        return super().resting(provider, now)

    @override
    def full(
        self, provider: Provider, tokens: int, now: float, owner: str | None = None
    ) -> Refusal | None:
        if not provider.windows:
            return None
        if self._exact:
            if provider.name in self._accounts:
                return None
            found = self._of(provider.name, "window_full") if self._left else None
            if found is not None:
                window = provider.windows[0]
                key = account_name(window.name, owner)
                return Refusal(window, key, 0, window.calls or 0, "calls", found.wait)
        return super().full(provider, tokens, now, owner)

    @override
    def admits(self, target: Target, now: float) -> bool:
        name = str(target)
        if name in self._ready:
            return True
        if self._left and (found := self._left.get(name)) is not None and found.code == "breaker":
            return False
        return super().admits(target, now)

    def _of(self, provider: str, code: str) -> Left | None:
        """A target of the provider that was left out with this code."""
        for name, left in self._left.items():
            if left.code == code and name.partition("/")[0] == provider:
                return left
        return None

    def _provider(self, account: str) -> str:
        return account if self._owner is None else account.removesuffix(f" of {self._owner}")
