"""From a request to an exchange: body, call, plan, caller's windows. Nothing is sent yet."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import IO, Any

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Kind
from wattline.base.strict_json import read_object
from wattline.dialects.base import Dialect, Route
from wattline.dialects.table import normalise
from wattline.engine.decide import decide
from wattline.engine.view import View
from wattline.engine.windows import Refusal, Ticket, Windows
from wattline.rules.book import Book
from wattline.service.accounts.directory import Current, unchanged
from wattline.service.accounts.entitlement import caller_claims, check_model, still_let_in
from wattline.service.exchange import Exchange
from wattline.service.lookup import (
    lookup_call,
    lookup_plan,
    maker_of,
    with_query,
    without_body,
)
from wattline.service.metering.listening import sound_of
from wattline.service.outgoing.upload import Upload
from wattline.service.reload import Books
from wattline.service.remembered import Remembered
from wattline.wire.call import LOCAL, Call, Operation
from wattline.wire.http import Request
from wattline.wire.inflate import inflate

LARGE = 512 * 1024
"""Bytes of JSON from which on it is read in a thread: the other calls go on meanwhile."""


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

    async def open(self, request: Request, route: Route) -> Exchange:
        """An exchange whose plan may be tried. Raises Fault."""
        book = await self.books.fresh()
        request = still_let_in(request, self.current, book.auth)
        dialect = self.dialects[route.dialect]
        if route.operation is Operation.LOOKUP:
            return self._look_up(request, route, dialect, book)
        route, body, value = await self._body(request, route, book)
        path = normalise(request.path) or request.path
        call = dialect.read_call(request, route, value, request.principal or LOCAL, path)
        now, wall = self.clock.monotonic(), self.clock.wall()
        plan = decide(call, book, self.view, now, wall, self.draw.random())
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
        exchange.sound = await sound_of(exchange)
        exchange.caller_ticket = self._take(request, call, book, now)
        return exchange

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
            plan=lookup_plan(call, maker, book, self.view, now),
            body=b"",
            value={},
            began=now,
        )
        exchange.caller_ticket = self._take(request, call, book, now)
        return exchange

    async def _body(
        self, request: Request, route: Route, book: Book
    ) -> tuple[Route, bytes | Upload, Mapping[str, Any]]:
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
        if len(raw) > LARGE:
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
        if isinstance(taken, Refusal):
            raise ClientFault(
                f"Rate limit: {taken}",
                status=429,
                code="rate_limit_exceeded",
                kind=Kind.RATE_LIMIT,
                retry_after=taken.retry_after,
            )
        return taken


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
