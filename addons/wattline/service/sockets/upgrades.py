"""From a call to an open WebSocket of one of its targets: failover until one accepts the upgrade."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from wattline.base.errors import Fault
from wattline.dialects.openai.realtime import target_query
from wattline.dialects.refused import refused
from wattline.dialects.sockets import harmless, protocols, without_socket_headers
from wattline.engine.failover import Verdict, judge_broken, judge_status
from wattline.engine.keys import is_pointless
from wattline.engine.summary import CANNOT_EXPRESS, Failure
from wattline.rules.compiled.target import Target
from wattline.service.entrance.redaction import redacted
from wattline.service.entrance.refusal import refusal
from wattline.service.exchange import Exchange
from wattline.service.metering.settlement import Settlement
from wattline.service.passing import passing_target
from wattline.upstream.base import Broken, Outgoing
from wattline.upstream.credentials import outgoing_headers, passed_headers
from wattline.upstream.sockets import Refused, Socket, SocketConnector
from wattline.wire.call import Operation
from wattline.wire.http import Headers, Whole

log = logging.getLogger(__name__)

_NO_SOCKETS = frozenset({200, 400, 404, 405, 426, 501})
"""Statuses of providers that know no WebSocket at the path."""
INCAPABLE = frozenset({CANNOT_EXPRESS, *(f"http_{status}" for status in _NO_SOCKETS)})
"""Codes of targets that will not do better next time."""


class Answered(Exception):
    """A provider refused the upgrade for the client's own mistake: its answer is the client's."""

    def __init__(self, answer: Whole, fault: Fault) -> None:
        super().__init__(answer.status)
        self.answer = answer
        self.fault = fault
        """The same for a client whose upgrade was accepted already."""


@dataclass(slots=True)
class Upgrades:
    """Asks targets for a WebSocket."""

    connector: SocketConnector
    settlement: Settlement
    pseudonym: str

    async def reach(self, exchange: Exchange) -> tuple[Target, Socket]:
        """The first target that accepts. Raises Fault, Answered."""
        plan = exchange.plan
        targets = plan.targets
        if plan.passed:
            targets = (passing_target(exchange.request, exchange.call, exchange.book.limits),)
        before: Target | None = None
        for target in targets:
            if target.provider.key and is_pointless(
                target, before, exchange.failures, exchange.call
            ):
                continue
            before = target
            if not speaks(target, exchange):
                reason = f"{target.provider.name} has no WebSocket API for this call"
                exchange.failures.append(Failure(str(target), CANNOT_EXPRESS, None, reason))
                continue
            try:
                return target, await self._ask(exchange, target)
            except Broken as broken:
                self._failed(exchange, target, judge_broken(broken.code), broken.message)
            except Refused as answer:
                self._refused(exchange, target, answer)
        raise refusal(exchange)

    async def _ask(self, exchange: Exchange, target: Target) -> Socket:
        request = exchange.request
        offered = protocols(request.headers)
        if not exchange.plan.passed:
            offered = harmless(offered)
        timeouts = target.timeouts or target.provider.timeouts
        return await self.connector.open(self._outgoing(exchange, target), offered, timeouts)

    def _outgoing(self, exchange: Exchange, target: Target) -> Outgoing:
        request, provider = exchange.request, target.provider
        path = exchange.route.upstream_path
        if exchange.plan.passed:
            path = request.path
            headers: Headers = passed_headers(
                without_socket_headers(request.headers),
                provider.origin,
                pseudonym=self.pseudonym,
            )
        else:
            if exchange.call.operation is Operation.REALTIME:
                path += target_query(request.path, target.model)
            headers = outgoing_headers(request.headers, provider, pseudonym=self.pseudonym)
        return Outgoing(
            origin=provider.origin,
            method="GET",
            path=provider.base_path + path,
            headers=headers,
            body=b"",
            credential=provider.credential,
        )

    def _refused(self, exchange: Exchange, target: Target, answer: Refused) -> None:
        """On to the next target, or Answered."""
        clock, limits = self.settlement.clock, exchange.book.limits
        verdict = judge_status(
            answer.status,
            answer.headers,
            answer.body,
            target,
            exchange.plan.on,
            clock.wall(),
            limits.retry_after_cap,
        )
        self._failed(exchange, target, verdict)
        if not exchange.plan.passed and (verdict.next or answer.status in _NO_SOCKETS):
            return
        body = redacted(answer.body, target)
        kind = next((v for n, v in answer.headers if n == "content-type"), "application/json")
        status = answer.status if answer.status >= 400 else 502
        raise Answered(Whole(status, (("content-type", kind),), body), refused(status, body))

    def _failed(self, exchange: Exchange, target: Target, verdict: Verdict, why: str = "") -> None:
        wait = verdict.retry_after
        if not exchange.plan.passed:
            rests = self.settlement.rests
            wait = rests.after(verdict, target, exchange.book, exchange.began) or wait
        exchange.failures.append(Failure(str(target), verdict.code, wait))
        said = f"{verdict.code} ({why})" if why else verdict.code
        log.warning("%s: %s refused the upgrade: %s", exchange.call.id, target, said)


def speaks(target: Target, exchange: Exchange) -> bool:
    """The target can take the client's messages as they are."""
    provider = target.provider
    if provider.dialect != exchange.call.dialect:
        return False
    return provider.responses or exchange.call.operation is not Operation.RESPONSES
