"""What a decision may look at beside the call and the rules. Looking changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import override

from wattline.engine.rest import Rest, Resting
from wattline.engine.windows import Claim, Refusal, Windows, longer
from wattline.rules.book import Facts, Provider, Window


class View(Facts):
    """Windows, rests and balances, as they are now. `balance` is micro-units by principal, None for
    one without a limit.
    """

    def __init__(
        self, windows: Windows, resting: Resting, balance: Callable[[str], int | None]
    ) -> None:
        self._windows = windows
        self._resting = resting
        self._balance = balance

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
        """The provider is not resting."""
        return self._resting.resting(provider, now) is None

    def resting(self, provider: str, now: float) -> Rest | None:
        """The provider's rest, if it has one."""
        return self._resting.resting(provider, now)

    def peek(self, window: Window, key: str, now: float, tokens: int = 0) -> Refusal | None:
        """What stops one call of about so many tokens; None when there is room."""
        return self._windows.peek((Claim(window, key, 1, tokens),), now)

    def full(self, provider: Provider, tokens: int, now: float) -> Refusal | None:
        """The window of a provider that keeps a call out for longest; None when all have room."""
        worst: Refusal | None = None
        for window in provider.windows:
            refusal = self.peek(window, window.name, now, tokens)
            if refusal is not None:
                worst = refusal if worst is None else longer(worst, refusal)
        return worst
