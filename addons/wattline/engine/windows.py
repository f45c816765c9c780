"""True sliding windows: so many calls or tokens in any `per` seconds (C-080, C-081).

Rules of this file. `now` is monotonic seconds and never goes back. A slot is taken when a call is sent
and given back when it fails: in the end only successes count (C-082), and no two calls can take one
free slot. No method awaits, so nothing comes between a check and its taking. A slot counts while its
age is less than `per`. Memory is bounded: what expired is dropped when its counter is touched, idle
keys are swept a few at a time, and the number of keys of a window and of slots of a key has a cap.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wattline.base.amounts import plain
from wattline.engine.counter import MAX_SLOTS, Counter, Slot
from wattline.rules.compiled.window import Over, Scope, Window

MAX_KEYS = 10_000
"""Keys kept for one window in one scope. Past it the key that took nothing for the longest time is forgotten."""
ADDRESS_SLOTS = 128
"""Slots kept for one address before they are joined: anybody may have many addresses. Beyond so many in a
period a slot may count 1/64 of it longer, never shorter."""
SWEPT = 16
"""Idle keys dropped in one call, at most."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call wants of a window, under whose key. Raises ValueError for a negative amount."""

    window: Window
    key: str
    calls: int = 1
    tokens: int = 0

    def __post_init__(self) -> None:
        if self.calls < 0 or self.tokens < 0:
            raise ValueError(f"a claim can't be negative: {self.calls} calls, {self.tokens} tokens")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A window has no room. `retry_after` is seconds until it has, if nothing else is taken before;
    None: never, since `asked` is more than the whole limit.
    """

    window: Window
    key: str
    used: int
    limit: int
    unit: str
    """`calls`, `tokens`, or `requests`."""
    retry_after: float | None
    asked: int = 1

    def __str__(self) -> str:
        name, per = self.window.name, f"{plain(self.window.per)} s"
        if self.retry_after is None:
            return (
                f"window {name}: {self.asked} {self.unit} asked, {self.limit} allowed in {per}; "
                "never free for this call"
            )
        counted = f"{self.used} of {self.limit} {self.unit} in {per}"
        if self.used > self.limit:  # the limit was larger, or there was none
            counted = f"{self.used} {self.unit} counted in {per}, {self.limit} allowed"
        return f"window {name}: {counted}; free in {self.retry_after:.1f} s"


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of a window's `limit` calls, and the seconds until more than that is."""

    limit: int
    left: int
    after: float


class Ticket:
    """Slots taken together. It is closed by its first `settle` or `release`."""

    __slots__ = ("closed", "parts")

    def __init__(self, parts: Sequence[tuple[Counter, Slot]]) -> None:
        self.parts = parts
        self.closed = False

    def __repr__(self) -> str:
        return f"<Ticket {len(self.parts)} slots {'closed' if self.closed else 'open'}>"


type _Identity = tuple[str, float, Scope]
"""Name, period and scope: what a rules file may change of a window, and not lose its counters, is the rest."""


class Windows:
    """The state of all windows in this process."""

    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        self._max_keys = max_keys
        self._counters: dict[_Identity, OrderedDict[str, Counter]] = {}
        # The windows in turn, so that those of an older rules file are swept too.
        self._rota: deque[_Identity] = deque()

    @property
    def size(self) -> int:
        """Keys that are kept, over all windows."""
        return sum(len(keys) for keys in self._counters.values())

    def take(self, claims: Sequence[Claim], now: float) -> Ticket | Refusal:
        """Take all claims or none of them. The refusal is the one that lasts longest."""
        if len(claims) > 1:
            claims = _joined(claims)
        refusal = self._refusal(claims, now)
        if refusal is not None:
            return refusal
        self._sweep(now)
        parts = []
        for claim in claims:
            counter = self._kept(claim.window, claim.key)
            parts.append((counter, counter.add(now, claim.calls, claim.tokens)))
        return Ticket(parts)

    def count(self, claims: Iterable[Claim], now: float) -> Ticket:
        """Take what was given already, whether there is room or not: for calls of the past."""
        parts = []
        for claim in claims:
            counter = self._kept(claim.window, claim.key)
            counter.expire(now)
            parts.append((counter, counter.add(now, claim.calls, claim.tokens)))
        return Ticket(parts)

    def peek(self, claims: Sequence[Claim], now: float) -> Refusal | None:
        """What `take` would refuse, without taking."""
        return self._refusal(_joined(claims) if len(claims) > 1 else claims, now)

    def room(self, claims: Iterable[Claim], now: float) -> Room | None:
        """That of the window with the fewest calls left; None when none of these counts calls."""
        tightest: Room | None = None
        for claim in claims:
            limit = claim.window.calls
            if limit is None:
                continue
            room = self._room(claim, limit, now)
            if tightest is None or (room.left, -room.after) < (tightest.left, -tightest.after):
                tightest = room
        return tightest

    def settle(self, ticket: Ticket, tokens: int, now: float) -> None:
        """Put the real count in the place of the reserved tokens. The slots keep their time."""
        if ticket.closed:
            return
        ticket.closed = True
        for counter, slot in ticket.parts:
            counter.expire(now)
            counter.settle(slot, max(tokens, 0))

    def release(self, ticket: Ticket, now: float) -> None:
        """Give the slots back as if they had never been taken."""
        if ticket.closed:
            return
        ticket.closed = True
        for counter, slot in ticket.parts:
            counter.expire(now)
            counter.release(slot)

    def fill(self, window: Window, key: str, now: float) -> float:
        """How full it is, 0.0 to 1.0: calls or tokens, whichever is nearer to its limit."""
        counter = self._find(window, key)
        if counter is None:
            return 0.0
        counter.expire(now)
        calls = counter.calls / window.calls if window.calls else 0.0
        tokens = counter.tokens / window.tokens if window.tokens else 0.0
        return min(max(calls, tokens), 1.0)

    def used(self, window: Window, key: str, now: float) -> tuple[int, int]:
        """Calls and tokens that it counts now."""
        counter = self._find(window, key)
        if counter is None:
            return 0, 0
        counter.expire(now)
        return counter.calls, counter.tokens

    def seed(self, window: Window, key: str, at: float, calls: int, tokens: int) -> None:
        """Count what was taken at `at`, before a restart. Cheap when called in the order of time.

        Raises ValueError for a time that is not finite or a negative count.
        """
        if not math.isfinite(at) or calls < 0 or tokens < 0:
            raise ValueError(
                f"can't seed {window.name} with {calls} calls, {tokens} tokens at {at}"
            )
        self._kept(window, key).seed(at, calls, tokens)

    def _room(self, claim: Claim, limit: int, now: float) -> Room:
        counter = self._find(claim.window, claim.key)
        if counter is None:
            return Room(limit, limit, 0.0)
        counter.expire(now)
        used = counter.calls
        after = counter.freed_after(max(used + 1 - limit, 1), now, tokens=False) if used else 0.0
        return Room(limit, max(limit - used, 0), after)

    def _find(self, window: Window, key: str) -> Counter | None:
        keys = self._counters.get((window.name, window.per, window.scope))
        return None if keys is None else keys.get(key)

    def _kept(self, window: Window, key: str) -> Counter:
        """The counter, made if need be, marked as the one used last."""
        identity = (window.name, window.per, window.scope)
        keys = self._counters.get(identity)
        if keys is None:
            keys = self._counters[identity] = OrderedDict()
            self._rota.append(identity)
        counter = keys.get(key)
        if counter is not None:
            keys.move_to_end(key)
            return counter
        if len(keys) >= self._max_keys:
            keys.popitem(last=False)
        slots = ADDRESS_SLOTS if window.scope is Scope.ADDRESS else MAX_SLOTS
        counter = keys[key] = Counter(window.per, slots)
        return counter

    def _refusal(self, claims: Iterable[Claim], now: float) -> Refusal | None:
        worst: Refusal | None = None
        for claim in claims:
            counter = self._find(claim.window, claim.key)
            if counter is not None:
                counter.expire(now)
            refusal = _check(claim, counter, now)
            if refusal is not None:
                worst = refusal if worst is None else longer(worst, refusal)
        return worst

    def _sweep(self, now: float) -> None:
        """Drop idle keys of one window. The one that took nothing for the longest time is first."""
        if not self._rota:
            return
        identity = self._rota.popleft()
        keys = self._counters[identity]
        for _ in range(SWEPT):
            if not keys or not next(iter(keys.values())).idle(now):
                break
            keys.popitem(last=False)
        if keys:
            self._rota.append(identity)
        else:
            del self._counters[identity]


def longer(one: Refusal, other: Refusal) -> Refusal:
    """The refusal that lasts longer; one that lasts for ever before all."""
    if one.retry_after is None or other.retry_after is None:
        return one if one.retry_after is None else other
    return other if other.retry_after > one.retry_after else one


def _joined(claims: Sequence[Claim]) -> Sequence[Claim]:
    """Claims of one window and key as one claim, so that together they can't pass its limit."""
    places = {(claim.window, claim.key) for claim in claims}
    if len(places) == len(claims):
        return claims
    calls = dict.fromkeys(places, 0)
    tokens = dict.fromkeys(places, 0)
    for claim in claims:
        calls[claim.window, claim.key] += claim.calls
        tokens[claim.window, claim.key] += claim.tokens
    return [Claim(*place, calls[place], tokens[place]) for place in places]


def _check(claim: Claim, counter: Counter | None, now: float) -> Refusal | None:
    window = claim.window
    used_calls, used_tokens = (counter.calls, counter.tokens) if counter is not None else (0, 0)
    # A call of unknown size needs at least one token of room: full is full.
    need = claim.tokens or 1
    worst = None
    if window.calls is not None and used_calls + claim.calls > window.calls and claim.calls:
        after = _free_after(counter, window.calls, claim.calls, now, tokens=False)
        unit = "calls" if window.over is Over.CALLS else "requests"
        worst = Refusal(window, claim.key, used_calls, window.calls, unit, after, claim.calls)
    if window.tokens is not None and used_tokens + need > window.tokens:
        after = _free_after(counter, window.tokens, need, now, tokens=True)
        refusal = Refusal(window, claim.key, used_tokens, window.tokens, "tokens", after, need)
        worst = refusal if worst is None else longer(worst, refusal)
    return worst


def _free_after(
    counter: Counter | None, limit: int, asked: int, now: float, *, tokens: bool
) -> float | None:
    """Seconds until `asked` more fit; None when they never do."""
    if asked > limit or counter is None:
        return None
    excess = (counter.tokens if tokens else counter.calls) + asked - limit
    return counter.freed_after(excess, now, tokens=tokens)
