"""So many requests a minute from one address, or of one user, for pages that guesses could be made at."""

from __future__ import annotations

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Kind
from wattline.engine.windows import Claim, Refusal, Windows
from wattline.rules.compiled.window import Scope, Window
from wattline.service.entrance.addresses import counted_as

PER_MINUTE = 10
"""E-081."""
_MINUTE = 60.0


class Pace:
    """One sliding window with a counter for each key."""

    def __init__(self, name: str, clock: Clock, calls: int = PER_MINUTE) -> None:
        self._windows = Windows()
        self._window = Window(name, _MINUTE, calls=calls, scope=Scope.ADDRESS)
        self._clock = clock

    def take(self, key: str) -> None:
        """Count one request. Raises ClientFault 429."""
        now = self._clock.monotonic()
        taken = self._windows.take([Claim(self._window, key)], now)
        if isinstance(taken, Refusal):
            raise ClientFault(
                f"Too many requests here: {self._window.calls} a minute are allowed.",
                status=429,
                code="rate_limit_exceeded",
                kind=Kind.RATE_LIMIT,
                retry_after=taken.retry_after,
            )

    def take_address(self, address: str) -> None:
        """Count one request of an address, or of the network that it stands for. Raises ClientFault 429."""
        self.take(counted_as(address))
