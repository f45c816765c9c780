"""Answers that are not streams: held whole while they may be, passed on as they come otherwise."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from wattline.base.clock import Clock
from wattline.dialects.base import Answer
from wattline.engine.failover import judge_broken, judge_inband
from wattline.engine.meter import Meter
from wattline.service.entrance.headers import answer_headers
from wattline.service.entrance.redaction import redacted, secrets_of
from wattline.service.exchange import Attempt, Exchange
from wattline.service.hearing import has_type, no_stream, read_body
from wattline.service.large import is_large_answer
from wattline.service.making import note_made
from wattline.service.metering.listening import hear_transcript, speech_headers
from wattline.service.metering.settlement import Settlement, price
from wattline.service.outgoing.passage import Passage
from wattline.service.remembered import Remembered
from wattline.store.base import State
from wattline.upstream.base import Broken, Incoming
from wattline.upstream.scrub import Scrubber
from wattline.wire.call import Call, Operation
from wattline.wire.http import Head, Items, Truncated, Whole
from wattline.wire.usage import Usage


@dataclass(frozen=True, slots=True)
class WholeAnswers:
    """Each method returns what the client gets, or None: then the attempt failed and is settled."""

    settlement: Settlement
    remembered: Remembered
    clock: Clock

    async def held(
        self, exchange: Exchange, attempt: Attempt, incoming: Incoming, meter: Meter
    ) -> Whole | Items | None:
        """An answer that is not a stream: held whole, so that a broken one can fail over."""
        try:
            body, rest = await read_body(incoming, exchange.book.limits.answer_bytes)
        except Broken as broken:
            self.settlement.failed(exchange, attempt, judge_broken(broken.code))
            return None
        attempt.first_output = self.clock.monotonic()
        passage = attempt.passage
        if rest:
            if passage is not None and passage.foreign:
                self.settlement.failed(exchange, attempt, judge_broken("answer_too_large"))
                return None
            return self._large(exchange, attempt, incoming, meter, body)
        large = is_large_answer(body, passage)
        if large:
            answer, body = await asyncio.to_thread(_heard, exchange, passage, body)
        else:
            answer, body = _heard(exchange, passage, body)
        if answer.error is not None:
            self.settlement.failed(exchange, attempt, judge_inband(answer.error))
            return _as_it_came(exchange, attempt, incoming, body)
        if not answer.sound or _owes_stream(exchange.call):
            why = no_stream(incoming) if _owes_stream(exchange.call) else ""
            self.settlement.failed(exchange, attempt, judge_broken("bad_answer"), why)
            return _as_it_came(exchange, attempt, incoming, body)
        meter.answer(answer)
        note_made(self.remembered, exchange, attempt, body)
        body = hear_transcript(exchange, body)
        return await self._settled(exchange, attempt, incoming, meter, body, large=large)

    async def _settled(
        self,
        exchange: Exchange,
        attempt: Attempt,
        incoming: Incoming,
        meter: Meter,
        body: bytes,
        *,
        large: bool,
    ) -> Whole:
        """The answer with what it cost, once that is committed. `large`: written in a thread."""
        usage, flags = meter.usage(ended=True)
        exchange.delivered = True
        settled = self.settlement.over(exchange, attempt, State.COMPLETE, usage, flags)
        if exchange.energy is not None and not exchange.plan.passed:
            write = exchange.dialect.write_answer
            said = (exchange.call, body, usage, exchange.energy)
            body = await asyncio.to_thread(write, *said) if large else write(*said)
        headers = answer_headers(exchange, attempt, incoming)
        await self.settlement.committed(exchange, settled)  # which ran meanwhile
        return Whole(incoming.status, headers, redacted(body, attempt.target))

    async def spoken(
        self, exchange: Exchange, attempt: Attempt, incoming: Incoming, meter: Meter
    ) -> Items | None:
        """Sound, or a video, is passed on as it comes, once there is some of it."""
        try:
            first, _ = await read_body(incoming, 0)
            if not first:
                raise Broken("bad_answer", "an empty answer", sent=True)
            if exchange.call.operation is Operation.SPEECH and has_type(incoming, "text/"):
                raise Broken("bad_answer", "text in place of sound", sent=True)
        except Broken as broken:
            self.settlement.failed(exchange, attempt, judge_broken(broken.code))
            return None
        attempt.first_output = self.clock.monotonic()
        return self._large(exchange, attempt, incoming, meter, first)

    async def _large(
        self,
        exchange: Exchange,
        attempt: Attempt,
        incoming: Incoming,
        meter: Meter,
        first: bytes,
    ) -> Items:
        """Too large to hold: passed on as it comes, its last byte after the commit."""
        exchange.delivered = True
        scrubber = Scrubber(secrets_of(attempt.target))
        headers = answer_headers(exchange, attempt, incoming)
        if exchange.call.operation is Operation.SPEECH and not exchange.plan.passed:
            cost = price(Usage(0, 0), attempt.target, exchange.book, exchange.sound)
            headers = speech_headers(exchange, headers, cost.micro)
        yield Head(incoming.status, headers)
        ready = scrubber.feed(first)
        try:
            yield ready[:-1]
            async for data in incoming.pieces():
                ready = ready[-1:] + scrubber.feed(data)
                yield ready[:-1]
        except Broken as broken:
            usage, flags = meter.usage(ended=False)
            self.settlement.over(exchange, attempt, State.TRUNCATED, usage, flags, broken.code)
            raise Truncated from broken
        usage, flags = meter.usage(ended=True)
        settled = self.settlement.over(exchange, attempt, State.COMPLETE, usage, flags)
        await self.settlement.committed(exchange, settled)
        yield ready[-1:] + scrubber.end()


def _as_it_came(
    exchange: Exchange, attempt: Attempt, incoming: Incoming, body: bytes
) -> Whole | None:
    """What is no answer is left to the next target; but a call that is passed on gets its host's, whatever it is."""
    if not exchange.plan.passed:
        return None
    exchange.delivered = True
    headers = answer_headers(exchange, attempt, incoming)
    return Whole(incoming.status, headers, redacted(body, attempt.target))


def _heard(exchange: Exchange, passage: Passage | None, body: bytes) -> tuple[Answer, bytes]:
    """What a whole answer says, and the same in the client's dialect."""
    if passage is None:
        return exchange.dialect.read_answer(exchange.call, body), body
    return passage.read_answer(exchange.call, body)


def _owes_stream(call: Call) -> bool:
    """A whole answer is none for this call. There are transcribers that do not know `stream`."""
    return call.stream and call.operation is not Operation.TRANSCRIPTION
