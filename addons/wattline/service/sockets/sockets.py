"""Answers upgrades to WebSockets: a refusal, or a 101 and the conversation after it.

The realtime API names its model in the upgrade, so a target is found before the client is accepted, and a
refusal is an HTTP answer. The Responses API names it in the first message: the client is accepted at
once, and the target found then. Where none of a model's providers has WebSockets, the client's next
upgrade is answered 426: Codex then falls back to HTTP, where calls are translated.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from wattline.base.errors import ClientFault, Fault, OurFault
from wattline.base.logs import note_request
from wattline.dialects.base import Route
from wattline.dialects.openai import realtime
from wattline.dialects.sockets import PROTOCOLS, harmless, protocols
from wattline.dialects.table import normalise
from wattline.rules.book import Book
from wattline.service.accounts.entitlement import check_model
from wattline.service.entrance.headers import exchange_headers
from wattline.service.exchange import Exchange
from wattline.service.metering.report import report
from wattline.service.parting import shutting_down, uncancel
from wattline.service.sockets.bound import Bound, Services
from wattline.service.sockets.conversation import Conversation
from wattline.service.sockets.handshake import accepted, check_upgrade
from wattline.service.sockets.inbox import Inbox
from wattline.service.sockets.upgrades import Answered
from wattline.wire.call import LOCAL, Operation, Principal
from wattline.wire.http import Ending, Items, Request, Use

log = logging.getLogger(__name__)

FALLBACK_SECONDS = 60.0
"""How long a client may take to come back."""
MAX_FALLBACKS = 1_000
NO_MODEL = "-"
"""Stands for the model of a passed upgrade that names none."""


@dataclass(slots=True)
class Sockets:
    """The service that the proxy asks with an upgrade and the client's bytes after it."""

    services: Services
    _fallbacks: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)
    """Callers whose next upgrade is answered 426, and until when."""

    async def converse(self, request: Request, route: Route, inbox: Inbox) -> Items:
        """One refusal, or a 101 and then bytes. Raises nothing but CancelledError."""
        dialect = self.services.opening.dialects[route.dialect]
        upgraded = False
        exchange: Exchange | None = None
        note_request(request.id)
        try:
            check_upgrade(request)
            bound: Bound | None = None
            if route.operation is Operation.REALTIME:
                exchange = await self._plan(request, route)
                bound = await self._reach(exchange)
            else:
                self._check_capable(request)
            async with aclosing(self._accepted(request, route, inbox, bound)) as items:
                async for item in items:
                    upgraded = True
                    yield item
        except Fault as fault:
            settlement = self.services.settlement
            now = settlement.clock.monotonic()
            report(request, exchange, fault, now, settlement.counts)
            yield dialect.error(fault, request.id)
        except Answered as answered:
            yield answered.answer
        except asyncio.CancelledError:
            if upgraded or request.departure.reason is not Ending.SHUTDOWN:
                raise
            uncancel()
            yield dialect.error(shutting_down(), request.id)
        except Exception:
            log.exception("%s failed", request.id)
            if upgraded:
                return
            ours = OurFault("wattline failed on this request. The log has the details.")
            yield dialect.error(ours, request.id)

    async def _accepted(
        self, request: Request, route: Route, inbox: Inbox, bound: Bound | None
    ) -> Items:
        try:
            conversation = Conversation(
                self.services,
                _safe(request, bound),
                route,
                inbox,
                bound,
                lambda: self._remember(request),
            )
            yield accepted(request, _protocol(request, bound), _ours(request, bound))
            async with aclosing(conversation.run()) as pieces:
                async for data in pieces:
                    yield data
        finally:
            if bound is not None:
                bound.socket.close()

    async def _plan(self, request: Request, route: Route) -> Exchange:
        """Where a realtime upgrade goes. No window is taken: each response takes its own."""
        opening = self.services.opening
        book = await opening.books.fresh()
        model = realtime.model_of(request.path)
        if model is None and request.use is Use.REVERSE:
            raise ClientFault(
                "Name one model in the query: /v1/realtime?model=…",
                code="missing_required_parameter",
                param="model",
            )
        dialect = opening.dialects[route.dialect]
        call = dialect.read_call(
            _safe(request, None),
            route,
            {"model": model or NO_MODEL, "stream": True},
            request.principal or LOCAL,
            normalise(request.path) or request.path,
        )
        check_model(call)
        now, wall = opening.clock.monotonic(), opening.clock.wall()
        plan = opening.decided(call, book, now, wall)
        return Exchange(
            request=request,
            route=route,
            dialect=dialect,
            call=call,
            book=book,
            plan=plan,
            body=b"",
            value={},
            began=now,
        )

    async def _reach(self, exchange: Exchange) -> Bound:
        target, socket = await self.services.upgrades.reach(exchange)
        exchange.failures.clear()
        witness = self.services.witnesses.witness(exchange, target)
        return Bound(exchange, target, socket, witness)

    def _check_capable(self, request: Request) -> None:
        """Raises ClientFault 426 where HTTP is the better way."""
        now = self.services.settlement.clock.monotonic()
        until = self._fallbacks.pop(_caller(request), 0.0)
        if until > now or not (
            request.use is Use.FORWARD
            or _has_sockets(self.services.opening.books.current, request.principal or LOCAL)
        ):
            raise ClientFault(
                "No provider here takes this over a WebSocket. Use POST.",
                status=426,
                code="no_websocket",
                should_retry=False,
            )

    def _remember(self, request: Request) -> None:
        """The caller's model has no provider with WebSockets."""
        now = self.services.settlement.clock.monotonic()
        self._fallbacks[_caller(request)] = now + FALLBACK_SECONDS
        while len(self._fallbacks) > MAX_FALLBACKS:
            self._fallbacks.popitem(last=False)


def _caller(request: Request) -> tuple[str, str]:
    return (request.principal or LOCAL).id, request.peer


def _has_sockets(book: Book, caller: Principal) -> bool:
    return any(
        provider.open_to(caller) and provider.dialect == "openai" and provider.responses
        for provider in book.providers.values()
    )


def _safe(request: Request, bound: Bound | None) -> Request:
    """Without the handshake's headers, one of which may hold a key; a passed call keeps its own."""
    if bound is not None and bound.passed:
        return request
    return replace(request, headers=[pair for pair in request.headers if pair[0] != PROTOCOLS])


def _protocol(request: Request, bound: Bound | None) -> str | None:
    """The subprotocol that is chosen: the provider's choice, or the first that means one."""
    if bound is not None:
        return bound.socket.protocol
    plain = [
        name for name in harmless(protocols(request.headers)) if not name.startswith("openai-")
    ]
    return plain[0] if plain else None


def _ours(request: Request, bound: Bound | None) -> tuple[tuple[str, str], ...]:
    """Our own headers on the 101."""
    if bound is None:
        return exchange_headers(None, request)
    name = bound.target.provider.name
    return (*exchange_headers(bound.exchange, request), ("x-wattline-provider", name))
