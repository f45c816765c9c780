"""From the provider to the client: each event metered, the last of a response after its settlement."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace

from wattline.base.errors import Fault
from wattline.base.ids import new_id
from wattline.dialects.openai import realtime
from wattline.dialects.openai.realtime import Kind, ServerEvent
from wattline.engine.meter import Meter
from wattline.service.sockets.bound import Bound
from wattline.service.sockets.line import MAX_TURNS, Line
from wattline.service.sockets.turns import Turn
from wattline.upstream.base import Broken
from wattline.upstream.scrub import scrub
from wattline.wire.call import Operation
from wattline.wire.websocket import SERVICE_RESTART, Closed, Message, Ping

log = logging.getLogger(__name__)

MAX_OWED = 64
"""Ends of responses in a row that nobody saw begin. Each has a row of its own and no window holds them back,
so a provider that goes on with them is broken off.
"""


class Hearing(Line):
    """The pump of the provider's messages."""

    async def _hear(self, bound: Bound) -> None:
        socket = bound.socket
        while True:
            try:
                items = await socket.read()
            except Broken as broken:
                await self._lost(bound, broken.code)
                return
            self._heard = self._last = self._loop.time()
            for item in items:
                if self._ending:
                    return
                if isinstance(item, Message):
                    async with self._telling:
                        await self._told(bound, item)
                elif isinstance(item, Ping):
                    with contextlib.suppress(Broken):  # the next read says the same
                        await socket.send(socket.frames.pong(item))
                else:
                    await self._provider_closed(bound, item)
                    return

    async def _provider_closed(self, bound: Bound, item: Closed) -> None:
        bound.socket.close(item.code)
        if item.fault:
            await self._lost(bound, "bad_answer")
        else:
            await self._lost(bound, "cut", Closed(item.code, item.reason))

    async def _told(self, bound: Bound, message: Message) -> None:
        """One message of the provider's."""
        data = message.data
        event = realtime.read_event(data)
        if event.kind is Kind.LAST:
            data = await self._ended(bound, event, data)
        elif event.kind is Kind.CREATED:
            await self._created(bound, event)
        elif event.kind is Kind.OUTPUT:
            turn = self._lanes.speaking(event.response, event.lane)
            if turn is not None:
                turn.see(event)
        elif event.kind is Kind.ERROR:
            await self._refused(event)
        out = Message(scrub(data, bound.secrets()), message.text)
        await self._outbox.put(self._frames.message(out))
        self._heard = self._last = self._loop.time()
        self._quiet()

    async def _created(self, bound: Bound, event: ServerEvent) -> None:
        turn = self._lanes.created(event.response, event.lane)
        if turn is None:
            turn = await self._unasked(bound, event)
        if turn is not None:
            self._owed_turns = 0
            turn.began = True
            turn.attempt.status = 101
            turn.attempt.first_byte = self.services.settlement.clock.monotonic()

    async def _unasked(self, bound: Bound, event: ServerEvent) -> Turn | None:
        """The provider answers by itself, as on voice activity: a call like any other, with its row
        before the client sees of it. Where it may not be, the provider is told to stop.
        """
        try:
            if len(self._lanes) >= MAX_TURNS:
                return None
            model = bound.exchange.call.model
            body = realtime.unasked_body(model, self.route.operation)
            exchange = await self._exchange(body)
            exchange.plan = bound.exchange.plan
            turn = await self._turn(exchange, bound.target)
        except Fault as fault:
            await self._send(bound, Message(realtime.cancel_event(event.response)))
            await self._outbox.put(self._error(fault))
            return None
        self.inbox.busy = True
        self._stirred.set()
        self._lanes.begin(event.response or turn.attempt.id, turn, event.lane)
        return turn

    def _note_made(self, turn: Turn, response: str | None) -> None:
        """Its caller may go on from it (`previous_response_id`), nobody else."""
        call, target = turn.exchange.call, turn.attempt.target
        if response is None or call.operation is not Operation.RESPONSES:
            return
        place = (target.provider.name, target.model, target.entry)
        remembered = self.services.opening.remembered
        remembered.note(call.operation.value, call.principal.id, response, place)
        turn.attempt.made = response

    async def _ended(self, bound: Bound, event: ServerEvent, data: bytes) -> bytes:
        """The last event of a response, with its energy, after its settlement is durable."""
        if self._lanes.over(event.response):
            return data  # told twice: owed once
        turn = self._lanes.ended(event.response, event.lane)
        if turn is None:
            turn = await self._owed(bound)
        if turn is None:
            return data
        self._note_made(turn, event.response)
        turn.see(event)
        if event.word is not None and event.count.usage is None:
            settled = self._ends.failed(turn, event.word)
        else:
            settled = self._ends.complete(turn)
        exchange = turn.exchange
        if settled is not None:
            await self.services.settlement.committed(exchange, settled)
        usage, energy = exchange.usage, exchange.energy
        if usage is None or energy is None:
            return data
        self._context = usage.total
        return data if bound.passed else realtime.with_energy(data, usage, energy)

    async def _owed(self, bound: Bound) -> Turn | None:
        """A turn for a response that was never seen to begin, or was not wanted: it is owed all the same."""
        self._owed_turns += 1
        if self._owed_turns > MAX_OWED:
            log.warning("%s: %s ends responses that never began", self.request.id, bound.target)
            await self._lost(bound, "bad_answer")
            return None
        call = replace(bound.exchange.call, id=new_id("req"))
        exchange = replace(
            bound.exchange,
            call=call,
            attempts=[],
            failures=[],
            caller_ticket=None,
            began=self.services.settlement.clock.monotonic(),
        )
        try:
            attempt = await self.services.owed.begin(exchange, bound.target)
        except Fault as fault:
            log.warning("%s: a response can't be recorded: %s", call.id, fault.code)
            return None
        if attempt is None:
            return None
        return Turn(exchange, attempt, Meter(call, call.tokens), self._loop.time())

    async def _refused(self, event: ServerEvent) -> None:
        """An error of the provider's: the end of a response, or about another message."""
        turn = self._lanes.refused(event.asked_by, event.lane)
        if turn is None and self.route.operation is Operation.RESPONSES:
            turn = self._lanes.failed(event.lane)
        if turn is not None:
            settled = self._ends.failed(turn, event.word or "server_error")
            await self._durable(turn, settled)

    def _quiet(self) -> None:
        """After each message: a sidecar that stops waits only for responses under way."""
        self.inbox.busy = len(self._lanes) > 0
        if self.inbox.retiring and not self.inbox.busy:
            self._end(SERVICE_RESTART, "the sidecar stops")
