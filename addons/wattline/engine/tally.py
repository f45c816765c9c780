"""What a backtest found, summed up as it runs. Energy is micro-units, money US dollars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from wattline.engine.backtest import ASSUMED_OUTPUT, FAILED, LIMIT, Replayed
from wattline.engine.energy import charged, per_token
from wattline.rules.book import Book
from wattline.rules.compiled.provider import FROM_CACHE
from wattline.rules.compiled.rule import Rule
from wattline.rules.compiled.target import Target
from wattline.rules.conditions.allowance import BalanceIs
from wattline.rules.conditions.call import HeaderIs

SHOWN: Final = 20
"""Calls that are listed one by one."""
_BY_SOUND: Final = frozenset({"speech", "transcription", "realtime"})
"""Operations that cost by more than tokens."""

type Price = Callable[[str, str], tuple[float, float] | None]
"""Dollars for a token of the prompt and of the answer, by provider and model."""


@dataclass(slots=True)
class Sum:
    """What was spent then, and what would be now at least and at most."""

    then: float = 0
    least: float = 0
    most: float = 0
    calls: int = 0
    """That are in it."""
    unknown: int = 0
    """That are not: nobody knows their price."""

    def add(self, then: float | None, bounds: tuple[float, float] | None) -> None:
        """Count one call, if both sides are known."""
        if then is None or bounds is None:
            self.unknown += 1
            return
        self.calls += 1
        self.then += then
        self.least += bounds[0]
        self.most += bounds[1]

    def as_json(self, unit: float = 1) -> dict[str, Any]:
        """Amounts over `unit`."""
        return {
            "then": self.then / unit,
            "now": [self.least / unit, self.most / unit],
            "calls": self.calls,
            "not_known": self.unknown,
        }


@dataclass(slots=True)
class Tally:
    """Add one replayed call after another."""

    book: Book
    price: Price | None = None
    calls: int = 0
    changed: int = 0
    avoided: int = 0
    caused: int = 0
    limited_then: int = 0
    limited_now: int = 0
    refused_then: int = 0
    refused_now: int = 0
    left_out: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    served_then: Counter[str] = field(default_factory=Counter)
    served_now: Counter[str] = field(default_factory=Counter)
    rules_then: Counter[str] = field(default_factory=Counter)
    rules_now: Counter[str] = field(default_factory=Counter)
    energy: Sum = field(default_factory=Sum)
    dollars: Sum = field(default_factory=Sum)
    headers_missing: Counter[str] = field(default_factory=Counter)
    balances_missing: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    first: float | None = None
    last: float | None = None
    _headers: tuple[str, ...] = ()
    _balance: bool = False
    _rates: dict[int, tuple[Fraction, int, int]] = field(default_factory=dict)
    """What a token costs, by the identity of its rate: a Fraction is slow to hash. The rate is in it, so that no other
    can have its identity.
    """
    _prices: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    """By target."""

    def __post_init__(self) -> None:
        conditions = [c for rule in self.book.rules for c in rule.conditions]
        self._headers = tuple(sorted({c.name for c in conditions if isinstance(c, HeaderIs)}))
        self._balance = any(isinstance(c, BalanceIs) for c in conditions)

    def add(self, made: Replayed) -> None:
        """Count one call."""
        past, then, now = made.past, made.then, made.now
        self.calls += 1
        self.last = past.at
        if self.first is None:
            self.first = past.at
        self.left_out += past.left_out
        self.served_then[then.name] += 1
        self.served_now[now.name] += 1
        self.rules_then[past.rule] += 1
        self.rules_now[made.plan.rule or ""] += 1
        self._count_refusals(then.status, now.status)
        if then != now:
            self._count_change(made)
        self._price(made)
        for name in self._headers:
            if past.found.headers is None or past.found.headers.get(name, False) is False:
                self.headers_missing[name] += 1
        if self._balance and past.found.balance is None:
            self.balances_missing += 1

    def _count_refusals(self, then: int, now: int) -> None:
        if not then and not now:
            return
        self.refused_then += bool(then)
        self.refused_now += bool(now)
        self.limited_then += then == LIMIT
        self.limited_now += now == LIMIT
        self.avoided += then == LIMIT != now
        self.caused += now == LIMIT != then

    def _count_change(self, made: Replayed) -> None:
        past = made.past
        self.changed += 1
        self.moves[made.then.name, made.now.name] += 1
        if len(self.examples) < SHOWN:
            rules = {"rule_then": past.rule, "rule_now": made.plan.rule}
            names = {"then": made.then.name, "now": made.now.name}
            self.examples.append({"call": past.row.call, "at": past.at, **names, **rules})

    def _price(self, made: Replayed) -> None:
        past = made.past
        then: int | None = 0
        for attempt in past.attempts:
            if attempt.state != FAILED:
                then = None if then is None or attempt.energy is None else then + attempt.energy
        served = made.now.served is not None and made.now.served != FROM_CACHE
        tokens = _tokens(made) if served and made.known is None else _NONE
        self.energy.add(then, self._energy(made, then, tokens))
        if self.price is not None:
            self.dollars.add(self._dollars_then(made), self._dollars_now(made, tokens))

    def _energy(
        self, made: Replayed, then: int | None, tokens: _Tokens
    ) -> tuple[float, float] | None:
        past, now, known = made.past, made.now, made.known
        if now.served is None:
            return (0, 0)
        if then is not None and (now.served == FROM_CACHE or made.target is None):
            return (then, then)
        if made.target is None:
            return None
        if known is not None and (not known.energy or past.row.operation in _BY_SOUND):
            return None if known.energy is None else (known.energy, known.energy)
        rate = self._rate(made.target)
        if rate is None:
            return None
        if known is not None:
            exact = charged(known.total, *rate)
            return (exact, exact)
        prompt, low, high = tokens
        return (charged(prompt + low, *rate), charged(prompt + high, *rate))

    def _rate(self, target: Target) -> tuple[int, int] | None:
        """`per_token`, where the target has a rate."""
        rate = target.rate if target.rate is not None else self.book.default_rate
        if rate is None:
            return None
        known = self._rates.get(id(rate))
        if known is None:
            known = self._rates[id(rate)] = (rate, *per_token(rate, self.book.margin))
        return known[1:]

    def _dollars_then(self, made: Replayed) -> float | None:
        if made.then.served is None or made.then.served == FROM_CACHE:
            return 0.0
        last = made.past.attempts[-1]
        price = self._price_of(last.target)
        if price is None or last.prompt is None:
            return None
        return last.prompt * price[0] + (last.completion or 0) * price[1]

    def _dollars_now(self, made: Replayed, tokens: _Tokens) -> tuple[float, float] | None:
        served = made.now.served
        if served is None or served == FROM_CACHE:
            return (0.0, 0.0)
        price = self._price_of(served)
        if price is None:
            return None
        if made.known is not None:
            known = made.known
            exact = (known.prompt or 0) * price[0] + (known.completion or 0) * price[1]
            return (exact, exact)
        prompt, low, high = tokens
        return (prompt * price[0] + low * price[1], prompt * price[0] + high * price[1])

    def _price_of(self, target: str) -> tuple[float, float] | None:
        if target not in self._prices:
            provider, _, model = target.partition("/")
            price = None if self.price is None else self.price(provider, model)
            self._prices[target] = price
        return self._prices[target]

    @property
    def never(self) -> list[Rule]:
        """Rules that decided no call."""
        return [rule for rule in self.book.rules if not self.rules_now[rule.name]]


type _Tokens = tuple[int, int, int]
"""Of a prompt, and of its answer at least and at most."""
_NONE: Final = (0, 0, 0)


def _tokens(made: Replayed) -> _Tokens:
    """Of a call that this target never had: the same prompt, and an answer of
    half to twice the length; of one that nobody answered, what it asked for.
    """
    for attempt in reversed(made.past.attempts):
        if attempt.prompt is not None:
            output = attempt.completion or 0
            return attempt.prompt, output // 2, output * 2
    found = made.past.found
    most = ASSUMED_OUTPUT if found.max_output is None else found.max_output
    return found.tokens, 0, most
