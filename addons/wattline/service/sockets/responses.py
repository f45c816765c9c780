"""The responses of one conversation: how each begins, and how each is settled, once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import replace
from typing import Final

from wattline.base.errors import ClientFault, Fault
from wattline.base.errors import Kind as FaultKind
from wattline.base.ids import new_id
from wattline.dialects.base import Route
from wattline.dialects.openai.lanes import Lanes
from wattline.dialects.openai.realtime import ServerEvent
from wattline.engine.meter import Meter
from wattline.rules.compiled.target import Target
from wattline.service.entrance.refusal import refusal
from wattline.service.exchange import Attempt, Exchange
from wattline.service.remembered import Place
from wattline.service.sockets.bound import Bound, Services
from wattline.service.sockets.inbox import Inbox
from wattline.service.sockets.pulse import Pulse
from wattline.service.sockets.turns import Turn, TurnSettlement
from wattline.store.base import State
from wattline.wire.call import Operation
from wattline.wire.http import Request

log = logging.getLogger(__name__)

MAX_TURNS: Final = 64
"""Responses that may be open on one connection."""


class Responses:
    """Those that are open (`lanes`), and the books about them. While there are any the inbox is busy."""

    def __init__(
        self, services: Services, request: Request, route: Route, inbox: Inbox, pulse: Pulse
    ) -> None:
        self.lanes: Lanes[Turn] = Lanes()
        self._services = services
        self._request = request
        self._route = route
        self._inbox = inbox
        self._pulse = pulse
        self._ends = TurnSettlement(services.settlement)
        self._context = 0
        """Tokens of the last response and what led to it: the next one reads at least these."""

    def __len__(self) -> int:
        """How many are open."""
        return len(self.lanes)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.lanes!r}>"

    @property
    def operation(self) -> Operation:
        """What each of them is."""
        return self._route.operation

    @property
    def crowded(self) -> bool:
        """No further one may begin."""
        return len(self.lanes) >= MAX_TURNS

    def check_room(self) -> None:
        """Raises ClientFault 429 where too many are open."""
        if self.crowded:
            raise ClientFault(
                f"{MAX_TURNS} responses are open on this connection; wait for one to end.",
                status=429,
                code="too_many_responses",
                kind=FaultKind.RATE_LIMIT,
            )

    async def exchange(self, body: bytes) -> Exchange:
        """The exchange of one response, its caller's windows taken. Raises Fault."""
        request = replace(self._request, id=new_id("req"), body=body)
        exchange = await self._services.opening.open(request, self._route, context=self._context)
        exchange.forget()  # the socket stays open for long
        return exchange

    async def turn(self, exchange: Exchange, target: Target) -> Turn:
        """Slots taken, row durable. Raises Fault."""
        attempt = await self._services.attempts.begin(exchange, target)
        if attempt is None:
            raise refusal(exchange)
        return self._turn(exchange, attempt)

    async def owed(self, bound: Bound) -> Turn | None:
        """A turn for a response that was never seen to begin, or was not wanted: it is owed all the same. None
        where it can't be written down.
        """
        call = replace(bound.exchange.call, id=new_id("req"))
        exchange = replace(
            bound.exchange,
            call=call,
            attempts=[],
            failures=[],
            caller_ticket=None,
            began=self._services.settlement.clock.monotonic(),
        )
        try:
            attempt = await self._services.owed.begin(exchange, bound.target)
        except Fault as fault:
            log.warning("%s: a response can't be recorded: %s", call.id, fault.code)
            return None
        return None if attempt is None else self._turn(exchange, attempt)

    def _turn(self, exchange: Exchange, attempt: Attempt) -> Turn:
        return Turn(
            exchange, attempt, Meter(exchange.call, exchange.call.tokens), self._pulse.now()
        )

    def asked(self, turn: Turn, asked_by: str | None, lane: str | None) -> None:
        """The client's request for it is about to be sent."""
        turn.asked_by, turn.lane = asked_by, lane
        self.lanes.ask(turn, asked_by, lane)
        self._work()

    def begun(self, turn: Turn, response: str | None, lane: str | None) -> None:
        """The provider began it by itself."""
        self.lanes.begin(response or turn.attempt.id, turn, lane)
        self._work()

    def _work(self) -> None:
        self._inbox.busy = True
        self._pulse.stirred.set()

    def seen(self, turn: Turn) -> None:
        """The provider says that it has begun."""
        turn.began = True
        turn.attempt.status = 101

    def heard(self, turn: Turn, event: ServerEvent) -> None:
        """The provider says something of it."""
        turn.see(event)
        if turn.attempt.first_output is None and event.output:
            turn.attempt.first_output = self._services.settlement.clock.monotonic()

    def rest(self) -> bool:
        """After each message: whether the conversation is to end, since the sidecar stops and nothing is open."""
        self._inbox.busy = len(self.lanes) > 0
        return self._inbox.retiring and not self._inbox.busy

    async def ended(self, turn: Turn, event: ServerEvent) -> Exchange:
        """Settle one that was taken out of `lanes`; its exchange has the usage once that is durable."""
        self._note_made(turn, event.response)
        turn.see(event)
        if event.word is not None and event.count.usage is None:
            await self.refused(turn, event.word)
        else:
            await self._durable(turn, self._ends.complete(turn))
        usage = turn.exchange.usage
        if usage is not None and turn.exchange.energy is not None:
            self._context = usage.total
        return turn.exchange

    async def refused(self, turn: Turn, word: str) -> None:
        """The provider reported an error about one that was taken out of `lanes`."""
        await self._durable(turn, self._ends.failed(turn, word))

    async def lost(self, code: str) -> bool:
        """The provider's socket broke off under all of them; whether there were any."""
        turns = self.lanes.drain()
        # All of them at once: whoever ends this task while it waits must find none unsettled.
        settled = [(turn, self._ends.lost(turn, code)) for turn in turns]
        for turn, done in settled:
            await self._durable(turn, done)
        return bool(turns)

    def left(self, state: State, word: str) -> None:
        """The client left all of them, or we did."""
        for turn in self.lanes.drain():
            self._ends.left(turn, state, word)

    def _note_made(self, turn: Turn, response: str | None) -> None:
        """Its caller may go on from it (`previous_response_id`), nobody else."""
        call = turn.exchange.call
        if response is None or call.operation is not Operation.RESPONSES:
            return
        remembered, place = self._services.opening.remembered, Place.of(turn.attempt.target)
        remembered.note(call.operation.value, call.principal.id, response, place)
        turn.attempt.made = response

    async def _durable(self, turn: Turn, settled: Awaitable[bool] | None) -> None:
        if settled is not None:
            await self._services.settlement.committed(turn.exchange, settled)
