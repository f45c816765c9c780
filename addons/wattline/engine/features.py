"""What a decision looked at, as a small JSON object: enough to decide again later, under other rules.

Nothing in it is a body, a credential, or a header that no condition asks for. What is as usual is left out:
most calls need some 80 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wattline.base.secret_look import looks_secret, names_secret
from wattline.engine.plan import Plan, Skip
from wattline.engine.view import View
from wattline.rules.book import Book
from wattline.rules.compiled.facts import Subject
from wattline.rules.compiled.target import Target
from wattline.rules.conditions.allowance import BalanceIs, FilledOver
from wattline.rules.conditions.call import HeaderIs
from wattline.rules.conditions.health import HealthIs
from wattline.wire.call import Call

TEXT: Final = 256
"""Characters of a header's value, a user or a tier that are kept."""
TARGETS: Final = 16
"""Targets of a plan, and skipped ones, that are kept."""
HEADERS: Final = 16
NOT_KEPT: Final = False
"""In place of a header's value that is too long to be kept, or looks like a credential; None: it was not sent."""

type Noted = Mapping[str, Mapping[str, Any]]
"""What only the conditions of a book ask for: `headers`, `fill`, `balance`, `health`."""


@dataclass(frozen=True, slots=True)
class Asks:
    """What the conditions of a book ask beside the call itself."""

    headers: tuple[str, ...] = ()
    private: frozenset[str] = frozenset()
    """Of these headers the ones whose names say that they carry a credential."""
    windows: tuple[FilledOver, ...] = ()
    balance: bool = False
    subjects: tuple[Subject, ...] = ()

    @classmethod
    def of(cls, book: Book) -> Asks:
        """Of all rules."""
        conditions = [condition for rule in book.rules for condition in rule.conditions]
        windows = {c.window.name: c for c in conditions if isinstance(c, FilledOver)}
        headers = sorted({c.name for c in conditions if isinstance(c, HeaderIs)})[:HEADERS]
        return cls(
            tuple(headers),
            frozenset(filter(names_secret, headers)),
            tuple(windows.values()),
            any(isinstance(c, BalanceIs) for c in conditions),
            tuple(
                {str(c.subject): c.subject for c in conditions if isinstance(c, HealthIs)}.values()
            ),
        )

    @property
    def nothing(self) -> bool:
        """The calls say it all."""
        return not (self.headers or self.windows or self.balance or self.subjects)


class Asking:
    """What the book in force asks, found out once for each book."""

    __slots__ = ("_asks", "_book")

    def __init__(self) -> None:
        self._book: Book | None = None
        self._asks: Asks | None = None

    def noted(self, call: Call, book: Book, view: View, now: float) -> Noted | None:
        """What its conditions found; None where they ask for nothing beside the call, as most do."""
        if book is not self._book:
            asks = Asks.of(book)
            self._book, self._asks = book, None if asks.nothing else asks
        return None if self._asks is None else _noted(self._asks, call, view, now)


def _noted(asks: Asks, call: Call, view: View, now: float) -> Noted:
    found: dict[str, Mapping[str, Any]] = {}
    if asks.headers:
        found["headers"] = {
            name: _kept(call.headers.get(name), private=name in asks.private)
            for name in asks.headers
        }
    if asks.windows:
        found["fill"] = {
            window.name: view.fill(window, key, now)
            for condition in asks.windows
            for window, key in condition.keys(call)
        }
    if asks.balance:
        found["balance"] = {"micro": view.balance(call.principal.id)}
    if asks.subjects:
        found["health"] = {str(one): view.fares(one, now) for one in asks.subjects}
    return found


def _kept(value: str | None, *, private: bool) -> str | bool | None:
    if value is None:
        return None
    return NOT_KEPT if private or len(value) > TEXT or looks_secret(value) else value


def features(
    call: Call,
    plan: Plan,
    noted: Noted | None = None,
    missed: Iterable[tuple[str, str]] = (),
    *,
    whole: bool = False,
) -> dict[str, Any]:
    """The object for a call's first attempt, or for its refusal. A plan of one target is the first attempt's,
    unless it is to be written down too (`whole`). `missed`: as in `missed_only`. Never raises.
    """
    found: dict[str, Any] = {"path": call.path, "host": call.host, "tokens": call.tokens}
    if call.method != "POST":
        found["method"] = call.method
    _of_prompt(found, call)
    if call.tags:
        found["tags"] = sorted(call.tags)
    if call.forward:
        found["forward"] = True
    if call.provider is not None:
        found["provider"] = call.provider
    _of_caller(found, call)
    _of_plan(found, plan, least=1 if whole or missed else 2)
    if noted is not None:
        found.update(noted)
    if missed:
        found.update(missed_only(missed))
    return found


def _of_prompt(found: dict[str, Any], call: Call) -> None:
    if call.counted:
        found["counted"] = True
    if call.tools:
        found["tools"] = True
    if call.images:
        found["images"] = True
    if call.max_output is not None:
        found["max_output"] = call.max_output


def _of_caller(found: dict[str, Any], call: Call) -> None:
    principal = call.principal
    user = principal.user or call.user
    if user is not None:
        found["user"] = user[:TEXT]
    if principal.tier is not None:
        found["tier"] = principal.tier[:TEXT]
    if principal.providers:
        found["own"] = sorted([name, str(origin)] for name, origin in principal.providers)


def _of_plan(found: dict[str, Any], plan: Plan, least: int) -> None:
    if plan.passed:
        found["passed"] = True
    if plan.position is not None:
        found["position"] = plan.position
    if plan.targets and len(plan.targets) >= least:
        found["plan"] = [str(target) for target in _once(plan)[:TARGETS]]
    if plan.skipped:
        found["skipped"] = [_skipped(skip) for skip in plan.skipped[:TARGETS]]
    if plan.panic:
        found["panic"] = True
    if plan.kept is not None:
        found["kept"] = plan.kept
    if plan.draw is not None:
        found["draw"] = plan.draw


def _once(plan: Plan) -> Sequence[Target]:
    """Its targets, those with several keys once."""
    targets = plan.targets
    return (
        list({str(t): t for t in targets}.values())
        if any(t.provider.key for t in targets)
        else targets
    )


def _skipped(skip: Skip) -> list[Any]:
    """Target and code; where it waits, the seconds; where it waits for a rate limit, 1."""
    found: list[Any] = [skip.target, skip.code]
    if skip.retry_after is not None or skip.limited:
        found.append(None if skip.retry_after is None else round(skip.retry_after, 3))
    if skip.limited:
        found.append(1)
    return found


def missed_only(failures: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The object for a later attempt: the targets before it that could not be tried, with the reason's code."""
    found = [list(pair) for pair in failures]
    return {"missed": found[:TARGETS]} if found else {}
