"""Answers calls: one exchange after another target, until one answers or none is left.

Rules of this file. `Answers.answer` is total: it raises nothing but `Truncated`, and each way out of an
attempt settles it exactly once. Nothing is sent before the attempt's row is durable, and the last bytes
go to the client after its settlement is.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, field

from wattline.base.clock import Clock
from wattline.base.errors import Fault, OurFault
from wattline.base.logs import note_request
from wattline.dialects.base import Dialect, Route
from wattline.engine.keys import is_pointless
from wattline.rules.compiled.target import Target
from wattline.service.answering.outcome import Outcomes
from wattline.service.answering.streamed import StreamedAnswers
from wattline.service.answering.whole import WholeAnswers
from wattline.service.attempts import Attempts
from wattline.service.caching.caching import Caching
from wattline.service.entrance.counting import crowded
from wattline.service.entrance.headers import exchange_headers, with_headers
from wattline.service.entrance.refusal import refusal
from wattline.service.exchange import Exchange
from wattline.service.metering.counting import counted_here
from wattline.service.metering.payloads import Payloads
from wattline.service.metering.report import report
from wattline.service.metering.settlement import Settlement
from wattline.service.midstream import Midstream
from wattline.service.opening import Opening
from wattline.service.outgoing.bypass import Bypass
from wattline.service.parting import shutting_down, uncancel
from wattline.service.passing import passing_target, patience
from wattline.service.shadowing import Shadows
from wattline.service.watching.passing import Proving
from wattline.wire.http import Ending, Items, Request, Truncated

log = logging.getLogger(__name__)


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
    outcomes: Outcomes = field(init=False)
    under_way: int = 0
    """Calls that have begun and not ended."""

    def __post_init__(self) -> None:
        attempts, settlement, clock = self.attempts, self.settlement, self.clock
        remembered = self.opening.remembered
        midstream = Midstream(attempts, settlement, clock)
        whole = WholeAnswers(settlement, remembered, clock)
        streamed = StreamedAnswers(attempts, settlement, remembered, clock, midstream)
        self.outcomes = Outcomes(attempts, settlement, whole, streamed, self.payloads)

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
            uncancel()
            told = shutting_down()
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
            if exchange is not None:
                self.settlement.ended(exchange, now)
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
            yield with_headers(
                dialect.error(fault, request.id), exchange_headers(exchange, request)
            )
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
                tried = self.outcomes.of(exchange, attempt)
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


def _targets(exchange: Exchange) -> tuple[Target, ...]:
    if exchange.plan.passed:
        return (passing_target(exchange.request, exchange.call, exchange.book.limits),)
    return exchange.plan.targets


def _stopping(request: Request, exchange: Exchange | None) -> bool:
    """We end the call, and before its client has anything of an answer."""
    delivered = exchange is not None and exchange.delivered
    return request.departure.reason is Ending.SHUTDOWN and not delivered
