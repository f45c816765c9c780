"""The responses of a WebSocket as attempts: each has its slots, its row, its meter and one settlement."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import override

from wattline.dialects.openai.realtime import ServerEvent
from wattline.engine.breaker import FREE, Permit
from wattline.engine.failover import judge_broken, judge_inband
from wattline.engine.meter import Meter
from wattline.engine.spending import Reserved
from wattline.engine.windows import Ticket
from wattline.rules.compiled.target import Target
from wattline.service.accounts.entitlement import reserve
from wattline.service.attempts import Attempts
from wattline.service.exchange import SENT, Attempt, Exchange
from wattline.service.metering.report import report
from wattline.service.metering.settlement import Settlement, free_of_charge
from wattline.service.outgoing.passage import Passage
from wattline.store.base import Opened, State
from wattline.upstream.base import Broken, Outgoing
from wattline.wire.piece import Mark, Piece
from wattline.wire.usage import Usage


@dataclass(slots=True)
class Turn:
    """One response: asked for by the client, or begun by the provider."""

    exchange: Exchange
    attempt: Attempt
    meter: Meter
    asked: float
    """The loop's time."""
    asked_by: str | None = None
    lane: str | None = None
    began: bool = False
    """The provider has shown a sign of it."""

    def __repr__(self) -> str:
        return f"<Turn {self.attempt!r}>"

    def see(self, event: ServerEvent) -> None:
        """Meter one event of this response."""
        self.began = True
        count = event.count
        self.meter.see(Piece(Mark.OUTPUT, b"", event.output, count.usage, count.bad))


@dataclass(slots=True)
class TurnAttempts(Attempts):
    """Attempts whose request goes out over a socket that is open already."""

    @override
    async def _passage(self, exchange: Exchange, target: Target) -> Passage | None:
        return None

    @override
    def _request(self, exchange: Exchange, attempt: Attempt) -> Outgoing | Broken:
        return SENT


@dataclass(slots=True)
class OwedAttempts(TurnAttempts):
    """Attempts that can't be refused any more: the provider has worked, whether there was room or not."""

    @override
    def _take(self, exchange: Exchange, target: Target, now: float) -> tuple[Ticket, Permit]:
        return Ticket(()), FREE

    @override
    def _reserve(self, exchange: Exchange, attempt: Attempt, row: Opened) -> Reserved | None:
        if free_of_charge(attempt.target, exchange.book):
            return None
        caller, now = exchange.call.principal, self.clock.monotonic()
        return reserve(self.spending, caller, row.hold, now, owed=True)


@dataclass(slots=True)
class TurnSettlement:
    """Ends turns, each once."""

    settlement: Settlement

    def complete(self, turn: Turn) -> Awaitable[bool]:
        """The provider's last event of it came."""
        usage, flags = turn.meter.usage(ended=True)
        turn.attempt.status = 101
        return self._over(turn, State.COMPLETE, usage, flags, None)

    def failed(self, turn: Turn, word: str) -> Awaitable[bool] | None:
        """The provider reported an error. Without output nothing is owed."""
        if self._has_output(turn):
            usage, flags = turn.meter.usage(ended=False)
            return self._over(turn, State.TRUNCATED, usage, flags, f"inband_{word}")
        self.settlement.failed(turn.exchange, turn.attempt, judge_inband(word))
        self._report(turn)
        return None

    def lost(self, turn: Turn, code: str) -> Awaitable[bool] | None:
        """The provider's socket broke off."""
        if turn.began:
            usage, flags = turn.meter.usage(ended=False)
            return self._over(turn, State.TRUNCATED, usage, flags, code)
        self.settlement.failed(turn.exchange, turn.attempt, judge_broken(code))
        self._report(turn)
        return None

    def left(self, turn: Turn, state: State, word: str) -> Awaitable[bool]:
        """The client left it, or we did."""
        usage, flags = turn.meter.usage(ended=False)
        return self._over(turn, state, usage, flags, word)

    def _over(
        self, turn: Turn, state: State, usage: Usage, flags: tuple[str, ...], word: str | None
    ) -> Awaitable[bool]:
        settled = self.settlement.over(turn.exchange, turn.attempt, state, usage, flags, word)
        self._report(turn)
        return settled

    def _has_output(self, turn: Turn) -> bool:
        usage, _ = turn.meter.usage(ended=False)
        return usage.completion > 0

    def _report(self, turn: Turn) -> None:
        exchange = turn.exchange
        now = self.settlement.clock.monotonic()
        report(exchange.request, exchange, None, now, self.settlement.counts)
