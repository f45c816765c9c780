"""From the provider to the client: each event metered, the last of a response after its settlement."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass

from wattline.base.errors import Fault
from wattline.dialects.openai import realtime
from wattline.dialects.openai.realtime import Kind, ServerEvent
from wattline.service.sockets.bound import Bound
from wattline.service.sockets.client_end import ClientEnd
from wattline.service.sockets.provider_end import ProviderEnd
from wattline.service.sockets.pulse import Pulse
from wattline.service.sockets.responses import Responses
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


@dataclass(slots=True, repr=False)
class Hearing:
    """The pump of the provider's messages."""

    client: ClientEnd
    provider: ProviderEnd
    responses: Responses
    pulse: Pulse
    _owed_turns: int = 0
    """Since the last response that was seen to begin."""

    async def run(self, bound: Bound) -> None:
        """Until the provider's end is lost."""
        while True:
            try:
                items = await bound.socket.read()
            except Broken as broken:
                await self.provider.lose(bound, broken.code)
                return
            self.pulse.answered()
            for item in items:
                if self.provider.lost:
                    return
                if isinstance(item, Message):
                    async with self.provider.telling:
                        await self._witnessed(bound, item)
                elif isinstance(item, Ping):
                    with contextlib.suppress(Broken):  # the next read says the same
                        await self.provider.answer(bound, item)
                else:
                    await self._closed(bound, item)
                    return

    async def _closed(self, bound: Bound, item: Closed) -> None:
        bound.socket.close(item.code)
        if item.fault:
            await self.provider.lose(bound, "bad_answer")
        else:
            await self.provider.lose(bound, "cut", Closed(item.code, item.reason))

    async def _witnessed(self, bound: Bound, message: Message) -> None:
        witness = bound.witness
        if witness is None:
            await self._told(bound, message)
            return
        witness.heard(message)
        try:
            await self._told(bound, message)
        except BaseException:
            witness.cut()
            raise

    async def _told(self, bound: Bound, message: Message) -> None:
        """One message of the provider's."""
        data = message.data
        event = realtime.read_event(data)
        if event.kind is Kind.LAST:
            data = await self._ended(bound, event, data)
        elif event.kind is Kind.CREATED:
            await self._created(bound, event)
        elif event.kind is Kind.OUTPUT:
            turn = self.responses.lanes.speaking(event.response, event.lane)
            if turn is not None:
                self.responses.heard(turn, event)
        elif event.kind is Kind.ERROR:
            await self._refused(event)
        out = Message(scrub(data, bound.secrets()), message.text)
        await self.client.tell(out, bound.witness)
        self.pulse.answered()
        self._quiet()

    async def _created(self, bound: Bound, event: ServerEvent) -> None:
        turn = self.responses.lanes.created(event.response, event.lane)
        if turn is None:
            turn = await self._unasked(bound, event)
        if turn is not None:
            self._owed_turns = 0
            self.responses.seen(turn)

    async def _unasked(self, bound: Bound, event: ServerEvent) -> Turn | None:
        """The provider answers by itself, as on voice activity: a call like any other, with its row
        before the client sees of it. Where it may not be, the provider is told to stop.
        """
        try:
            if self.responses.crowded:
                return None
            body = realtime.unasked_body(bound.exchange.call.model, self.responses.operation)
            exchange = await self.responses.exchange(body)
            exchange.plan = bound.exchange.plan
            turn = await self.responses.turn(exchange, bound.target)
        except Fault as fault:
            await self.provider.send(bound, Message(realtime.cancel_event(event.response)))
            await self.client.refuse(fault)
            return None
        self.responses.begun(turn, event.response, event.lane)
        return turn

    async def _ended(self, bound: Bound, event: ServerEvent, data: bytes) -> bytes:
        """The last event of a response, with its energy, after its settlement is durable."""
        lanes = self.responses.lanes
        if lanes.over(event.response):
            return data  # told twice: owed once
        turn = lanes.ended(event.response, event.lane)
        if turn is None:
            turn = await self._owed(bound)
        if turn is None:
            return data
        exchange = await self.responses.ended(turn, event)
        usage, energy = exchange.usage, exchange.energy
        if bound.passed or usage is None or energy is None:
            return data
        return realtime.with_energy(data, usage, energy)

    async def _owed(self, bound: Bound) -> Turn | None:
        self._owed_turns += 1
        if self._owed_turns > MAX_OWED:
            call, target = bound.exchange.call, bound.target
            log.warning("%s: %s ends responses that never began", call.id, target)
            await self.provider.lose(bound, "bad_answer")
            return None
        return await self.responses.owed(bound)

    async def _refused(self, event: ServerEvent) -> None:
        """An error of the provider's: the end of a response, or about another message."""
        turn = self.responses.lanes.refused(event.asked_by, event.lane)
        if turn is None and self.responses.operation is Operation.RESPONSES:
            turn = self.responses.lanes.failed(event.lane)
        if turn is not None:
            await self.responses.refused(turn, event.word or "server_error")

    def _quiet(self) -> None:
        """After each message: a sidecar that stops waits only for responses under way."""
        if self.responses.rest():
            self.client.goodbye(SERVICE_RESTART, "the sidecar stops")
