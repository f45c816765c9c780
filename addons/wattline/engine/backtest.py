"""The same calls under other rules: `decide` over what was recorded, with a virtual clock, windows and health.

Pure. What was called is known: how long it took, what it used, whether it failed. What was not called is assumed to
answer, with the tokens and in the time of the target that did.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from zlib import crc32

from wattline.engine.decide import decide
from wattline.engine.health import Health
from wattline.engine.past_call import Features, Known, rebuilt, skipped_of, with_keys_of_then
from wattline.engine.plan import Plan
from wattline.engine.recurring import Course, Recurring, course
from wattline.engine.rest import Resting
from wattline.engine.summary import LIMITED, summary
from wattline.engine.then import ThenView
from wattline.engine.windows import Claim, Ticket, Windows
from wattline.rules.book import Book
from wattline.rules.compiled.provider import FROM_CACHE
from wattline.rules.compiled.target import Target
from wattline.rules.compiled.window import GLOBAL_KEY, Scope, Window
from wattline.wire.call import Call

COMPLETE: Final = "complete"
FAILED: Final = "failed"
TRUNCATED: Final = "truncated"
LIMIT: Final = 429
RATE_LIMITED: Final = "rate_limit_exceeded"
OF_RULES: Final = frozenset(
    {RATE_LIMITED, "denied_by_rule", "no_provider", "no_rule", "model_not_found", "unsupported_by_target",
     "all_providers_failed"}
)  # fmt: skip
"""Refusals that other rules may turn into an answer. Others are of keys, balances, or of ourselves."""
ASSUMED_SECONDS: Final = 5.0
"""A call that was refused then would have taken as long."""
ASSUMED_OUTPUT: Final = 500
"""Tokens of its answer at most, where it set no bound itself."""


class PastAttempt(NamedTuple):
    """One try. `at`, `ended` are seconds since 1970 UTC; tokens are None while unknown."""

    target: str
    at: float
    ended: float
    state: str
    prompt: int | None
    completion: int | None
    energy: int | None
    error: str | None
    first_ms: int | None
    total_ms: int | None
    counts: int = 1
    """0: its error counts against no target."""

    @property
    def total(self) -> int:
        """Tokens in all."""
        return (self.prompt or 0) + (self.completion or 0)


class Past(NamedTuple):
    """One call as it was. Without attempts `status` and `code` say how it was refused."""

    at: float
    row: Known
    rule: str
    book: str
    found: Features
    attempts: Sequence[PastAttempt]
    status: int = 0
    code: str = ""
    left_out: int = 0


class Outcome(NamedTuple):
    """What became of a call: the target that served it, or the status of its refusal."""

    served: str | None
    status: int = 0

    @property
    def name(self) -> str:
        """The target, `cache`, or `refused 429`."""
        return self.served if self.served is not None else f"refused {self.status}"


@dataclass(slots=True)
class Replayed:
    """One call under the new rules."""

    past: Past
    plan: Plan
    then: Outcome
    now: Outcome
    target: Target | None = None
    """Of the new plan, that serves it."""
    known: PastAttempt | None = None
    """The attempt that served it then, where the same target does now."""


@dataclass(slots=True)
class Replay:
    """Feeds calls in the order of time."""

    book: Book
    same: frozenset[str] = frozenset()
    """Further versions of the same file: what decided while they were in force is known."""
    price: Callable[[Target, Call], float | None] | None = None
    """Dollars of a call at a target, for rules that try the cheapest first."""
    windows: Windows = field(default_factory=Windows)
    resting: Resting = field(default_factory=Resting)
    health: Health = field(init=False)
    view: ThenView = field(init=False)
    reuse: bool = True
    """Plans are used again for calls that are alike. It changes nothing but the time that is taken."""
    unknown: int = 0
    """Calls that can't be decided again: too little of them is recorded."""
    _plans: Recurring = field(init=False)
    _over: dict[str | None, tuple[Window, ...]] = field(default_factory=dict)
    """The windows that count callers, by tier."""
    _ends: list[tuple[float, int, PastAttempt | None, Ticket | None, int]] = field(
        default_factory=list
    )
    _number: int = 0
    _inexact_until: float = 0.0
    _longest: float = 0.0

    def __post_init__(self) -> None:
        book = self.book
        self.health = Health(book.health)
        self.view = ThenView(self.windows, self.resting, self.health, self.price)
        every = [*book.windows, *(w for t in book.tiers.values() for w in t.windows)]
        every += [w for p in book.providers.values() for w in p.windows]
        self._longest = max((w.per for w in every), default=0.0)
        self._plans = Recurring(book)
        for tier in (None, *book.tiers):
            over = book.windows_over(tier)
            self._over[tier] = tuple(w for w in over if w.scope in _COUNTED)

    def feed(self, past: Past) -> Replayed | None:
        """Decide one call anew; None when too little of it is known."""
        now = past.at
        if self._ends:
            self.settle(now)
        found = past.found
        exact = now >= self._inexact_until and (
            past.book == self.book.version or past.book in self.same
        )
        planned = planned_of(past)
        self.view.look(found, planned, exact=exact)
        if found.skipped:
            self._note_rests(found, now)
        decided = self._decided(past)
        if decided is None:
            self.unknown += 1
            return None
        made = self._followed(past, decided, planned, exact=exact)
        if made.then != made.now:
            self._inexact_until = now + self._longest
        return made

    def _decided(self, past: Past) -> Course | None:
        """What the rules say of the call; None when too little of it is known."""
        row, found, now = past.row, past.found, past.at
        key = self._plans.key(row, found, now) if self.reuse else None
        if key is not None:
            known = self._plans.find(key, self.view, found.tokens, now)
            if known is not None:
                return known
        call = rebuilt(row, found, self.book.providers)
        if call is None:
            return None
        draw = found.draw if found.draw is not None else _drawn(call.id)
        plan = decide(call, self.book, self.view, now, now, draw)
        made = course(with_keys_of_then(plan, call, found))
        if key is not None:
            self._plans.keep(key, call.model, made)
        return made

    def _followed(
        self, past: Past, decided: Course, planned: list[str], *, exact: bool
    ) -> Replayed:
        """What becomes of the call by this plan. It takes its slots."""
        then, plan, names = _then(past), decided.plan, decided.names
        same = names == planned or (exact and sorted(names) == sorted(planned))
        ticket = self._enter(past, exact=exact)
        if ticket is None:
            self._learn(past)
            return Replayed(past, plan, then, Outcome(None, LIMIT))
        if not past.attempts and (past.code not in OF_RULES or self._by_address(past)):
            self._leave(ticket, past.at, 0)
            return Replayed(past, plan, then, then)
        if plan.deny is not None:
            self._leave(ticket, past.at, 0)
            self._learn(past)
            return Replayed(past, plan, then, Outcome(None, plan.deny.status))
        if plan.passed or (plan.targets and (same or _cached(past))):
            if past.attempts or (same and (exact or past.code != RATE_LIMITED)):
                return self._as_it_was(past, decided, then, ticket)
            return self._anew(past, decided, then, ticket)
        if not plan.targets:
            self._leave(ticket, past.at, 0)
            self._learn(past)
            status = summary((), plan, past.row.requested).status
            return Replayed(past, plan, then, Outcome(None, status))
        return self._anew(past, decided, then, ticket)

    def _by_address(self, past: Past) -> bool:
        """It may have been too many calls of one address: which, nobody wrote down."""
        address = any(window.scope is Scope.ADDRESS for window in self.book.windows)
        return address and past.code == RATE_LIMITED

    def _as_it_was(self, past: Past, decided: Course, then: Outcome, ticket: Ticket) -> Replayed:
        """The same plan: all of it is known."""
        plan, by_name = decided.plan, decided.by_name
        served = None
        for attempt in past.attempts:
            target = by_name.get(attempt.target)
            self._try(past, target, attempt)
            served = attempt
        self._leave(ticket, served.ended if served else past.at, served.total if served else 0)
        target = by_name.get(served.target) if served is not None else None
        known = served if served is not None and served.state != FAILED else None
        return Replayed(past, plan, then, then, target, known)

    def _anew(self, past: Past, decided: Course, then: Outcome, ticket: Ticket) -> Replayed:
        """Another plan: what was tried then ends as it did, what was not answers."""
        plan = decided.plan
        tried = {attempt.target: attempt for attempt in past.attempts}
        last = past.attempts[-1] if past.attempts else None
        failed: list[str] = []
        seen: set[str] = set()
        for name, target in decided.firsts.items():
            seen.add(name)
            known = tried.get(name)
            if known is not None and known.state == FAILED:
                self._try(past, target, known)
                failed.append(known.error or "")
                continue
            used = known or last
            tokens = past.found.tokens if used is None else used.total
            ended = past.at + ASSUMED_SECONDS if used is None else used.ended
            self._take(past, target, ended, tokens)
            if known is not None:
                self._push(known.ended, known, None, 0)
            self._leave(ticket, ended, tokens)
            self._learn(past, but=seen)
            return Replayed(past, plan, then, Outcome(name), target, known)
        self._leave(ticket, past.at, 0)
        self._learn(past, but=seen)
        limited = bool(failed) and all(code in LIMITED for code in failed)
        return Replayed(past, plan, then, Outcome(None, LIMIT if limited else 500))

    def _learn(self, past: Past, but: Container[str] = ()) -> None:
        """What was tried then and is not now still says how its target fared."""
        for attempt in past.attempts:
            if attempt.target not in but:
                self._push(attempt.ended, attempt, None, 0)

    def _try(self, past: Past, target: Target | None, attempt: PastAttempt) -> None:
        """Slots of its provider for as long as it took; a failed one gives them back."""
        if target is None or not target.provider.windows:
            self._push(attempt.ended, attempt, None, 0)
            return
        tokens = -1 if attempt.state == FAILED else attempt.total
        ticket = self._taken(past, target, attempt.at)
        self._push(attempt.ended, attempt, ticket, tokens)

    def _take(self, past: Past, target: Target, ended: float, tokens: int) -> None:
        if target.provider.windows:
            self._push(ended, None, self._taken(past, target, past.at), tokens)

    def _taken(self, past: Past, target: Target, at: float) -> Ticket:
        windows = target.provider.windows
        claims = [Claim(window, window.name, 1, past.found.tokens) for window in windows]
        return self.windows.count(claims, at)

    def _enter(self, past: Past, *, exact: bool) -> Ticket | None:
        """The slots of the caller; None when there are none left. What was let in by these very rules is."""
        tier = past.found.tier
        windows = self._over.get(tier) if tier is not None else None
        if windows is None:
            windows = self._over[None]
        if exact and not past.attempts and past.status == LIMIT and self.book.windows_over(tier):
            return None
        if not windows:
            return _NO_TICKET
        who, tokens = past.row.principal, past.found.tokens
        claims = [
            Claim(w, who if w.scope is Scope.PRINCIPAL else GLOBAL_KEY, 1, tokens) for w in windows
        ]
        if exact:
            return self.windows.count(claims, past.at)
        taken = self.windows.take(claims, past.at)
        return taken if isinstance(taken, Ticket) else None

    def _leave(self, ticket: Ticket, at: float, tokens: int) -> None:
        if ticket.parts:
            self._push(at, None, ticket, tokens)

    def _push(
        self, at: float, attempt: PastAttempt | None, ticket: Ticket | None, tokens: int
    ) -> None:
        self._number += 1
        heapq.heappush(self._ends, (at, self._number, attempt, ticket, tokens))

    def settle(self, now: float) -> None:
        """End what ended by now: its slots, and what it says of its target."""
        ends = self._ends
        while ends and ends[0][0] <= now:
            at, _, attempt, ticket, tokens = heapq.heappop(ends)
            if ticket is not None:
                if tokens < 0:
                    self.windows.release(ticket, at)
                else:
                    self.windows.settle(ticket, tokens, at)
            if attempt is not None:
                self._heed(attempt, at)

    def _heed(self, attempt: PastAttempt, at: float) -> None:
        provider, _, model = attempt.target.partition("/")
        if provider == FROM_CACHE:
            return
        place, began = (provider, model), at - (attempt.total_ms or 0) / 1000
        if attempt.state == COMPLETE:
            self.health.good(place, at, attempt.first_ms, attempt.total_ms, began=began)
        elif attempt.state in (FAILED, TRUNCATED) and attempt.error is not None and attempt.counts:
            self.health.bad(place, attempt.error, at, began=began)

    def _note_rests(self, found: Features, now: float) -> None:
        """A rest that one call saw holds for those that did not look."""
        for name, left in skipped_of(found).items():
            if left.code == "resting" and left.wait:
                provider = name.partition("/")[0]
                self.resting.rest(provider, now + left.wait, "", limited=left.limited)


_NO_TICKET: Final = Ticket(())
_COUNTED: Final = frozenset({Scope.PRINCIPAL, Scope.GLOBAL})
"""Scopes of callers' windows that the ledger knows the keys of."""


def planned_of(past: Past) -> list[str]:
    """The targets that were to be tried, in order."""
    if past.found.plan is not None:
        return past.found.plan
    return [past.attempts[0].target] if past.attempts and not past.found.passed else []


def _cached(past: Past) -> bool:
    return bool(past.attempts) and past.attempts[0].target.startswith(f"{FROM_CACHE}/")


def _then(past: Past) -> Outcome:
    """What became of the call then."""
    if not past.attempts:
        return Outcome(None, past.status)
    if _cached(past):
        return Outcome(FROM_CACHE)
    last = past.attempts[-1]
    if last.state != FAILED:
        return Outcome(last.target)
    limited = all((attempt.error or "") in LIMITED for attempt in past.attempts)
    return Outcome(None, LIMIT if limited else 500)


def _drawn(call: str) -> float:
    """A number in [0, 1) for a choice by weight that was not made then: the same each time."""
    return (crc32(call.encode("utf-8", "replace")) & 0xFFFFFFFF) / 2**32


def replay(book: Book, calls: Iterable[Past]) -> Iterable[Replayed]:
    """Each call under these rules."""
    run = Replay(book)
    return (made for past in calls if (made := run.feed(past)) is not None)
