"""Wrong credentials, counted by address: after so many in a minute it can't try new ones.

An address over its bound is told 429 whatever it sends, right or wrong, so that a guess learns nothing. What was
right from that address before still works: callers that share it with a guesser are not locked out, only those
that come for the first time within that minute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Kind
from wattline.engine.windows import Claim, Refusal, Windows
from wattline.rules.compiled.entrance import Auth
from wattline.rules.compiled.window import Scope, Window
from wattline.service.entrance.addresses import counted_as
from wattline.wire.call import Principal

MINUTE: Final = 60.0
MAX_PROVED: Final = 10_000
"""Addresses and credentials in one of the two halves of what was right."""
NAME: Final = "wrong credentials"


class Guesses:
    """Of all addresses. `ours` tells secrets that nobody has by guessing, though they let nobody in: tokens that
    have ended, the master token where it counts for nothing.
    """

    def __init__(self, clock: Clock, ours: Callable[[str], bool] = lambda _: False) -> None:
        self._clock = clock
        self._ours = ours
        self._windows = Windows()
        self._any = False
        # Two halves: the older one is dropped whole when the younger one is full.
        self._proved: dict[tuple[str, str], None] = {}
        self._older: dict[tuple[str, str], None] = {}

    def wrong(self, auth: Auth, peer: str, shown: Sequence[str] = ()) -> None:
        """As `failed`. Raises ClientFault 429 for an address over its bound."""
        self.refuse(auth, peer)
        self.failed(auth, peer, shown)

    def admit(self, auth: Auth, peer: str, who: str) -> None:
        """A credential was right. Raises ClientFault 429 if it is new to an address over its bound."""
        if not auth.wrong_per_minute:
            return
        pair = (peer, who)
        if pair in self._proved:
            return
        if self._any and pair not in self._older:
            self.refuse(auth, peer)
        if len(self._proved) >= MAX_PROVED:
            self._older, self._proved = self._proved, {}
        self._proved[pair] = None

    def refuse(self, auth: Auth, peer: str) -> None:
        """Raises ClientFault 429 for an address over its bound."""
        if not self._any or not auth.wrong_per_minute:
            return
        claim = Claim(_window(auth), counted_as(peer))
        refusal = self._windows.peek((claim,), self._clock.monotonic())
        if refusal is not None:
            raise _too_many(refusal)

    def failed(self, auth: Auth, peer: str, shown: Sequence[str] = ()) -> None:
        """A credential was wrong: one of those that were `shown`, or else a password."""
        if not auth.wrong_per_minute or (shown and all(map(self._ours, shown))):
            return
        self._any = True
        now = self._clock.monotonic()
        taken = self._windows.take((Claim(_window(auth), counted_as(peer)),), now)
        if not isinstance(taken, Refusal):
            self._windows.settle(taken, 0, now)


def identity(principal: Principal) -> str:
    """Which credential it was."""
    return principal.hashed or principal.id


def _window(auth: Auth) -> Window:
    return Window(NAME, MINUTE, auth.wrong_per_minute, scope=Scope.ADDRESS)


def _too_many(refusal: Refusal) -> ClientFault:
    return ClientFault(
        "Too many wrong credentials from this address. Until it is over no new one is looked at.",
        status=429,
        code="too_many_attempts",
        kind=Kind.RATE_LIMIT,
        retry_after=refusal.retry_after,
    )
