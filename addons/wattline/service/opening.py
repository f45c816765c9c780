"""From a request to an exchange: body, call, plan, caller's windows. Nothing is sent yet."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Fault, Kind
from wattline.base.strict_json import read_object
from wattline.dialects.base import Dialect, Route
from wattline.dialects.gemini.paths import addressed
from wattline.dialects.table import normalise
from wattline.engine.decide import decide
from wattline.engine.features import Asking
from wattline.engine.plan import Plan
from wattline.engine.view import View
from wattline.engine.windows import Refusal, Ticket, Windows
from wattline.rules.book import Book
from wattline.service.accounts.directory import Current, unchanged
from wattline.service.accounts.entitlement import caller_claims, check_model, still_let_in
from wattline.service.accounts.own_keys import OwnKeys
from wattline.service.conversation import Conversations
from wattline.service.earlier import Earlier
from wattline.service.entrance.counting import rate_limited, standing_in
from wattline.service.exchange import Exchange
from wattline.service.explaining import answer as explained
from wattline.service.explaining import asks, check_allowed, check_lookup
from wattline.service.following import followed
from wattline.service.large import is_large
from wattline.service.lookup import (
    lookup_call,
    lookup_plan,
    maker_of,
    with_query,
    without_body,
)
from wattline.service.metering.listening import sound_of
from wattline.service.outgoing.upload import Upload
from wattline.service.parting import shutting_down
from wattline.service.reload import Books
from wattline.service.remembered import Remembered
from wattline.service.unsent import Unsent
from wattline.wire.call import LOCAL, Call, Operation
from wattline.wire.http import Ending, Request
from wattline.wire.inflate import inflate

type Read = tuple[Route, bytes | Upload, Mapping[str, Any]]
"""A request's route, body, and the fields in it."""


@dataclass(slots=True)
class Opening:
    """Makes exchanges. `draw` gives numbers in [0, 1) for weighted choices."""

    books: Books
    dialects: Mapping[str, Dialect]
    windows: Windows
    view: View
    clock: Clock
    draw: random.Random
    remembered: Remembered
    current: Current = unchanged
    """A connection's caller as it is now."""
    own_keys: OwnKeys | None = None
    """Callers' own keys for providers."""
    asking: Asking = field(default_factory=Asking)
    conversations: Conversations = field(default_factory=Conversations)
    earlier: Earlier | None = None
    """Who may go on from what."""
    unsent: Unsent | None = None
    """Where calls are noted that no attempt is made of."""
    met: Callable[[Book], None] | None = None
    """Called with the first call of each book."""
    _known: Book | None = None

    async def open(
        self,
        request: Request,
        route: Route,
        *,
        explainable: bool = False,
        context: int | None = None,
    ) -> Exchange:
        """An exchange whose plan may be tried. `explainable`: or one that is `explained`, where its client asks
        for that. `context`: it is a response on a WebSocket, a stream that reads so many tokens beside its own.
        Raises Fault.
        """
        if request.departure.reason is Ending.SHUTDOWN:
            raise shutting_down()
        book = await self.books.fresh()
        request = still_let_in(request, self.current, book.auth)
        dialect = self.dialects[route.dialect]
        if route.operation is Operation.LOOKUP:
            check_lookup(request)
            return self._look_up(request, route, dialect, book)
        read = await self._body(request, route, book)
        try:
            return await self._opened(
                request, read, dialect, book, explainable=explainable, context=context
            )
        except Fault as fault:
            fault.requested = _named(request, read[2])
            raise

    async def _opened(
        self,
        request: Request,
        read: Read,
        dialect: Dialect,
        book: Book,
        *,
        explainable: bool,
        context: int | None,
    ) -> Exchange:
        """The body is read. Raises Fault."""
        route, body, value = read
        call = await self._call(request, route, body, value)
        if context is not None:
            call = replace(call, stream=True, tokens=call.tokens + context)
        if book.affine:
            call = await self.conversations.told(call, value, body, book)
        now, wall = self.clock.monotonic(), self.clock.wall()
        explaining = explainable and asks(call)
        if explaining:
            check_allowed(request, book)
        plan = followed(self.decided(call, book, now, wall), call, value, self.remembered)
        if self.earlier is not None and not plan.passed:
            await self.earlier.check(call, value)
        exchange = Exchange(
            request=request,
            route=route,
            dialect=dialect,
            call=call,
            book=book,
            plan=plan,
            body=body,
            value=value,
            began=now,
        )
        if explaining:
            draw = self.draw.random() if plan.draw is None else plan.draw
            exchange.explained = await explained(exchange, self.view, now, wall, draw)
            return exchange
        if book.affinity.diagnose:
            exchange.prompted = await self.conversations.prompted(call, value, body, book)
        if book is not self._known:
            self._known = book
            if self.met is not None:
                self.met(book)
        exchange.noted = self.asking.noted(call, book, self.view, now)
        exchange.sound = await sound_of(exchange)
        try:
            exchange.caller_ticket = self._take(request, call, book, now)
        except Fault as fault:
            self.refused(exchange, fault)
            raise
        return exchange

    async def permit(self, request: Request, route: Route) -> None:
        """The model that is asked for is one of the key's. Raises Fault."""
        if route.operation is not Operation.LOOKUP:
            route, body, value = await self._body(request, route, self.books.current)
            check_model(await self._call(request, route, body, value))

    async def _call(
        self, request: Request, route: Route, body: bytes | Upload, value: Mapping[str, Any]
    ) -> Call:
        dialect = self.dialects[route.dialect]
        path = normalise(request.path) or request.path
        asked = (request, route, value, request.principal or LOCAL, path)
        if is_large(body):
            return await asyncio.to_thread(dialect.read_call, *asked)
        return dialect.read_call(*asked)

    def refused(self, exchange: Exchange, fault: Fault) -> None:
        """Note a call that ends without an attempt."""
        if self.unsent is not None and exchange.route.operation is not Operation.LOOKUP:
            self.unsent.note(exchange, fault)

    def _look_up(self, request: Request, route: Route, dialect: Dialect, book: Book) -> Exchange:
        """An exchange with the provider that made what is asked about. Raises ClientFault."""
        maker = maker_of(self.remembered, request, route)
        route = with_query(request, route)
        path = normalise(request.path) or request.path
        call = lookup_call(request, route, maker, path)
        now = self.clock.monotonic()
        exchange = Exchange(
            request=without_body(request),
            route=route,
            dialect=dialect,
            call=call,
            book=book,
            plan=self._owned(lookup_plan(call, maker, book, self.view, now), call),
            body=b"",
            value={},
            began=now,
        )
        exchange.caller_ticket = self._take(request, call, book, now)
        return exchange

    def decided(self, call: Call, book: Book, now: float, wall: float) -> Plan:
        """Where a call goes, and with whose keys. `now` is monotonic seconds, `wall` Unix seconds."""
        return self._owned(decide(call, book, self.view, now, wall, self.draw.random()), call)

    def _owned(self, plan: Plan, call: Call) -> Plan:
        """With the caller's own keys where it has some."""
        if self.own_keys is None or not call.principal.providers:
            return plan
        return self.own_keys.planned(plan, call.principal)

    async def _body(self, request: Request, route: Route, book: Book) -> Read:
        """The body and its fields; the route says whether it is JSON."""
        raw = request.body
        if request.spool is not None:
            kind = request.header("content-type") or ""
            if not route.either or not _is_json(kind):
                upload = await asyncio.to_thread(Upload.read, request.spool, kind)
                return route, upload, upload.values
            raw = _unspooled(request.spool, book.limits.json_bytes)
            route = replace(route, json=True)
        encoding = (request.header("content-encoding") or "identity").lower()
        limits = book.limits
        if encoding != "identity":
            raw = await asyncio.to_thread(
                inflate,
                raw,
                encoding,
                max_bytes=limits.json_bytes,
                max_ratio=limits.inflate_ratio,
            )
        if is_large(raw):
            value = await asyncio.to_thread(read_object, raw, max_depth=limits.json_depth)
            return route, raw, value
        return route, raw, read_object(raw, max_depth=limits.json_depth)

    def _take(self, request: Request, call: Call, book: Book, now: float) -> Ticket | None:
        """The slots of the caller in every window over callers; the tightest answers."""
        check_model(call)
        claims = caller_claims(call, request.peer, book)
        if not claims:
            return None
        taken = self.windows.take(claims, now)
        if request.notice is not None:
            request.notice.stand(standing_in(self.windows, claims, now, self.clock.wall()))
        if isinstance(taken, Refusal):
            raise rate_limited(taken)
        return taken


def _named(request: Request, value: Mapping[str, Any]) -> str | None:
    """The model that a request names, be it in its path, whatever else is wrong with it. One that is no plain
    text, such as a name in two lines, is none.
    """
    model = value.get("model")
    if not isinstance(model, str):
        found = addressed(request.path.partition("?")[0])
        model = found[0] if found is not None else ""
    return model if model.isprintable() and model else None


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _unspooled(spool: IO[bytes], limit: int) -> bytes:
    """JSON that came where uploads may come. Raises ClientFault 413."""
    raw = spool.read(limit + 1)
    spool.seek(0)
    if len(raw) > limit:
        raise ClientFault(
            f"The body is larger than {limit} bytes (rules.yaml: limits.json_bytes).",
            status=413,
            code="body_too_large",
            kind=Kind.TOO_LARGE,
        )
    return raw
