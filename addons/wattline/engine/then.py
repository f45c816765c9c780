"""A view of a moment of the past: what was written down then, and for the rest what can be rebuilt.

Of a target that a decision looked at it is known whether it rested, was switched off or was out for its failures. That
holds under other rules too. Whether its windows had room holds only as long as the same calls went there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, override

from wattline.engine.affinity import Place
from wattline.engine.health import UNTRIED, Figures, Health
from wattline.engine.parking import Parked
from wattline.engine.past_call import Features, Left, skipped_of
from wattline.engine.rest import Rest, Resting
from wattline.engine.view import View
from wattline.engine.windows import Refusal, Windows
from wattline.rules.compiled.facts import Fares, Subject
from wattline.rules.compiled.provider import Provider, account_name
from wattline.rules.compiled.target import Target
from wattline.rules.compiled.window import Window
from wattline.wire.call import Call

_NONE: Final[Mapping[str, Left]] = MappingProxyType({})
_NOBODY: Final[frozenset[str]] = frozenset()
_POOR: Final = Figures(1_000_000, 1.0)
"""Of a target that was not good enough for its caller's tier."""
NOT_KNOWN: Final = "as it was then; why is not recorded"


class ThenView(View):
    """Set to one call after another with `look`. Windows, rests and health are those of the caller, who brings
    them to the time of the call first.
    """

    def __init__(
        self,
        windows: Windows,
        resting: Resting,
        health: Health,
        price: Callable[[Target, Call], float | None] | None = None,
    ) -> None:
        super().__init__(windows, resting, lambda _: None, None, health, price)
        self._then: Features | None = None
        self._left: Mapping[str, Left] = _NONE
        self._ready: frozenset[str] = _NOBODY
        self._accounts: frozenset[str] | None = None
        self._exact = False
        self._kept: Place | None = None

    def look(self, found: Features, planned: Sequence[str], *, exact: bool) -> None:
        """Look at the moment of one call. `planned`: the targets that could be tried. `exact`: the same rules over
        the same calls, so that windows were as they were.
        """
        self._then, self._exact = found, exact
        self._left = skipped_of(found) if found.skipped else _NONE
        self._ready, self._accounts = frozenset(planned), None
        self._kept = _place(planned[0]) if found.kept and planned else None

    @override
    def fill(self, window: Window, key: str, now: float) -> float:
        if self._then is not None and self._then.fill and window.name in self._then.fill:
            return self._then.fill[window.name]
        return super().fill(window, key, now)

    @override
    def balance(self, principal: str) -> int | None:
        return self._then.balance.get("micro") if self._then and self._then.balance else None

    @override
    def fares(self, subject: Subject, now: float) -> Fares:
        found = self._then.health if self._then is not None else None
        if found and (then := found.get(str(subject))) is not None:
            return Fares(*then)
        return super().fares(subject, now)

    @override
    def parked(self, provider: str, model: str = "") -> Parked | None:
        if not self._left or not model:
            return None
        found = self._left.get(f"{provider}/{model}")
        return Parked(0, "", "") if found is not None and found.code == "parked" else None

    @override
    def resting(self, account: str, now: float) -> Rest | None:
        if not self._left and self._resting.nobody:
            return None
        rest = super().resting(account, now)
        if rest is None and not self._left:
            return None
        name = account.partition(" ")[0]  # no provider's name has a space
        if self._was_ready(name):
            return None
        found = self._of(name, "resting")
        return rest if found is None else Rest(now + (found.wait or 0.0), NOT_KNOWN, found.limited)

    @override
    def full(
        self, provider: Provider, tokens: int, now: float, owner: str | None = None
    ) -> Refusal | None:
        if not provider.windows:
            return None
        if self._exact:
            if self._was_ready(provider.name):
                return None
            found = self._of(provider.name, "window_full") if self._left else None
            if found is not None:
                window = provider.windows[0]
                key = account_name(window.name, owner)
                return Refusal(window, key, 0, window.calls or 0, "calls", found.wait)
        return super().full(provider, tokens, now, owner)

    @override
    def admits(self, target: Target, now: float) -> bool:
        if not self._left and self._health.all_well:
            return True
        admitted = super().admits(target, now)
        if admitted and not self._left:
            return True
        name = str(target)
        if name in self._ready:
            return True
        found = self._left.get(name)
        return admitted and (found is None or found.code != "breaker")

    def clear(self, targets: Iterable[Target], tokens: int, now: float) -> bool:
        """Nothing stands in the way of these now: no rest, no full window, no breaker. All are ready at any time, with
        the operator's only key.
        """
        if self._left:
            return False
        rest, trouble = not self._resting.nobody, not self._health.all_well
        for target in targets:
            provider = target.provider
            if rest and self.resting(provider.account, now) is not None:
                return False
            if provider.windows and self.full(provider, tokens, now) is not None:
                return False
            if trouble and not self.admits(target, now):
                return False
        return True

    @override
    def kept_at(self, call: Call, now: float) -> Place | None:
        return self._kept

    @override
    def gated(self, target: Target) -> Figures:
        name = str(target)
        if name in self._ready:
            return UNTRIED
        if self._left and (found := self._left.get(name)) is not None and found.code == "score":
            return _POOR
        return super().gated(target)

    def _of(self, provider: str, code: str) -> Left | None:
        """A target of the provider that was left out with this code."""
        for name, left in self._left.items():
            if left.code == code and name.partition("/")[0] == provider:
                return left
        return None

    def _was_ready(self, provider: str) -> bool:
        """Some target of the provider could be tried."""
        if self._accounts is None:
            self._accounts = frozenset(name.partition("/")[0] for name in self._ready)
        return provider in self._accounts


def _place(target: str) -> Place:
    provider, _, model = target.partition("/")
    return provider, model
