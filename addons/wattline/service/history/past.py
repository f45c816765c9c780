"""Rows of the ledger as past calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wattline.engine.backtest import Past, PastAttempt
from wattline.engine.past_call import NO_FEATURES, Known, read_features
from wattline.store.history import EXCLUDED, AttemptRow, CallRows, RefusedRow, ShortRow


def past_calls(found: Iterable[CallRows]) -> Iterator[Past]:
    """Each as the engine replays it."""
    return map(past_of, found)


def past_of(rows: CallRows) -> Past:
    """One call. What is not recorded of it stays empty."""
    if isinstance(rows, RefusedRow):
        return Past(
            rows.at / 1000,
            Known(
                rows.call,
                rows.principal,
                rows.requested,
                rows.dialect,
                rows.operation,
                bool(rows.stream),
            ),
            rows.rule,
            rows.book,
            read_features(rows.features),
            (),
            rows.status,
            rows.code,
            rows.left_out,
        )
    first = rows[0]
    known = Known(
        first.call,
        first.principal,
        first.requested,
        first.dialect,
        first.operation,
        bool(first.stream),
    )
    features = read_features(first.features) if first.number == 1 else NO_FEATURES
    attempts = tuple(map(_attempt, rows))
    return Past(first.at / 1000, known, first.rule, first.book, features, attempts)


def past_in_short(found: Iterable[ShortRow | RefusedRow]) -> Iterator[Past]:
    """Each as the engine replays it, of what a backtest needs."""
    for row in found:
        if isinstance(row, RefusedRow):
            yield past_of(row)
            continue
        call, principal, requested, dialect, operation, stream, rule, book, features, ends = row
        known = Known(call, principal, requested, dialect, operation, stream == 1)
        if len(ends) == 1:
            attempts: tuple[PastAttempt, ...] = (PastAttempt._make(ends[0]),)
        else:
            attempts = tuple(map(PastAttempt._make, ends))
        yield Past(attempts[0].at, known, rule, book, read_features(features), attempts)


def _attempt(row: AttemptRow) -> PastAttempt:
    ended = row.settled_at
    at = row.at / 1000
    return PastAttempt(
        f"{row.provider}/{row.model}",
        at,
        at if ended is None else ended / 1000,
        row.state,
        row.prompt,
        row.completion,
        row.energy,
        row.error,
        row.first_byte_ms,
        row.total_ms,
        EXCLUDED not in row.flags,
    )
