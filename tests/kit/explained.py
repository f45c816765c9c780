"""Watches a sidecar's decisions: what `explain` says of each call must be what the proxy then does, and the ledger must
know enough of it to decide it again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from wattline.engine.backtest import Past, Replay, planned_of
from wattline.engine.explain import explain
from wattline.engine.explanation import Explanation
from wattline.engine.past_call import rebuilt
from wattline.rules.book import Book
from wattline.rules.compiled.provider import FROM_CACHE
from wattline.service.history.past import past_calls
from wattline.service.opening import Opening
from wattline.store.history import history
from wattline.wire.call import Call

FACTS = (
    "dialect", "operation", "method", "host", "path", "model", "stream", "tokens", "max_output", "tools",
    "images", "tags", "forward", "provider",
)  # fmt: skip


@dataclass
class Watched:
    """Explanations by call, made at the moment of each decision."""

    found: dict[str, Explanation] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def _on_socket(self, explanation: Explanation) -> list[Explanation]:
        """The explanations that may stand behind a call: its own, and for a response on a WebSocket those of the
        connection's earlier ones, since it stays with their target.
        """
        if explanation.call.method != "GET":
            return [explanation]
        earlier = takewhile(lambda one: one is not explanation, self.found.values())
        sockets = [one for one in earlier if one.call.method == "GET"]
        return [explanation, *reversed(sockets)]

    def check(self, ledger: Path, book: Book) -> None:
        """Compare with what the ledger says was done."""
        if not self.found or not ledger.exists():
            return
        with history(ledger) as written:
            calls = list(past_calls(written.calls()))
        for past in calls:
            explanation = self.found.get(past.row.call)
            if explanation is not None:
                self.problems += _compared(
                    past, self._on_socket(explanation), explanation.call, book
                )
        if calls and {past.book for past in calls} == {book.version}:
            self.problems += _replayed(calls, book)
        assert not self.problems, "\n".join(self.problems)


@contextlib.contextmanager
def watching() -> Iterator[Watched]:
    """While it is open, each decision of any sidecar here is explained too."""
    watched = Watched()
    decided = Opening.decided

    def both(self: Opening, call: Call, book: Book, now: float, wall: float) -> Any:
        plan = decided(self, call, book, now, wall)
        found = explain(
            call,
            book,
            self.view,
            now,
            wall,
            plan.draw or 0.0,
            made=lambda plan: self._owned(plan, call),
        )
        watched.found[call.id] = found
        if found.plan != plan:
            watched.problems.append(f"{call.id}: explained {found.plan}, decided {plan}")
        return plan

    with patch.object(Opening, "decided", both):
        yield watched


def _compared(past: Past, found: list[Explanation], call: Call, book: Book) -> Iterator[str]:
    """`found`: the explanations of which one must fit, the call's own first."""
    yield from _rebuilt(past, call, book)
    problems = [list(_planned(past, one)) for one in found]
    if all(problems):
        yield from problems[0]


def _rebuilt(past: Past, call: Call, book: Book) -> Iterator[str]:
    """The ledger knows what the call was."""
    name = past.row.call
    again = rebuilt(past.row, past.found, book.providers)
    if again is None:
        yield f"{name}: can't be rebuilt"
        return
    for fact in FACTS:
        if fact == "model" and len(call.model) >= 300:
            continue
        if getattr(again, fact) != getattr(call, fact):
            yield f"{name}: {fact} was {getattr(call, fact)!r}, rebuilt {getattr(again, fact)!r}"


def _planned(past: Past, explanation: Explanation) -> Iterator[str]:
    """What was done is what was explained."""
    plan, name = explanation.plan, past.row.call
    if (plan.rule or "") != past.rule:
        yield f"{name}: explained by rule {plan.rule}, the ledger has {past.rule}"
    tried = [one.target for one in past.attempts]
    if plan.passed or (tried and tried[0].startswith(f"{FROM_CACHE}/")):
        return
    wanted = list(dict.fromkeys(map(str, plan.targets)))
    if planned_of(past) != wanted[:16]:
        yield f"{name}: explained {wanted}, the ledger has {planned_of(past)}"
    places = [wanted.index(one) if one in wanted else -1 for one in tried]
    if -1 in places or places != sorted(places):
        yield f"{name}: explained {wanted}, tried {tried}"


def _replayed(calls: list[Past], book: Book) -> Iterator[str]:
    """Backtest of a file on the history that the same file made changes nothing."""
    replay = Replay(book)
    for past in calls:
        made = replay.feed(past)
        if False in (past.found.headers or {}).values():
            continue  # a header that is not kept: conditions on it are taken not to hold
        if made is not None and made.then != made.now:
            yield f"{past.row.call}: {made.then} became {made.now} in a replay of the same rules"
