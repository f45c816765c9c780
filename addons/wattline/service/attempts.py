"""The sending half of an attempt: its slots, its row in the ledger, its request, up to the answer's head.

Nothing is sent before the row is durable.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Kind, OurFault
from wattline.base.ids import new_id
from wattline.dialects.lead import Lead
from wattline.engine.breaker import FREE, Permit
from wattline.engine.decide import BREAKER
from wattline.engine.failover import Verdict, judge_broken, judge_status
from wattline.engine.features import features, missed_only
from wattline.engine.spending import Reserved, Spending
from wattline.engine.summary import CANNOT_EXPRESS, Failure
from wattline.engine.trials import aims_at
from wattline.engine.windows import Claim, Refusal, Ticket, Windows
from wattline.rules.compiled.provider import Timeouts, account_name
from wattline.rules.compiled.target import Target
from wattline.rules.drill import Drill
from wattline.service.accounts.entitlement import reserve
from wattline.service.drilling import drilled
from wattline.service.exchange import SENT, Attempt, Exchange
from wattline.service.hearing import error_body
from wattline.service.large import is_large, is_large_for
from wattline.service.metering.exclusions import MAX_TEXT
from wattline.service.metering.settlement import Settlement, free_of_charge, price
from wattline.service.outgoing.inlining import Inlining
from wattline.service.outgoing.outgoing import outgoing
from wattline.service.outgoing.passage import Passage, continuing_passage, passage_to
from wattline.service.outgoing.prompting import CannotExpress
from wattline.service.watching.passing import Heard
from wattline.store.base import InsufficientBalance, Ledger, LedgerDown, Opened
from wattline.upstream.base import Broken, Incoming, Outgoing, Unsent, Upstream
from wattline.wire.usage import Usage

log = logging.getLogger("wattline.attempts")

SHADOW_COPY = "shadow"
"""The flag of an attempt of a shadow call."""


@dataclass(slots=True)
class Attempts:
    """Begins attempts and sends them."""

    upstream: Upstream
    ledger: Ledger
    windows: Windows
    settlement: Settlement
    clock: Clock
    pseudonym: str
    inlining: Inlining | None = None
    spending: Spending = field(default_factory=Spending)
    mark: bool = False
    """Send each attempt's id upstream (`x-wattline-attempt`), for independent counts in tests."""

    async def begin(self, exchange: Exchange, target: Target) -> Attempt | None:
        """Take the target's slots and write the attempt; None when it can't be tried."""
        now = self.clock.monotonic()
        if now - exchange.began >= exchange.book.limits.deadline:
            exchange.failures.append(Failure(str(target), "deadline", None))
            return None
        try:
            passage = await self._passage(exchange, target)
        except CannotExpress as reason:
            self._inexpressible(exchange, target, reason)
            return None
        taken = self._take(exchange, target, now)
        if taken is None:
            return None
        attempt = Attempt(new_id("att"), len(exchange.attempts) + 1, target, taken[0], now)
        attempt.passage, attempt.permit = passage, taken[1]
        if exchange.shadow_of is not None:
            attempt.marks = (SHADOW_COPY,)
        try:
            attempt.request = await self._made(exchange, attempt)
        except CannotExpress as reason:
            self._give_back(attempt)
            self._inexpressible(exchange, target, reason)
            return None
        except BaseException:
            self._give_back(attempt)
            raise
        await self.write(exchange, attempt, self.row(exchange, attempt))
        return attempt

    def _give_back(self, attempt: Attempt) -> None:
        self.windows.release(attempt.ticket, attempt.began)
        self.settlement.health.release(attempt.target.place, attempt.permit)

    async def write(self, exchange: Exchange, attempt: Attempt, row: Opened) -> None:
        """Wait until an attempt's row is durable; from then on it is one of the call's. Raises Fault: then it
        holds nothing any more.
        """
        try:
            attempt.reserved = self._reserve(exchange, attempt, row)
        except BaseException:
            self._give_back(attempt)
            raise
        attempt.hold = row.hold
        done: asyncio.Future[bool] | None = None
        try:
            if exchange.request.departure.reason is not None:
                await asyncio.sleep(0)  # where its end arrives, if it has not yet
            done = self.ledger.open(row)
            await self._written(exchange, done)
        except BaseException:
            if attempt.reserved is not None:
                attempt.reserved.settle(0, attempt.began)
            self._give_back(attempt)
            if done is not None and _was_written(done):
                self.settlement.not_sent(attempt)
            raise
        exchange.attempts.append(attempt)

    def _reserve(self, exchange: Exchange, attempt: Attempt, row: Opened) -> Reserved | None:
        """Room in the budgets of the caller's key. Raises ClientFault 429."""
        if free_of_charge(attempt.target, exchange.book):
            return None
        return reserve(self.spending, exchange.call.principal, row.hold, self.clock.monotonic())

    async def _passage(self, exchange: Exchange, target: Target) -> Passage | None:
        if exchange.plan.passed:
            return None
        wanted = (target, exchange.call, exchange.dialect, exchange.plan.adapt, exchange.value)
        try:
            if exchange.lead is not None:
                passage = _continuing(exchange, target, exchange.lead)
            elif is_large(exchange.body):
                passage = await asyncio.to_thread(passage_to, *wanted)
            else:
                passage = passage_to(*wanted)
        except ClientFault as fault:
            raise CannotExpress(fault.message) from fault
        if target.provider.inline_images and self.inlining is not None:
            await self.inlining.prepare(exchange, passage)
        if passage.foreign:
            passage = replace(passage, at=int(self.clock.wall()))
        return passage

    def _inexpressible(self, exchange: Exchange, target: Target, reason: CannotExpress) -> None:
        exchange.failures.append(Failure(str(target), CANNOT_EXPRESS, None, str(reason)))

    async def _made(self, exchange: Exchange, attempt: Attempt) -> Outgoing | Broken:
        """The request. Raises CannotExpress."""
        if is_large_for(exchange, attempt.passage):
            return await asyncio.to_thread(self._request, exchange, attempt)
        return self._request(exchange, attempt)

    def _request(self, exchange: Exchange, attempt: Attempt) -> Outgoing | Broken:
        try:
            return outgoing(exchange, attempt, self.pseudonym, mark=self.mark)
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

    def _take(self, exchange: Exchange, target: Target, now: float) -> tuple[Ticket, Permit] | None:
        provider = target.provider
        tokens = exchange.call.tokens
        owner = target.owner
        claims = [Claim(w, account_name(w.name, owner), 1, tokens) for w in provider.windows]
        taken = self.windows.take(claims, now)
        if isinstance(taken, Refusal):
            exchange.failures.append(Failure(str(target), "window_full", taken.retry_after))
            return None
        place = target.place
        permit = self.settlement.health.claim(place, now)
        if permit is None and not exchange.plan.panic:
            self.windows.release(taken, now)
            wait = self.settlement.health.wait(place, now)
            exchange.failures.append(Failure(str(target), BREAKER, wait))
            return None
        return taken, permit or FREE

    def row(self, exchange: Exchange, attempt: Attempt) -> Opened:
        """What the ledger says of an attempt before it is sent."""
        call, target = exchange.call, attempt.target
        tokens = call.tokens + (call.max_output or 0)
        energy = price(Usage(tokens, 0), target, exchange.book, exchange.sound).micro
        if free_of_charge(target, exchange.book):
            energy = 0
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
            features=_features(exchange, attempt),
            key=call.principal.key,
        )

    async def send(self, exchange: Exchange, attempt: Attempt) -> Incoming | None:
        """Up to the answer's head; None when there was none, settled then."""
        target = attempt.target
        log.debug(
            "%s attempt %d/%d: %s to %s (%s)",
            exchange.call.id,
            attempt.number,
            len(exchange.plan.targets) or 1,
            target.entry,
            target.model,
            target.provider.origin.host,
        )
        try:
            if isinstance(attempt.request, Broken):
                raise attempt.request
            timeouts = self.timeouts(exchange, attempt.target)
            drill = exchange.plan.fault
            if drill is not None and _is_hit(drill, exchange, target):
                attempt.drill = drill.kind
                incoming = await drilled(self.upstream, attempt.request, timeouts, drill)
            else:
                incoming = await self.upstream.send(attempt.request, timeouts)
        except Broken as broken:
            self.settlement.failed(exchange, attempt, judge_broken(broken.code), broken.message)
            return None
        except Unsent:
            self._give_back(attempt)
            self.settlement.not_sent(attempt)
            raise
        attempt.request = SENT
        attempt.status, attempt.first_output = incoming.status, self.clock.monotonic()
        return incoming if exchange.proof is None else Heard(incoming, exchange.proof)

    async def refused(
        self, exchange: Exchange, attempt: Attempt, incoming: Incoming
    ) -> tuple[Verdict, bytes]:
        """Settle an attempt whose status is no success; what that means, and what its provider said."""
        body = await error_body(incoming)
        verdict = judge_status(
            incoming.status,
            incoming.headers,
            body,
            attempt.target,
            exchange.plan.on,
            self.clock.wall(),
            exchange.book.limits.retry_after_cap,
        )
        said = body[:MAX_TEXT].decode("utf-8", "replace")
        self.settlement.failed(exchange, attempt, verdict, said=said)
        return verdict, body

    def timeouts(self, exchange: Exchange, target: Target) -> Timeouts:
        """The target's, cut to what is left of the call's deadline."""
        own = target.timeouts or target.provider.timeouts
        left = exchange.book.limits.deadline - (self.clock.monotonic() - exchange.began)
        if own.total <= left:
            return own
        return Timeouts(own.connect, own.first_byte, own.idle, max(left, 0.001))


def _was_written(row: asyncio.Future[bool]) -> bool:
    """The row is given up, but it was durable a moment before its call was ended."""
    row.cancel()
    return not row.cancelled() and row.exception() is None


def _is_hit(drill: Drill, exchange: Exchange, target: Target) -> bool:
    """A drill shows what continuation does: it hits one only where it names the target."""
    if exchange.lead is not None and drill.targets is None:
        return False
    return aims_at(drill, target)


def _continuing(exchange: Exchange, target: Target, lead: Lead) -> Passage:
    """Raises CannotExpress."""
    plan = exchange.plan
    passage = continuing_passage(target, exchange.call, exchange.dialect, plan.adapt, lead)
    if passage is None:
        raise CannotExpress(f"{target.provider.name} can't go on with a stream")
    return passage


def _features(exchange: Exchange, attempt: Attempt) -> dict[str, Any]:
    """What the decision looked at, and which key of several it takes."""
    found = _looked_at(exchange, attempt)
    key = attempt.target.provider.key
    return {**found, "key": key} if key else found


def _looked_at(exchange: Exchange, attempt: Attempt) -> dict[str, Any]:
    """What the decision looked at: rules are backtested on it. With a call's first attempt; a later one has
    only what was left out between them.
    """
    if exchange.shadow_of is not None:
        return {"shadow_of": exchange.shadow_of}
    left_out = _left_out(exchange) if exchange.failures else ()
    if attempt.number > 1:
        return missed_only(left_out)
    plan = exchange.plan
    whole = not plan.targets or attempt.target is not plan.targets[0]
    return features(exchange.call, plan, exchange.noted, left_out, whole=whole)


def _left_out(exchange: Exchange) -> list[tuple[str, str]]:
    """Targets that could not be tried since the last attempt."""
    tried = Counter(str(before.target) for before in exchange.attempts)
    found = []
    for failure in exchange.failures:
        if tried[failure.target] > 0:
            tried[failure.target] -= 1
        else:
            found.append((failure.target, failure.code))
    return found
