"""What is counted for `/metrics`: plain numbers, put into words only when somebody asks for them.

Rules of this file. Counting costs about a microsecond and never fails a call. Labels are bounded: names that
are in rules.yaml, words that are in this code, nothing of a caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from wattline.base.errors import Fault
from wattline.base.quantiles import Quantiles
from wattline.rules.book import Book
from wattline.service.exchange import Attempt, Exchange
from wattline.service.metering.labels import NONE, OTHER, Names, error_type
from wattline.service.metering.noting import Note, ignore
from wattline.store.base import State
from wattline.wire.http import Request
from wattline.wire.usage import Usage

MOST: Final = 2_000
"""Combinations of labels in one table: rules.yaml may be edited for years without a restart."""
DRILL: Final = "drill"
"""How an attempt, or a call that did not come to its end, is counted that met a drill's fault."""
REPLAYED: Final = "replayed"
"""How a call is counted that got an earlier one's answer."""
REPEATED: Final = "repeated"
"""How a call is counted that an earlier one with its Idempotency-Key stands against."""
EXPLAINED: Final = "explained"
"""How one is counted that was not to be made."""
_IN_THE_WAY: Final = frozenset(
    {"idempotency_key_in_use", "idempotency_key_reused", "idempotency_answer_gone"}
)
_BAD: Final = frozenset({"error", "truncated"})
_WINDOW_FULL: Final = "window_full"
_STATES: Final[Mapping[State, str]] = MappingProxyType(
    {State.COMPLETE: "success", State.ABORTED: "aborted", State.TRUNCATED: "truncated"}
)

type Table[K] = dict[K, int]


@dataclass(slots=True)
class Counts:
    """Since the process began. Providers are by their names in rules.yaml; energy is micro-units."""

    requests: Table[tuple[str, str]] = field(default_factory=dict)
    """Calls by the provider that was asked last, and how they ended."""
    durations: dict[str, Quantiles] = field(default_factory=dict)
    """Seconds of calls by provider."""
    tokens: Table[tuple[str, str]] = field(default_factory=dict)
    """By provider and kind: prompt, completion, cached, reasoning."""
    errors: Table[tuple[str, str]] = field(default_factory=dict)
    """Failed attempts by provider, and calls that no provider was asked for, by kind."""
    attempts: Table[tuple[str, str, str]] = field(default_factory=dict)
    """By provider, model and outcome."""
    energy: Table[str] = field(default_factory=dict)
    full: Table[str] = field(default_factory=dict)
    """Times that a window had no room, by whose it is: `caller` or `provider`."""
    failovers: int = 0
    """Attempts at another target than the one before, in the same call."""
    translated: int = 0
    """Attempts with output at a provider of another dialect than the client's."""
    hits: int = 0
    misses: int = 0
    shadows: Table[str] = field(default_factory=dict)
    """Shadow calls: `sent`, and `dropped` since there was no room."""
    kept: Table[str] = field(default_factory=dict)
    """Calls of rules with affinity: `hit` at the conversation's target, `broken` elsewhere, `new`."""
    proofs: Table[tuple[str, str]] = field(default_factory=dict)
    """What was passed on, by its kind and by what its digests say: `untouched`, `cut` or `changed`."""
    failed_open: int = 0
    """Calls that went to their hosts as they came, since our own code failed."""
    note: Note = ignore
    """Told of each call when it has ended."""
    _names: Names = field(default_factory=Names, repr=False)

    def failed(self, attempt: Attempt, book: Book, code: str) -> None:
        """An attempt without output."""
        target = attempt.target
        provider = self._names.provider(target.provider.name, book)
        if attempt.drill is not None:
            _add(self.attempts, (provider, self._names.model(target.model, book), DRILL))
            return
        _add(self.attempts, (provider, self._names.model(target.model, book), State.FAILED.value))
        _add(self.errors, (provider, error_type(code)))

    def over(
        self, attempt: Attempt, book: Book, state: State, usage: Usage, micro: int | None
    ) -> None:
        """An attempt with output."""
        target = attempt.target
        provider = self._names.provider(target.provider.name, book)
        outcome = state.value if attempt.drill is None else DRILL
        _add(self.attempts, (provider, self._names.model(target.model, book), outcome))
        tokens = self.tokens
        _add(tokens, (provider, "prompt"), usage.prompt)
        _add(tokens, (provider, "completion"), usage.completion)
        if usage.cached:
            _add(tokens, (provider, "cached"), usage.cached)
        if usage.reasoning:
            _add(tokens, (provider, "reasoning"), usage.reasoning)
        if micro:
            _add(self.energy, provider, micro)
        if state is State.TRUNCATED and attempt.drill is None:
            _add(self.errors, (provider, "broken_off"))
        passage = attempt.passage
        if passage is not None and passage.foreign:
            self.translated += 1

    def call(
        self, request: Request, exchange: Exchange | None, fault: Fault | None, now: float
    ) -> None:
        """A call has ended. `now` is monotonic seconds."""
        self.note(request, exchange, fault)
        status = _status(request, exchange, fault)
        if status in _BAD and exchange is not None and exchange.drill is not None:
            status = DRILL
        tried = exchange.attempts if exchange is not None else ()
        if exchange is None or not tried:
            _add(self.requests, (NONE, status))
            if fault is not None:
                self._refused(fault)
        else:
            provider = self._names.provider(tried[-1].target.provider.name, exchange.book)
            _add(self.requests, (provider, status))
            durations = self.durations.get(provider)
            if durations is None:
                if len(self.durations) >= MOST:
                    provider = OTHER
                durations = self.durations.setdefault(provider, Quantiles())
            durations.add(now - exchange.began, now)
        if exchange is not None:
            self._count_ways(exchange)

    def replayed(self) -> None:
        """A call got the answer to an earlier one with its Idempotency-Key."""
        _add(self.requests, (NONE, REPLAYED))

    def repeated(self, request: Request, fault: Fault) -> None:
        """A call was refused for its Idempotency-Key, or before that was looked at."""
        self.note(request, None, fault)
        _add(self.requests, (NONE, repeat_word(fault)))
        self._refused(fault)

    def shadow(self, outcome: str) -> None:
        """A shadow call has ended, or could not be asked."""
        _add(self.shadows, outcome)

    def proved(self, kind: str, verdict: str) -> None:
        """Something was passed on, and its digests compared."""
        _add(self.proofs, (kind, verdict))

    def refused(self, fault: Fault) -> None:
        """A request was refused by its head."""
        _add(self.requests, (NONE, "refused"))
        self._refused(fault)

    def _refused(self, fault: Fault) -> None:
        _add(self.errors, (NONE, fault.kind.value))
        if fault.code == "rate_limit_exceeded":
            _add(self.full, "caller")

    def _count_ways(self, exchange: Exchange) -> None:
        tried = exchange.attempts
        if len(tried) > 1:
            self.failovers += sum(one.target is not after.target for one, after in pairwise(tried))
        for failure in exchange.failures:
            if failure.code == _WINDOW_FULL:
                _add(self.full, "provider")
        if exchange.cache is not None:
            self.hits += exchange.cache == "hit"
            self.misses += exchange.cache == "miss"
        if exchange.plan.kept is not None and tried and exchange.cache != "hit":
            _add(self.kept, _kept(exchange))


def repeat_word(fault: Fault) -> str:
    """`repeated`, or `refused` for what has nothing to do with an earlier call."""
    return REPEATED if fault.code in _IN_THE_WAY else "refused"


def _add[K](table: Table[K], key: K, count: int = 1) -> None:
    if key in table:
        table[key] += count
    elif len(table) < MOST:
        table[key] = count


def _kept(exchange: Exchange) -> str:
    """The target that the plan put first for its conversation answered, or was left for another."""
    if not exchange.plan.kept:
        return "new"
    first = exchange.plan.targets[0]
    answered = exchange.attempts[-1].target
    same = (first.provider.name, first.model) == (answered.provider.name, answered.model)
    return "hit" if same else "broken"


def _status(request: Request, exchange: Exchange | None, fault: Fault | None) -> str:
    """`success`, `error`, `truncated`, `aborted` (its client left), `refused` (nobody was asked), `explained` (nobody
    was to be).
    """
    if fault is not None:
        return "error" if exchange is not None and exchange.attempts else "refused"
    if exchange is not None and exchange.state is not None:
        return _STATES.get(exchange.state, OTHER)
    if exchange is None or request.departure.reason is not None:
        return "aborted"
    if exchange.attempts:
        return "error"
    return "success" if exchange.explained is None else EXPLAINED
