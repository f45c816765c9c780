"""From a request to an exchange: body, call, plan, caller's windows. Nothing is sent yet."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Kind
from wattline.base.strict_json import read_object
from wattline.dialects.base import Dialect, Route
from wattline.dialects.table import normalise
from wattline.engine.decide import decide
from wattline.engine.view import View
from wattline.engine.windows import Claim, Refusal, Ticket, Windows
from wattline.rules.book import Book, Scope
from wattline.service.exchange import Exchange
from wattline.service.listening import sound_of
from wattline.service.reload import Books
from wattline.service.upload import Upload
from wattline.wire.call import LOCAL, Call
from wattline.wire.http import Request
from wattline.wire.inflate import inflate


@dataclass(slots=True)
class Opening:
    """Makes exchanges. `draw` gives numbers in [0, 1) for weighted choices."""

    books: Books
    dialects: Mapping[str, Dialect]
    windows: Windows
    view: View
    clock: Clock
    draw: random.Random

    async def open(self, request: Request, route: Route) -> Exchange:
        """An exchange whose plan may be tried. Raises Fault."""
        book = await self.books.fresh()
        dialect = self.dialects[route.dialect]
        body, value = await self._body(request, book)
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

    async def _body(self, request: Request, book: Book) -> tuple[bytes | Upload, Mapping[str, Any]]:
        if request.spool is not None:
            kind = request.header("content-type") or ""
            upload = await asyncio.to_thread(Upload.read, request.spool, kind)
            return upload, upload.values
        raw = request.body
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
        return raw, read_object(raw, max_depth=limits.json_depth)

    def _take(self, request: Request, call: Call, book: Book, now: float) -> Ticket | None:
        """The slots of the caller in every window over callers; the tightest answers."""
        if not book.windows:
            return None
        keys = {
            Scope.PRINCIPAL: call.principal.id,
            Scope.ADDRESS: request.peer,
            Scope.GLOBAL: "all",
        }
        claims = [
            Claim(window, keys[window.scope], 1, call.tokens)
            for window in book.windows
            if window.scope in keys
        ]
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
