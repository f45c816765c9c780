"""Windows over requests: counted with the head of a request, before anything else is done for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Kind, OurFault
from wattline.engine.windows import Claim, Refusal, Windows
from wattline.rules.compiled.window import GLOBAL_KEY, Over, Scope, Window
from wattline.service.entrance.addresses import counted_as
from wattline.wire.call import Principal
from wattline.wire.notice import Standing

OVER_PAGE = frozenset({Over.REQUESTS, Over.PAGES})
OVER_AUTH = frozenset({Over.REQUESTS, Over.PAGES, Over.AUTH})
OVER_SOCKET = frozenset({Over.REQUESTS, Over.SOCKETS})
OVER_CALL = frozenset({Over.REQUESTS})
OVER_INFERENCE = frozenset({Over.REQUESTS, Over.INFERENCE})
OVER_REFUSED = frozenset({Over.REQUESTS})


@dataclass(frozen=True, slots=True)
class Counting:
    """Takes a place for each request in every window that counts it."""

    windows: Windows
    clock: Clock

    def count(
        self, doors: Iterable[Window], over: frozenset[Over], peer: str, caller: Principal | None
    ) -> tuple[ClientFault | None, Standing | None]:
        """Why there is no place, and how the caller stands now. None and None where nothing counts it."""
        claims = [_claim(window, peer, caller) for window in doors if window.over in over]
        if not claims:
            return None, None
        now = self.clock.monotonic()
        taken = self.windows.take(claims, now)
        if not isinstance(taken, Refusal):
            self.windows.settle(taken, 0, now)  # a request has nothing more to tell
        standing = standing_in(self.windows, claims, now, self.clock.wall())
        return (rate_limited(taken) if isinstance(taken, Refusal) else None), standing


def standing_in(
    windows: Windows, claims: Sequence[Claim], now: float, wall: float
) -> Standing | None:
    """How a caller stands in the tightest of these windows; `wall` is seconds since 1970."""
    room = windows.room(claims, now)
    return None if room is None else Standing(room.limit, room.left, math.ceil(wall + room.after))


def rate_limited(refusal: Refusal) -> ClientFault:
    """What a caller is told that has no place in a window."""
    return ClientFault(
        f"Rate limit: {refusal}",
        status=429,
        code="rate_limit_exceeded",
        kind=Kind.RATE_LIMIT,
        retry_after=refusal.retry_after,
    )


def crowded(most: int) -> OurFault:
    """What a caller is told while as many calls as may be are under way."""
    return OurFault(
        f"{most} {'call is' if most == 1 else 'calls are'} under way, which is all that rules.yaml (limits.concurrent) or "
        "MAX_CONCURRENT_REQUESTS allows. Try again in a moment.",
        status=503,
        code="too_many_calls",
        kind=Kind.UNAVAILABLE,
        retry_after=1,
    )


def _claim(window: Window, peer: str, caller: Principal | None) -> Claim:
    if window.scope is Scope.GLOBAL:
        return Claim(window, GLOBAL_KEY)
    if window.scope is Scope.PRINCIPAL:
        if caller is not None:
            return Claim(window, caller.id)
        # Nobody known: counted by address, where no number of addresses pushes out a caller.
        window = replace(window, scope=Scope.ADDRESS)
    return Claim(window, counted_as(peer))
