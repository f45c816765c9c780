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
from dataclasses import dataclass

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Fault, Kind, OurFault, UpstreamFault
from wattline.base.ids import new_id
from wattline.dialects.base import Route
from wattline.engine.failover import (
    judge_broken,
    judge_inband,
    judge_status,
)
from wattline.engine.meter import Meter
from wattline.engine.summary import Failure
from wattline.engine.windows import Claim, Refusal, Ticket, Windows
from wattline.rules.book import Target, Timeouts
from wattline.service.exchange import Attempt, Exchange
from wattline.service.headers import answer_headers, exchange_headers
from wattline.service.opening import Opening
from wattline.service.outgoing import outgoing
from wattline.service.passing import passing_target
from wattline.service.refusal import refusal
from wattline.service.relay import InBand, StreamRelay
from wattline.service.settlement import Settlement, price
from wattline.store.base import InsufficientBalance, Ledger, LedgerDown, Opened, State
from wattline.upstream.base import Broken, Incoming, Outgoing, Upstream
from wattline.upstream.scrub import Scrubber, scrub
from wattline.wire.http import Ending, Head, Request, Truncated, Whole
from wattline.wire.usage import Usage

log = logging.getLogger(__name__)

_SHUTTING_DOWN = OurFault(
    "The sidecar is shutting down.",
    status=503,
    code="shutting_down",
    kind=Kind.UNAVAILABLE,
    retry_after=1,
)

ERROR_BODY = 65_536
"""Bytes of an upstream's error body that are read."""

type Items = AsyncGenerator[Head | Whole | bytes]


@dataclass(slots=True)
class Answers:
    """The service that the proxy asks."""

    opening: Opening
    upstream: Upstream
    ledger: Ledger
    windows: Windows
    settlement: Settlement
    clock: Clock
    pseudonym: str
    mark_attempts: bool = False
    """Send each attempt's id upstream (`x-wattline-attempt`), for independent counts in tests."""

    async def answer(self, request: Request, route: Route) -> Items:
        """A head and pieces, or one whole answer, errors included. Raises only `Truncated`."""
        dialect = self.opening.dialects[route.dialect]
        exchange: Exchange | None = None
        try:
            exchange = await self.opening.open(request, route)
            async with aclosing(self._exchange(exchange)) as items:
                async for item in items:
                    yield item
        except Fault as fault:
            yield _with(dialect.error(fault, request.id), exchange_headers(exchange, request))
        except asyncio.CancelledError:
            if not _stopping(request, exchange):
                raise
            _uncancel()
            yield dialect.error(_SHUTTING_DOWN, request.id)
        except (Truncated, GeneratorExit):
            raise
        except Exception:
            log.exception("%s failed", request.id)
            if exchange is not None and exchange.delivered:
                raise Truncated from None
            ours = OurFault("wattline failed on this request. The log has the details.")
            yield dialect.error(ours, request.id)

    async def _exchange(self, exchange: Exchange) -> Items:
        for target in _targets(exchange):
            for _ in range(1 + target.provider.retries):
                attempt = await self._begin(exchange, target)
                if attempt is None:
                    break
                async with aclosing(self._attempt(exchange, attempt)) as items:
                    async for item in items:
                        yield item
                if exchange.delivered:
                    return
        raise refusal(exchange)

    async def _begin(self, exchange: Exchange, target: Target) -> Attempt | None:
        """Take the target's slots and write the attempt; None when it can't be tried."""
        now = self.clock.monotonic()
        if now - exchange.began >= exchange.book.limits.deadline:
            exchange.failures.append(Failure(str(target), "deadline", None))
            return None
        ticket = self._take(exchange, target, now)
        if ticket is None:
            return None
        attempt = Attempt(new_id("att"), len(exchange.attempts) + 1, target, ticket, now)
        row = self.ledger.open(self._row(exchange, attempt))
        try:
            attempt.request = self._request(exchange, attempt)  # while its row is being written
            await self._written(exchange, row)
        except BaseException:
            row.cancel()
            if (
                not row.cancelled() and row.exception() is None
            ):  # a moment before the call was ended
                self.settlement.not_sent(attempt)
            self.windows.release(ticket, now)
            raise
        exchange.attempts.append(attempt)
        return attempt

    def _request(self, exchange: Exchange, attempt: Attempt) -> Outgoing | Broken:
        try:
            return outgoing(exchange, attempt, self.pseudonym, mark=self.mark_attempts)
        except Broken as broken:
            return broken

    async def _written(self, exchange: Exchange, row: asyncio.Future[bool]) -> None:
        """The attempt's row is durable, before anything is sent. Raises Fault."""
        try:
            await row
        except InsufficientBalance:
            raise ClientFault(
                "The balance is not enough for this call. Add to it, then try again.",
                status=429,
                code="insufficient_balance",
                kind=Kind.INSUFFICIENT_BALANCE,
                should_retry=False,
            ) from None
        except LedgerDown as error:
            if exchange.book.ledger.down != "allow":
                raise OurFault(
                    "The ledger can't be written; calls are refused until it can. The log says why.",
                    status=503,
                    code="ledger_down",
                    kind=Kind.UNAVAILABLE,
                    retry_after=5,
                ) from error
            log.warning("%s goes on without its ledger row: %s", exchange.call.id, error)

    def _take(self, exchange: Exchange, target: Target, now: float) -> Ticket | None:
        provider = target.provider
        tokens = exchange.call.tokens
        claims = [Claim(window, window.name, 1, tokens) for window in provider.windows]
        taken = self.windows.take(claims, now)
        if isinstance(taken, Refusal):
            exchange.failures.append(Failure(str(target), "window_full", taken.retry_after))
            return None
        return taken

    def _row(self, exchange: Exchange, attempt: Attempt) -> Opened:
        call, target = exchange.call, attempt.target
        tokens = call.tokens + (call.max_output or 0)
        energy = price(Usage(tokens, 0), target, exchange.book).micro
        return Opened(
            attempt=attempt.id,
            call=call.id,
            number=attempt.number,
            at=int(self.clock.wall() * 1000),
            principal=call.principal.id,
            provider=target.provider.name,
            model=target.model,
            entry=target.entry,
            requested=call.model,
            rule=exchange.plan.rule or "",
            dialect=call.dialect,
            operation=call.operation.value,
            stream=call.stream,
            estimate=tokens,
            estimate_energy=energy,
            hold=energy or 0,
            book=exchange.book.version,
            features=_features(exchange),
        )

    async def _attempt(self, exchange: Exchange, attempt: Attempt) -> Items:
        """One attempt, and whatever happens its settlement. Nothing comes of one that failed."""
        meter = Meter(exchange.call, exchange.call.tokens)
        incoming: Incoming | None = None
        try:
            incoming = await self._send(exchange, attempt)
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
                raise _SHUTTING_DOWN from None
            yield _stream_error(exchange, _SHUTTING_DOWN)
            raise Truncated from None
        finally:
            if incoming is not None:
                incoming.close()
            if not attempt.settled:
                self._left_open(exchange, attempt, meter)

    def _left_open(self, exchange: Exchange, attempt: Attempt, meter: Meter) -> None:
        """The attempt was ended from outside: by its client, by us stopping, or by a bug."""
        reason = exchange.request.departure.reason
        if reason is None and attempt.status is None:
            self.settlement.failed(exchange, attempt, judge_broken("internal_error"))
            return
        state = State.ABORTED if reason is Ending.CLIENT_GONE else State.TRUNCATED
        usage, flags = meter.usage(ended=False)
        word = reason.value if reason is not None else "internal_error"
        self.settlement.over(exchange, attempt, state, usage, flags, word)

    async def _send(self, exchange: Exchange, attempt: Attempt) -> Incoming | None:
        """Up to the answer's head; None when there was none, settled then."""
        try:
            if isinstance(attempt.request, Broken):
                raise attempt.request
            timeouts = self._timeouts(exchange, attempt.target)
            incoming = await self.upstream.send(attempt.request, timeouts)
        except Broken as broken:
            self.settlement.failed(exchange, attempt, judge_broken(broken.code))
            return None
        attempt.status, attempt.first_byte = incoming.status, self.clock.monotonic()
        return incoming

    async def _hear(
        self, exchange: Exchange, attempt: Attempt, incoming: Incoming, meter: Meter
    ) -> Whole | Items | None:
        """What the head promises: a whole answer, the items of a stream, or None and settled."""
        if not 200 <= incoming.status < 300:
            return await self._refused(exchange, attempt, incoming)
        if exchange.call.stream and _is_event_stream(incoming):
            return await self._opened(exchange, attempt, incoming, meter)
        return await self._whole(exchange, attempt, incoming, meter)

    async def _refused(
        self, exchange: Exchange, attempt: Attempt, incoming: Incoming
    ) -> Whole | None:
        """A status that is no success: on to the next target, or to the client as it is."""
        try:
            body, _ = await _read(incoming, ERROR_BODY)
        except Broken:
            body = b""
        verdict = judge_status(
            incoming.status,
            incoming.headers,
            body,
            attempt.target,
            exchange.plan.on,
            self.clock.wall(),
            exchange.book.limits.retry_after_cap,
        )
        self.settlement.failed(exchange, attempt, verdict)
        if verdict.next and not exchange.plan.passed:
            return None
        exchange.delivered = True
        headers = answer_headers(exchange, attempt, incoming)
        return Whole(incoming.status, headers, _scrub(body, attempt.target))

    async def _whole(
        self, exchange: Exchange, attempt: Attempt, incoming: Incoming, meter: Meter
    ) -> Whole | Items | None:
        """An answer that is not a stream: held whole, so that a broken one can fail over."""
        try:
            body, rest = await _read(incoming, exchange.book.limits.answer_bytes)
        except Broken as broken:
            self.settlement.failed(exchange, attempt, judge_broken(broken.code))
            return None
        if rest:
            return self._large(exchange, attempt, incoming, meter, body)
        answer = exchange.dialect.read_answer(exchange.call, body)
        if answer.error is not None:
            self.settlement.failed(exchange, attempt, judge_inband(answer.error))
            return None
        if not answer.sound or exchange.call.stream:
            self.settlement.failed(exchange, attempt, judge_broken("bad_answer"))
            return None
        meter.answer(answer)
        usage, flags = meter.usage(ended=True)
        exchange.delivered = True
        settled = self.settlement.over(exchange, attempt, State.COMPLETE, usage, flags)
        if exchange.energy is not None and not exchange.plan.passed:
            body = exchange.dialect.write_answer(exchange.call, body, usage, exchange.energy)
        headers = answer_headers(exchange, attempt, incoming)
        await self.settlement.committed(exchange, settled)  # which ran meanwhile
        return Whole(incoming.status, headers, _scrub(body, attempt.target))

    async def _large(
        self,
        exchange: Exchange,
        attempt: Attempt,
        incoming: Incoming,
        meter: Meter,
        first: bytes,
    ) -> Items:
        """Too large to hold: passed on as it comes, its last piece after the commit."""
        exchange.delivered = True
        scrubber = Scrubber(_secrets(attempt.target))
        yield Head(incoming.status, answer_headers(exchange, attempt, incoming))
        last = scrubber.feed(first)
        try:
            async for data in incoming.pieces():
                yield last
                last = scrubber.feed(data)
        except Broken as broken:
            usage, flags = meter.usage(ended=False)
            self.settlement.over(exchange, attempt, State.TRUNCATED, usage, flags, broken.code)
            raise Truncated from broken
        usage, flags = meter.usage(ended=True)
        settled = self.settlement.over(exchange, attempt, State.COMPLETE, usage, flags)
        await self.settlement.committed(exchange, settled)
        yield last + scrubber.end()

    async def _opened(
        self, exchange: Exchange, attempt: Attempt, incoming: Incoming, meter: Meter
    ) -> Items | None:
        """A stream, once it has shown its first output."""
        relay = StreamRelay(exchange.dialect, exchange.call, incoming, meter)
        try:
            await relay.start(self._timeouts(exchange, attempt.target).first_byte)
        except Broken as broken:
            self.settlement.failed(exchange, attempt, judge_broken(broken.code))
            return None
        except InBand as error:
            self.settlement.failed(exchange, attempt, judge_inband(error.word))
            return None
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
        yield Head(incoming.status, answer_headers(exchange, attempt, incoming))
        try:
            async with aclosing(relay.body()) as body:
                async for data in body:
                    yield _scrub(data, attempt.target)
        except (Broken, InBand) as error:
            code = error.code if isinstance(error, Broken) else f"inband_{error.word}"
            yield self._truncate(exchange, attempt, meter, code)
            raise Truncated from error
        usage, flags = meter.usage(ended=True)
        settled = self.settlement.over(exchange, attempt, State.COMPLETE, usage, flags)
        await relay.drain()
        await self.settlement.committed(exchange, settled)
        yield relay.tail(usage, None if exchange.plan.passed else exchange.energy)

    def _truncate(self, exchange: Exchange, attempt: Attempt, meter: Meter, code: str) -> bytes:
        """The upstream broke off after output: what was used is owed, and the client is told."""
        usage, flags = meter.usage(ended=False)
        self.settlement.over(exchange, attempt, State.TRUNCATED, usage, flags, code)
        fault = UpstreamFault(
            f"The provider broke off in the middle of its answer ({code}).",
            code="upstream_broke_off",
            should_retry=False,
        )
        return _stream_error(exchange, fault)

    def _timeouts(self, exchange: Exchange, target: Target) -> Timeouts:
        own = target.timeouts or target.provider.timeouts
        left = exchange.book.limits.deadline - (self.clock.monotonic() - exchange.began)
        if own.total <= left:
            return own
        return Timeouts(own.connect, own.first_byte, own.idle, max(left, 0.001))


def _targets(exchange: Exchange) -> tuple[Target, ...]:
    if exchange.plan.passed:
        return (passing_target(exchange.request, exchange.call),)
    return exchange.plan.targets


def _stream_error(exchange: Exchange, fault: Fault) -> bytes:
    return exchange.dialect.stream_error(fault, exchange.call.id, exchange.call.operation)


def _is_event_stream(incoming: Incoming) -> bool:
    return any(
        name == "content-type" and value.lower().startswith("text/event-stream")
        for name, value in incoming.headers
    )


async def _read(incoming: Incoming, limit: int) -> tuple[bytes, bool]:
    """The body up to about `limit` bytes, and whether there may be more."""
    parts: list[bytes] = []
    size = 0
    async for data in incoming.pieces():
        parts.append(data)
        size += len(data)
        if size > limit:
            return b"".join(parts), True
    return b"".join(parts), False


def _secrets(target: Target) -> tuple[bytes, ...]:
    credential = target.provider.credential
    return () if credential is None else (credential.secret.encode("latin-1", "replace"),)


def _scrub(data: bytes, target: Target) -> bytes:
    """An upstream that echoes its own key must not hand it to the client."""
    return scrub(data, _secrets(target))


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


def _features(exchange: Exchange) -> dict[str, object]:
    """What the decision looked at, without bodies and secrets: rules are backtested on it."""
    call = exchange.call
    return {
        "path": call.path,
        "host": call.host,
        "tools": call.tools,
        "images": call.images,
        "tokens": call.tokens,
        "max_output": call.max_output,
        "tags": sorted(call.tags),
        "forward": call.forward,
    }
