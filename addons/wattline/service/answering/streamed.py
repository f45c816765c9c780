"""Streams: opened once they show their first output, passed on event by event, settled before their tail."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass

from wattline.base.clock import Clock
from wattline.base.errors import Fault
from wattline.dialects.base import StreamReader
from wattline.engine.failover import judge_broken, judge_inband
from wattline.engine.meter import Meter
from wattline.service.attempts import Attempts
from wattline.service.entrance.headers import answer_headers
from wattline.service.entrance.redaction import secrets_of
from wattline.service.exchange import Attempt, Exchange
from wattline.service.making import note_begun
from wattline.service.metering.settlement import Settlement
from wattline.service.midstream import Midstream, Part, broke_off, code_of
from wattline.service.outgoing.passage import Passage
from wattline.service.outgoing.unfolding import Unfolding
from wattline.service.relay import InBand, StreamRelay
from wattline.service.remembered import Remembered
from wattline.store.base import State
from wattline.upstream.base import Broken, Incoming
from wattline.upstream.scrub import scrub
from wattline.wire.http import Head, Items, Truncated


@dataclass(frozen=True, slots=True)
class StreamedAnswers:
    """`opened` gives the items of a stream, or None: then the attempt failed and is settled."""

    attempts: Attempts
    settlement: Settlement
    remembered: Remembered
    clock: Clock
    midstream: Midstream

    async def opened(
        self, exchange: Exchange, attempt: Attempt, incoming: Incoming, meter: Meter
    ) -> Items | None:
        """A stream of the provider's, passed on or translated."""
        passage = attempt.passage
        reader = passage.reader(exchange.call) if passage and passage.foreign else None
        if exchange.plan.midstream:
            reader = self.midstream.listening(exchange, attempt, reader)
        return await self._started(exchange, attempt, incoming, meter, reader)

    async def unfolded(
        self,
        exchange: Exchange,
        attempt: Attempt,
        incoming: Incoming,
        meter: Meter,
        passage: Passage,
    ) -> Items | None:
        """A whole answer for a client that asked for a stream: told as one."""
        most = exchange.book.limits.answer_bytes
        unfolding = Unfolding(incoming, passage, exchange.call, most)
        return await self._started(exchange, attempt, unfolding, meter, unfolding)

    async def _started(
        self,
        exchange: Exchange,
        attempt: Attempt,
        incoming: Incoming,
        meter: Meter,
        reader: StreamReader | None,
    ) -> Items | None:
        """A stream, once it has shown its first output. `reader`: of a translated one."""
        passed = exchange.plan.passed
        relay = StreamRelay(exchange.dialect, exchange.call, incoming, meter, reader, passed=passed)
        try:
            await relay.start(self.attempts.timeouts(exchange, attempt.target).first_byte)
        except Broken as broken:
            self.settlement.failed(exchange, attempt, judge_broken(broken.code))
            return None
        except InBand as error:
            self.settlement.failed(exchange, attempt, judge_inband(error.word))
            return None
        attempt.first_output = self.clock.monotonic() if relay.shown else None
        note_begun(self.remembered, exchange, attempt, relay.begun)
        return self._stream(exchange, attempt, incoming, meter, relay)

    async def _stream(
        self,
        exchange: Exchange,
        attempt: Attempt,
        incoming: Incoming,
        meter: Meter,
        relay: StreamRelay,
    ) -> Items:
        exchange.delivered = True
        if attempt.transcript is None:
            exchange.forget()  # no other target will need it
        yield Head(incoming.status, answer_headers(exchange, attempt, incoming))
        secrets = secrets_of(attempt.target)
        try:
            while data := await relay.next():
                if attempt.first_output is None and relay.shown:
                    attempt.first_output = self.clock.monotonic()
                yield scrub(data, secrets)
        except (Broken, InBand) as error:
            if attempt.transcript is None:
                yield await self._truncate(exchange, attempt, meter, code_of(error))
                raise Truncated from error
            first = Part(attempt, meter, incoming, relay, code_of(error))
            async with aclosing(self.midstream.go_on(exchange, first)) as items:
                async for data in items:
                    yield data
            return
        fault = relay.fault
        usage, flags = meter.usage(ended=fault is None)
        state = State.COMPLETE if fault is None else State.TRUNCATED
        settled = self.settlement.over(exchange, attempt, state, usage, flags, fault)
        exchange.held = relay.held
        await relay.drain()
        await self.settlement.committed(exchange, settled)
        tail = relay.tail(usage, None if exchange.plan.passed else exchange.energy)
        yield scrub(tail, secrets)

    async def _truncate(
        self, exchange: Exchange, attempt: Attempt, meter: Meter, code: str
    ) -> bytes:
        """The upstream broke off after output: what was used is owed, and the client is told."""
        usage, flags = meter.usage(ended=False)
        settled = self.settlement.over(exchange, attempt, State.TRUNCATED, usage, flags, code)
        await self.settlement.committed(exchange, settled)
        return stream_error(exchange, broke_off(code))


def stream_error(exchange: Exchange, fault: Fault) -> bytes:
    """The event that ends a stream, in the client's dialect."""
    return exchange.dialect.stream_error(fault, exchange.call.id, exchange.call.operation)
