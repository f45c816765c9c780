"""Calls that end without an attempt: in the ledger too, so that a backtest knows of them."""

from __future__ import annotations

from dataclasses import dataclass

from wattline.base.clock import Clock
from wattline.base.errors import Fault
from wattline.engine.features import features
from wattline.service.exchange import Exchange
from wattline.store.base import Refused
from wattline.store.decisions import SqliteDecisions

MOST = 100
"""Rows in a second. Whoever knocks at a full window all the time must not fill the disk."""


@dataclass(slots=True)
class Unsent:
    """Notes them. Nobody waits for that, and an outage of the ledger loses them."""

    decisions: SqliteDecisions
    clock: Clock
    _second: int = 0
    _noted: int = 0
    _left_out: int = 0

    def note(self, exchange: Exchange, fault: Fault) -> None:
        """Queue the row of a call, or count it among those that were too many."""
        now = int(self.clock.monotonic())
        if now != self._second:
            self._second, self._noted = now, 0
        if self._noted >= MOST:
            self._left_out += 1
            return
        self._noted += 1
        self.decisions.note(self._row(exchange, fault))
        self._left_out = 0

    def _row(self, exchange: Exchange, fault: Fault) -> Refused:
        call = exchange.call
        return Refused(
            call=call.id,
            at=int(self.clock.wall() * 1000),
            principal=call.principal.id,
            requested=call.model,
            rule=exchange.plan.rule or "",
            dialect=call.dialect,
            operation=call.operation.value,
            stream=call.stream,
            book=exchange.book.version,
            status=fault.status,
            code=str(fault.code or ""),
            left_out=self._left_out,
            features=features(call, exchange.plan, exchange.noted, _missed(exchange), whole=True),
        )


def _missed(exchange: Exchange) -> list[tuple[str, str]]:
    return [(failure.target, failure.code) for failure in exchange.failures]
