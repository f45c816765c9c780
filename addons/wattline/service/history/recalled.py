"""One call of the past, explained: decided again at its moment, beside what was written down of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wattline.base.amounts import MICRO
from wattline.engine.backtest import Past, Replay, planned_of
from wattline.engine.explain import as_json, explain
from wattline.engine.explanation import Explanation
from wattline.engine.past_call import rebuilt, skipped_of, with_keys_of_then
from wattline.engine.then import ThenView
from wattline.rules.book import Book
from wattline.rules.elsewhere import Elsewhere
from wattline.rules.load import RulesError, load
from wattline.service.history.past import past_in_short, past_of
from wattline.service.history.span import windows_of
from wattline.service.metering.past import FARED_FOR
from wattline.store.books import read_books
from wattline.store.history import AttemptRow, CallRows, RefusedRow, history, one_call
from wattline.wire.call import SHADOW

LONGEST = 86_400.0
"""Seconds before a call that are looked at for its windows."""
MOST = 20_000
"""Attempts before a call that are looked at, whatever its windows: a second or two."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """A call and what can be said of it. `explanation` is None where too little is recorded; `notes` say what is not
    known. `same_rules`: it is explained by the very rules that decided it.
    """

    rows: CallRows
    past: Past
    explanation: Explanation | None
    same_rules: bool
    notes: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """The explanation comes to what was decided then."""
        found = self.explanation
        if found is None:
            return False
        names = list(dict.fromkeys(map(str, found.plan.targets)))
        return (found.plan.rule or "") == self.past.rule and names == planned_of(self.past)


def recall_call(ledger: Path, name: str, current: Book, env: Mapping[str, str]) -> Recalled | None:
    """The call of this id (or with an attempt of it); None when the ledger has none. Raises LedgerDown."""
    rows = one_call(ledger, name)
    if rows is None:
        return None
    past = past_of(rows)
    book, same = _book_of(ledger, past.book, current, env)
    notes = []
    if not same:
        notes.append(
            f"The rules of then (version {past.book}) are not kept: conditions are those of the rules of now "
            f"({book.version})."
        )
    if past.row.principal == SHADOW.id:
        return Recalled(rows, past, None, same, (_copy_note(rows),))
    call = rebuilt(past.row, past.found, book.providers)
    if call is None:
        notes.append(
            "What it was decided by is not recorded: an older version of wattline wrote it."
        )
        return Recalled(rows, past, None, same, tuple(notes))
    view, cut = _view(ledger, book, past, same=same)
    draw = past.found.draw
    found = explain(
        call,
        book,
        view,
        past.at,
        past.at,
        0.0 if draw is None else draw,
        made=lambda plan: with_keys_of_then(plan, call, past.found),
    )
    kept_back = [name for name, sent in (past.found.headers or {}).items() if sent is False]
    if kept_back:
        notes.append(
            f"Not recorded: the value of {', '.join(kept_back)} (too long, or like a credential). Conditions on it are "
            "taken not to hold."
        )
    notes += ["Not recorded: the body, so no request is compared; the client's address."]
    if book.windows or any(provider.windows for provider in book.providers.values()):
        which = (
            f"the last {MOST:,} attempts before it, and of no earlier ones"
            if cut
            else "the attempts before it"
        )
        notes.append(f"Windows, breakers and figures are rebuilt from {which}.")
    return Recalled(rows, past, found, same, tuple(notes))


def copied_from(rows: CallRows) -> str | None:
    """The id of the call that a shadow call is a copy of."""
    if isinstance(rows, RefusedRow):
        return None
    try:
        found = json.loads(rows[0].features)
    except ValueError:
        return None
    original = found.get("shadow_of") if isinstance(found, dict) else None
    return original if isinstance(original, str) else None


def _copy_note(rows: CallRows) -> str:
    original = copied_from(rows)
    text = "This is a shadow call, a copy that went to the target of its rule's `shadow`: nothing was decided about it."
    return (
        text
        if original is None
        else f"{text} See `wattline explain --call {original}`, its original."
    )


def _book_of(
    ledger: Path, version: str, current: Book, env: Mapping[str, str]
) -> tuple[Book, bool]:
    """The rules of that version, or those of now."""
    if version == current.version:
        return current, True
    for row in read_books(ledger):
        if row.version == version:
            try:
                elsewhere = Elsewhere(row.available, frozenset(current.auth.keys.values()))
                book = load(row.text, env=env, name=f"rules {version}", elsewhere=elsewhere)
            except RulesError:
                break
            return replace(book, version=version), True
    return current, False


def _view(ledger: Path, book: Book, past: Past, *, same: bool) -> tuple[ThenView, bool]:
    """As things stood just before it, and whether there was more than is looked at."""
    span = min(max([FARED_FOR, *(w.per for w in windows_of(book))]), LONGEST)
    until = int(past.at * 1000)
    replay = Replay(book)
    with history(ledger, max(until - int(span * 1000), 0), until) as found:
        cut = found.shorten(MOST)
        for before in past_in_short(found.short()):
            replay.feed(before)
    replay.settle(past.at)
    replay.view.look(past.found, planned_of(past), exact=same)
    return replay.view, cut


def recalled_json(found: Recalled) -> dict[str, Any]:
    """For programs. Times are milliseconds since 1970 UTC."""
    rows = found.rows
    attempts = () if isinstance(rows, RefusedRow) else rows
    refused = None
    if isinstance(rows, RefusedRow):
        refused = {"status": rows.status, "code": rows.code}
    return {
        "call": found.past.row.call,
        "at": round(found.past.at * 1000),
        "principal": found.past.row.principal,
        "copy_of": copied_from(found.rows),
        "rules": {"version": found.past.book, "explained_by_them": found.same_rules},
        "recorded": recorded_json(found.past),
        "attempts": [attempt_json(row) for row in attempts],
        "refused": refused,
        "energy": _energy(attempts),
        "agrees": found.agrees,
        "explanation": None if found.explanation is None else as_json(found.explanation),
        "notes": list(found.notes),
    }


def recorded_json(past: Past) -> dict[str, Any]:
    """What was written down of the decision."""
    found = past.found
    told: dict[str, Any] = {
        "rule": past.rule or None,
        "position": found.position,
        "targets": planned_of(past),
        "skipped": [
            {"target": name, "code": left.code, "retry_after": left.wait}
            for name, left in skipped_of(found).items()
        ],
        "panic": found.panic,
        "passed": found.passed,
    }
    facts = {
        "draw": found.draw,
        "fill": found.fill,
        "balance": _balance(past),
        "health": found.health,
    }
    return told | {name: value for name, value in facts.items() if value is not None}


def _balance(past: Past) -> float | None:
    micro = (past.found.balance or {}).get("micro")
    return None if micro is None else micro / MICRO


def attempt_json(row: AttemptRow) -> dict[str, Any]:
    """One attempt and how it ended. `key` is the number of the provider's key, where it has several."""
    features = _features(row)
    return {
        "attempt": row.attempt,
        "number": row.number,
        "at": row.at,
        "target": f"{row.provider}/{row.model}",
        "key": key if type(key := features.get("key")) is int and key > 0 else None,
        "state": row.state,
        "status": row.status,
        "error": row.error,
        "first_byte_ms": row.first_byte_ms,
        "total_ms": row.total_ms,
        "prompt": row.prompt,
        "completion": row.completion,
        "source": row.source,
        "energy": None if row.energy is None else row.energy / MICRO,
        "flags": json.loads(row.flags),
        "missed": [list(pair) for pair in _missed(features)],
    }


def _features(row: AttemptRow) -> dict[str, Any]:
    try:
        found = json.loads(row.features)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _missed(features: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for pair in features.get("missed", ()):
        if isinstance(pair, list) and len(pair) == 2:
            yield str(pair[0]), str(pair[1])


def _energy(rows: tuple[AttemptRow, ...]) -> float | None:
    known = [row.energy for row in rows if row.energy is not None]
    return sum(known) / MICRO if known else None
