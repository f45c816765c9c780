"""Notes what calls make, so that it can be asked about (B-026, B-033)."""

from __future__ import annotations

from wattline.dialects.follow_up import MADE
from wattline.dialects.made_id import begun_id, made_id
from wattline.service.exchange import Attempt, Exchange
from wattline.service.remembered import Place, Remembered


def note_made(remembered: Remembered, exchange: Exchange, attempt: Attempt, answer: bytes) -> None:
    """After a whole answer, before the client has it."""
    if _makes(exchange, attempt):
        _note(remembered, exchange, attempt, made_id(answer))


def note_begun(
    remembered: Remembered, exchange: Exchange, attempt: Attempt, event: bytes | None
) -> None:
    """After the event that says which answer of a stream has begun."""
    if event is not None and _makes(exchange, attempt):
        _note(remembered, exchange, attempt, begun_id(event))


def _makes(exchange: Exchange, attempt: Attempt) -> bool:
    """The provider itself keeps it. What was translated has an id of ours, and nobody knows it."""
    if exchange.call.operation not in MADE or exchange.plan.passed:
        return False
    passage = attempt.passage
    return (
        not (passage is not None and passage.foreign) and exchange.value.get("store") is not False
    )


def _note(remembered: Remembered, exchange: Exchange, attempt: Attempt, made: str | None) -> None:
    if made is None:
        return
    call = exchange.call
    remembered.note(call.operation.value, call.principal.id, made, Place.of(attempt.target))
    attempt.made = made
