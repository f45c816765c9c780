"""What comes of an attempt, from its sending to its settlement."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

from wattline.dialects.base import LOOKED_UP
from wattline.dialects.refused import refused
from wattline.engine.meter import Meter
from wattline.service.answering.streamed import StreamedAnswers, stream_error
from wattline.service.answering.whole import WholeAnswers
from wattline.service.attempts import Attempts
from wattline.service.entrance.headers import answer_headers, with_headers
from wattline.service.entrance.redaction import redacted
from wattline.service.exchange import Attempt, Exchange
from wattline.service.hearing import has_type, is_stream
from wattline.service.lookup import is_nowhere
from wattline.service.metering.left_open import settle_left_open
from wattline.service.metering.payloads import Payloads
from wattline.service.metering.settlement import Settlement
from wattline.service.parting import shutting_down, uncancel
from wattline.upstream.base import Incoming
from wattline.wire.call import Call, Operation
from wattline.wire.http import Ending, Items, Truncated, Whole


@dataclass(frozen=True, slots=True)
class Outcomes:
    """`of` settles its attempt exactly once, whichever way it ends."""

    attempts: Attempts
    settlement: Settlement
    whole: WholeAnswers
    streamed: StreamedAnswers
    payloads: Payloads | None = None
    """Only where somebody looks for a fault."""

    async def of(self, exchange: Exchange, attempt: Attempt) -> Items:
        """One attempt, and whatever happens its settlement. Nothing comes of one that failed."""
        meter = Meter(exchange.call, exchange.call.tokens)
        incoming: Incoming | None = None
        try:
            incoming = await self.attempts.send(exchange, attempt)
            if incoming is None:
                return
            answer = await self._hear(exchange, attempt, incoming, meter)
            if isinstance(answer, Whole):
                yield answer
            elif answer is not None:
                async with aclosing(answer) as items:
                    async for item in items:
                        yield item
        except asyncio.CancelledError:
            if exchange.request.departure.reason is not Ending.SHUTDOWN:
                raise
            uncancel()
            if not exchange.delivered:
                raise shutting_down() from None
            yield stream_error(exchange, shutting_down())
            raise Truncated from None
        finally:
            if incoming is not None:
                incoming.close()
            if not attempt.settled:
                settle_left_open(self.settlement, exchange, attempt, meter)

    async def _hear(
        self, exchange: Exchange, attempt: Attempt, incoming: Incoming, meter: Meter
    ) -> Whole | Items | None:
        """What the head promises: a whole answer, the items of a stream, or None and settled."""
        if not 200 <= incoming.status < 300:
            return await self._refused(exchange, attempt, incoming)
        if exchange.call.stream:
            passage = attempt.passage
            if passage is not None and passage.whole:
                return await self.streamed.unfolded(exchange, attempt, incoming, meter, passage)
            if is_stream(incoming):
                return await self.streamed.opened(exchange, attempt, incoming, meter)
        if exchange.call.operation is Operation.LOOKUP:
            meter.answer(LOOKED_UP)
        if _as_it_comes(exchange.call, incoming):
            return await self.whole.spoken(exchange, attempt, incoming, meter)
        return await self.whole.held(exchange, attempt, incoming, meter)

    async def _refused(
        self, exchange: Exchange, attempt: Attempt, incoming: Incoming
    ) -> Whole | None:
        """A status that is no success: on to the next target, or to the client as it is."""
        verdict, body = await self.attempts.refused(exchange, attempt, incoming)
        if self.payloads is not None:
            self.payloads.refused(exchange, attempt, incoming.status, body)
        gone = exchange.call.operation is Operation.LOOKUP and incoming.status == 404
        if gone and not is_nowhere(exchange.plan, attempt.target, exchange.failures):
            return None
        if verdict.next and not exchange.plan.passed and not gone:
            return None
        exchange.delivered = True
        headers = answer_headers(exchange, attempt, incoming)
        body = redacted(body, attempt.target)
        if attempt.passage is not None and attempt.passage.retold:
            fault = refused(incoming.status, body)
            return with_headers(exchange.dialect.error(fault, exchange.call.id), headers)
        return Whole(incoming.status, headers, body)


def _as_it_comes(call: Call, incoming: Incoming) -> bool:
    """The answer is no text that we look at: sound, a video, a stream that a lookup takes up again."""
    if call.operation is Operation.LOOKUP and call.method != "GET":
        return False
    return call.operation in (Operation.SPEECH, Operation.LOOKUP) and not has_type(
        incoming, "application/json"
    )
