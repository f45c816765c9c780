"""What a decision may look at beside the call and the rules. Looking changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import override

from wattline.engine.affinity import Affinity, Place
from wattline.engine.breaker import State
from wattline.engine.health import Figures, Health
from wattline.engine.parking import Parked, Parking
from wattline.engine.rest import Rest, Resting
from wattline.engine.windows import Claim, Refusal, Windows, longer
from wattline.rules.compiled.facts import HEALTHY, OUT, RESTING, Facts, Fares, Subject
from wattline.rules.compiled.provider import Provider, account_name
from wattline.rules.compiled.target import Target
from wattline.rules.compiled.window import Window
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
        affinity: Affinity | None = None,
    ) -> None:
        self._windows = windows
        self._resting = resting
        self._balance = balance
        self._parking = Parking() if parking is None else parking
        self._health = Health() if health is None else health
        self._price = price
        self._affinity = affinity

    @override
    def fill(self, window: Window, key: str, now: float) -> float:
        """How full a window is, 0.0 to 1.0."""
        return self._windows.fill(window, key, now)

    @override
    def balance(self, principal: str) -> int | None:
        """Micro-units of energy left; None when the principal has no limit."""
        return self._balance(principal)

    @override
    def fares(self, subject: Subject, now: float) -> Fares:
        """How a provider, or a model of it, does with the operator's keys."""
        if subject.model:
            figures = self._health.figures((subject.provider, subject.model))
        else:
            figures = self._health.figures_of(subject.provider)
        state = self._state(subject, now)
        return Fares(state, figures.calls, figures.score, figures.errors, figures.first_ms)

    def _state(self, subject: Subject, now: float) -> str:
        provider, model = subject.provider, subject.model
        if self.parked(provider, model) is not None:
            return OUT
        if all(self.resting(account, now) is not None for account in subject.accounts):
            return RESTING
        if model:
            return HEALTHY if self._health.state((provider, model), now) is State.CLOSED else OUT
        return OUT if self.out(provider, now) else HEALTHY

    def out(self, provider: str, now: float) -> bool:
        """So many of the provider's models fail that it is left out as a whole."""
        return self._health.account_out(provider, now)

    def admits(self, target: Target, now: float) -> bool:
        """The target's breaker lets a call try it."""
        return self._health.admits(target.place, now)

    def breaker(self, target: Target, now: float) -> State:
        """The state of the target's breaker."""
        return self._health.state(target.place, now)

    def breaker_wait(self, target: Target, now: float) -> float | None:
        """Seconds until a target that its breaker keeps out may be tried, where that is known."""
        return self._health.wait(target.place, now)

    def figures(self, target: Target) -> Figures:
        """How the target fared lately."""
        return self._health.figures(target.place)

    def worst(self, provider: str, now: float) -> State:
        """The worst breaker among a provider's models."""
        return self._health.worst(provider, now)

    def tried(self, provider: str) -> list[str]:
        """The models of a provider that were tried with the operator's keys, in the order of their names."""
        return self._health.models_of(provider)

    def gated(self, target: Target) -> Figures:
        """The figures that a caller's tier looks at."""
        return self.figures(target)

    def price(self, target: Target, call: Call) -> float | None:
        """What the call may cost there in US dollars; None where no price is known."""
        return None if self._price is None else self._price(target, call)

    def kept_at(self, call: Call, now: float) -> Place | None:
        """The provider and model that answered the call's conversation last."""
        return None if self._affinity is None else self._affinity.of(call, now)

    def resting(self, account: str, now: float) -> Rest | None:
        """The rest of an account at a provider, if it has one."""
        return self._resting.resting(account, now)

    def _all_full(self, keys: Iterable[Provider], tokens: int, now: float) -> Refusal | None:
        best: Refusal | None = None
        for one in keys:
            refusal = self.full(one, tokens, now)
            if refusal is None:
                return None
            best = refusal if best is None or longer(best, refusal) is best else best
        return best

    def rests(self, provider: Provider, now: float) -> Rest | None:
        """The provider's rest: while all of its keys rest, the one that ends first."""
        first: Rest | None = None
        for one in provider.each:
            rest = self.resting(one.account, now)
            if rest is None:
                return None
            first = rest if first is None or rest.until < first.until else first
        return first

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
        those over the calls that take this caller's own key. Of several keys the one that has room first counts.
        """
        if provider.keys and owner is None:
            return self._all_full(provider.keys, tokens, now)
        worst: Refusal | None = None
        for window in provider.windows:
            refusal = self.peek(window, account_name(window.name, owner), now, tokens)
            if refusal is not None:
                worst = refusal if worst is None else longer(worst, refusal)
        return worst
