"""What a decision may look at beside the call and the rules. Looking changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import override

from wattline.engine.breaker import State
from wattline.engine.health import Figures, Health
from wattline.engine.parking import Parked, Parking
from wattline.engine.rest import Rest, Resting
from wattline.engine.windows import Claim, Refusal, Windows, longer
from wattline.rules.book import Facts, Provider, Target, Window, account_name
from wattline.wire.call import Call


class View(Facts):
    """Windows, rests, balances and what is switched off, as they are now. `balance` is micro-units by
    principal, None for one without a limit.
    """

    def __init__(
        self,
        windows: Windows,
        resting: Resting,
        balance: Callable[[str], int | None],
        parking: Parking | None = None,
        health: Health | None = None,
        price: Callable[[Target, Call], float | None] | None = None,
    ) -> None:
        self._windows = windows
        self._resting = resting
        self._balance = balance
        self._parking = Parking() if parking is None else parking
        self._health = Health() if health is None else health
        self._price = price

    @override
    def fill(self, window: Window, key: str, now: float) -> float:
        """How full a window is, 0.0 to 1.0."""
        return self._windows.fill(window, key, now)

    @override
    def balance(self, principal: str) -> int | None:
        """Micro-units of energy left; None when the principal has no limit."""
        return self._balance(principal)

    @override
    def healthy(self, provider: str, now: float) -> bool:
        """The provider is not resting, not switched off, and not out for its failures."""
        if self._resting.resting(provider, now) is not None:
            return False
        return self._parking.of(provider) is None and not self._health.account_out(provider, now)

    def admits(self, target: Target, now: float) -> bool:
        """The target's breaker lets a call try it."""
        return self._health.admits((target.account, target.model), now)

    def breaker(self, target: Target, now: float) -> State:
        """The state of the target's breaker."""
        return self._health.state((target.account, target.model), now)

    def breaker_wait(self, target: Target, now: float) -> float | None:
        """Seconds until a target that its breaker keeps out may be tried, where that is known."""
        return self._health.wait((target.account, target.model), now)

    def figures(self, target: Target) -> Figures:
        """How the target fared lately."""
        return self._health.figures((target.account, target.model))

    def price(self, target: Target, call: Call) -> float | None:
        """What the call may cost there in US dollars; None where no price is known."""
        return None if self._price is None else self._price(target, call)

    def resting(self, provider: str, now: float) -> Rest | None:
        """The provider's rest, if it has one."""
        return self._resting.resting(provider, now)

    def parked(self, provider: str, model: str = "") -> Parked | None:
        """Why an operator lets nobody call a provider, or a model of it; None when it may be tried."""
        return self._parking.of(provider, model)

    def parked_models(self, provider: str) -> dict[str, Parked]:
        """The models of a provider that are switched off one by one."""
        return self._parking.models(provider)

    def used(self, window: Window, key: str, now: float) -> tuple[int, int]:
        """Calls and tokens that a window counts now."""
        return self._windows.used(window, key, now)

    def peek(self, window: Window, key: str, now: float, tokens: int = 0) -> Refusal | None:
        """What stops one call of about so many tokens; None when there is room."""
        return self._windows.peek((Claim(window, key, 1, tokens),), now)

    def full(
        self, provider: Provider, tokens: int, now: float, owner: str | None = None
    ) -> Refusal | None:
        """The window of a provider that keeps a call out for longest; None when all have room. With `owner`
        those over the calls that take this caller's own key.
        """
        worst: Refusal | None = None
        for window in provider.windows:
            refusal = self.peek(window, account_name(window.name, owner), now, tokens)
            if refusal is not None:
                worst = refusal if worst is None else longer(worst, refusal)
        return worst
