"""Answers calls: one exchange after another target, until one answers or none is left.

Rules of this file. `Answers.answer` is total: it raises nothing but `Truncated`, and each way out of an
attempt settles it exactly once. Nothing is sent before the attempt's row is durable, and the last bytes
go to the client after its settlement is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from wattline.base.clock import Clock
from wattline.base.errors import Fault, Kind, OurFault
from wattline.base.logs import note_request
from wattline.dialects.base import LOOKED_UP, Answer, Dialect, Route, StreamReader
from wattline.dialects.refused import refused
from wattline.engine.failover import (
    judge_broken,
    judge_inband,
)
from wattline.engine.keys import is_pointless
from wattline.engine.meter import Meter
from wattline.rules.compiled.target import Target
from wattline.service.attempts import Attempts
from wattline.service.caching.caching import Caching
from wattline.service.entrance.counting import crowded
from wattline.service.entrance.headers import answer_headers, exchange_headers
from wattline.service.entrance.redaction import redacted, secrets_of
from wattline.service.entrance.refusal import refusal
from wattline.service.exchange import Attempt, Exchange
from wattline.service.hearing import has_type, is_stream, no_stream, read_body
from wattline.service.large import is_large_answer
from wattline.service.lookup import is_nowhere
from wattline.service.making import note_begun, note_made
from wattline.service.metering.counting import counted_here
from wattline.service.metering.left_open import settle_left_open
from wattline.service.metering.listening import hear_transcript, speech_headers
from wattline.service.metering.payloads import Payloads
from wattline.service.metering.report import report
from wattline.service.metering.settlement import Settlement, price
from wattline.service.midstream import Midstream, Part, broke_off, code_of
from wattline.service.opening import Opening
from wattline.service.outgoing.bypass import Bypass
from wattline.service.outgoing.passage import Passage
from wattline.service.outgoing.unfolding import Unfolding
from wattline.service.passing import passing_target, patience
from wattline.service.relay import InBand, StreamRelay
from wattline.service.shadowing import Shadows
from wattline.service.watching.passing import Proving
from wattline.store.base import State
from wattline.upstream.base import Broken, Incoming
from wattline.upstream.scrub import Scrubber, scrub
from wattline.wire.call import Call, Operation
from wattline.wire.http import Ending, Head, Request, Truncated, Whole
from wattline.wire.usage import Usage

log = logging.getLogger(__name__)

type Items = AsyncGenerator[Head | Whole | bytes]


@dataclass(slots=True)
class Answers:
    """The service that the proxy asks."""

    opening: Opening
    attempts: Attempts
    settlement: Settlement
    clock: Clock
    caching: Caching
    payloads: Payloads | None = None
    """Only where somebody looks for a fault."""
    shadows: Shadows | None = None
    proving: Proving | None = None
    bypass: Bypass | None = None
    midstream: Midstream = field(init=False)
    under_way: int = 0
    """Calls that have begun and not ended."""

    def __post_init__(self) -> None:
        self.midstream = Midstream(self.attempts, self.settlement, self.clock)

    async def answer(self, request: Request, route: Route) -> Items:  # noqa: C901  (each way out is told)
        """A head and pieces, or one whole answer, errors included. Raises only `Truncated`."""
        dialect = self.opening.dialects[route.dialect]
        exchange: Exchange | None = None
        told: Fault | None = None
        note_request(request.id)
        self.under_way += 1
        try:
            self._make_way()
            watching = self.bypass is not None and self.bypass.watching
            exchange = await self.opening.open(request, route, explainable=not watching)
            self._show(exchange)
            ready = exchange.explained or counted_here(exchange)
            if ready is not None:
                yield ready
                return
            async with aclosing(self._shadowed(exchange)) as items:
                async for item in items:
                    yield item
        except Fault as fault:
            told = fault
            async with aclosing(self._told(request, exchange, dialect, fault)) as items:
                async for item in items:
                    yield item
        except asyncio.CancelledError:
            if not _stopping(request, exchange):
                raise
            _uncancel()
            told = _shutting_down()
            yield dialect.error(told, request.id)
        except (Truncated, GeneratorExit):
            raise
        except Exception:
            log.exception("%s failed", request.id)
            if exchange is not None and exchange.delivered:
                raise Truncated from None
            told = OurFault("wattline failed on this request. The log has the details.")
            async with aclosing(self._failed(request, exchange, dialect, told)) as items:
                async for item in items:
                    yield item
        finally:
            self.under_way -= 1
            now = self.clock.monotonic()
            report(request, exchange, told, now, self.settlement.counts)

    def _shadowed(self, exchange: Exchange) -> Items:
        """The items of the answer; afterwards a copy of the call may be asked elsewhere."""
        items = self.caching.answer(exchange, self.exchanged)
        if exchange.plan.shadow is None or self.shadows is None:
            return items
        return self.shadows.around(exchange, items)

    async def _told(
        self, request: Request, exchange: Exchange | None, dialect: Dialect, fault: Fault
    ) -> Items:
        """The error of a call without an answer; or its host's answer, where we only watch. Raises Truncated."""
        if exchange is not None and not exchange.attempts:
            self.opening.refused(exchange, fault)
        if self.bypass is None or not self.bypass.must(request, exchange):
            yield _with(dialect.error(fault, request.id), exchange_headers(exchange, request))
            return
        async with aclosing(self._failed(request, exchange, dialect, fault)) as items:
            async for item in items:
                yield item

    async def _failed(
        self, request: Request, exchange: Exchange | None, dialect: Dialect, told: Fault
    ) -> Items:
        """Our own code failed before anything was sent: an error, or the call goes on as it came where the
        operator chose that. Raises Truncated.
        """
        fault, bypass = told, self.bypass
        book = self.opening.books.current
        must = bypass is not None and bypass.must(request, exchange)
        if bypass is not None and (must or bypass.may(request, exchange, book)):
            try:
                async with aclosing(bypass.answer(request, patience(book.limits))) as items:
                    async for item in items:
                        yield item
            except Fault as unreachable:
                fault = unreachable
            else:
                return
        yield dialect.error(fault, request.id)

    def _make_way(self) -> None:
        """Raises OurFault 503 when there are more calls than the rules let be under way."""
        most = self.opening.books.current.limits.concurrent
        if most is not None and self.under_way > most:
            raise crowded(most)

    def _show(self, exchange: Exchange) -> None:
        """Log what was asked, where the operator wants that."""
        if self.payloads is not None:
            self.payloads.asked(exchange)

    async def exchanged(self, exchange: Exchange) -> Items:
        """The items of the first attempt that has an answer. Raises Fault, Truncated."""
        before: Target | None = None
        for target in _targets(exchange):
            if target.provider.key and is_pointless(
                target, before, exchange.failures, exchange.call
            ):
                continue
            before = target
            for _ in range(1 + target.provider.retries):
                attempt = await self.attempts.begin(exchange, target)
                if attempt is None:
                    break
                tried = self._attempt(exchange, attempt)
                if exchange.plan.passed and exchange.book.proof.passed and self.proving is not None:
                    tried = self.proving.proved(exchange, attempt, tried)
                async with aclosing(tried) as items:
                    async for item in items:
                        yield item
                if exchange.delivered:
                    return
                if self.settlement.resting.resting(target.account, self.clock.monotonic()):
                    break  # it refused its key, or asked to wait
        raise refusal(exchange)

    async def _attempt(self, exchange: Exchange, attempt: Attempt) -> Items:
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
            _uncancel()
            if not exchange.delivered:
                raise _shutting_down() from None
            yield _stream_error(exchange, _shutting_down())
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
                unfolding = Unfolding(
                    incoming, passage, exchange.call, exchange.book.limits.answer_bytes
                )
                return await self._opened(exchange, attempt, unfolding, meter, unfolding)
            if is_stream(incoming):
                reader = passage.reader(exchange.call) if passage and passage.foreign else None
                if exchange.plan.midstream:
                    reader = self.midstream.listening(exchange, attempt, reader)
                return await self._opened(exchange, attempt, incoming, meter, reader)
        if exchange.call.operation is Operation.LOOKUP:
            meter.answer(LOOKED_UP)
        if _as_it_comes(exchange.call, incoming):
            return await self._spoken(exchange, attempt, incoming, meter)
        return await self._whole(exchange, attempt, incoming, meter)

    async def _spoken(
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
            return _with(exchange.dialect.error(fault, exchange.call.id), headers)
        return Whole(incoming.status, headers, body)

    async def _whole(
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
        usage, flags = meter.usage(ended=True)
        note_made(self.opening.remembered, exchange, attempt, body)
        body = hear_transcript(exchange, body)
        exchange.delivered = True
        settled = self.settlement.over(exchange, attempt, State.COMPLETE, usage, flags)
        if exchange.energy is not None and not exchange.plan.passed:
            write, said = (
                exchange.dialect.write_answer,
                (exchange.call, body, usage, exchange.energy),
            )
            body = await asyncio.to_thread(write, *said) if large else write(*said)
        headers = answer_headers(exchange, attempt, incoming)
        await self.settlement.committed(exchange, settled)  # which ran meanwhile
        return Whole(incoming.status, headers, redacted(body, attempt.target))

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

    async def _opened(
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
        note_begun(self.opening.remembered, exchange, attempt, relay.begun)
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
        return _stream_error(exchange, broke_off(code))


def _as_it_came(
    exchange: Exchange, attempt: Attempt, incoming: Incoming, body: bytes
) -> Whole | None:
    """What is no answer is left to the next target; but a call that is passed on gets its host's, whatever it is."""
    if not exchange.plan.passed:
        return None
    exchange.delivered = True
    headers = answer_headers(exchange, attempt, incoming)
    return Whole(incoming.status, headers, redacted(body, attempt.target))


def _shutting_down() -> OurFault:
    return OurFault(
        "The sidecar is shutting down.",
        status=503,
        code="shutting_down",
        kind=Kind.UNAVAILABLE,
        retry_after=1,
    )


def _heard(exchange: Exchange, passage: Passage | None, body: bytes) -> tuple[Answer, bytes]:
    """What a whole answer says, and the same in the client's dialect."""
    if passage is None:
        return exchange.dialect.read_answer(exchange.call, body), body
    return passage.read_answer(exchange.call, body)


def _targets(exchange: Exchange) -> tuple[Target, ...]:
    if exchange.plan.passed:
        return (passing_target(exchange.request, exchange.call, exchange.book.limits),)
    return exchange.plan.targets


def _stream_error(exchange: Exchange, fault: Fault) -> bytes:
    return exchange.dialect.stream_error(fault, exchange.call.id, exchange.call.operation)


def _as_it_comes(call: Call, incoming: Incoming) -> bool:
    """The answer is no text that we look at: sound, a video, a stream that a lookup takes up again."""
    if call.operation is Operation.LOOKUP and call.method != "GET":
        return False
    return call.operation in (Operation.SPEECH, Operation.LOOKUP) and not has_type(
        incoming, "application/json"
    )


def _owes_stream(call: Call) -> bool:
    """A whole answer is none for this call. There are transcribers that do not know `stream`."""
    return call.stream and call.operation is not Operation.TRANSCRIPTION


def _with(answer: Whole, headers: tuple[tuple[str, str], ...]) -> Whole:
    ours = {name for name, _ in headers}
    kept = (pair for pair in answer.headers if pair[0] not in ours)
    return Whole(answer.status, (*kept, *headers), answer.body)


def _stopping(request: Request, exchange: Exchange | None) -> bool:
    """We end the call, and before its client has anything of an answer."""
    delivered = exchange is not None and exchange.delivered
    return request.departure.reason is Ending.SHUTDOWN and not delivered


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
