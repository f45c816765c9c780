"""Calls that count once: between the gate and the service that answers them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, Protocol

from wattline.base.errors import Fault
from wattline.dialects.base import Dialect, Route
from wattline.service.accounts.directory import Current, unchanged
from wattline.service.accounts.entitlement import still_let_in
from wattline.service.entrance.headers import shown_id
from wattline.service.explaining import HEADER as EXPLAIN
from wattline.service.idempotency.kept import Answer
from wattline.service.idempotency.key import (
    HEADER,
    key_digest,
    key_of,
    request_digest,
    scope_of,
    shown_secrets,
)
from wattline.service.idempotency.once import Claim, Once
from wattline.service.idempotency.taking import MARK, Taking
from wattline.service.metering.counts import Counts
from wattline.service.metering.report import report_repeat, report_replay
from wattline.service.reload import Books
from wattline.wire.http import Head, Items, Request, Use, Whole

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
IN_THREAD: Final = 65_536
"""Bytes of a body above which its digest is made in a thread."""
BLOCK: Final = 16_384
"""Bytes of a stream that are handed on at once."""


class Service(Protocol):
    """What answers calls (`service.answers.Answers`)."""

    def answer(self, request: Request, route: Route) -> Items:
        """A head and pieces, or one whole answer. Raises only `Truncated`."""
        ...


type Permit = Callable[[Request, Route], Awaitable[None]]
"""Raises Fault for a call of a model that is not the caller's to call."""


async def _anything(_request: Request, _route: Route) -> None:
    """Where no key is for some models only."""


@dataclass(slots=True)
class CallsOnce:
    """A `Service`. Calls without an Idempotency-Key cost one look at their headers."""

    service: Service
    once: Once
    books: Books
    dialects: Mapping[str, Dialect]
    current: Current = unchanged
    """A connection's caller as it is now."""
    counts: Counts = field(default_factory=Counts)
    permit: Permit = _anything
    """Whether a caller whose key is for some models may ask this."""
    watching: bool = False
    """Nothing is changed: the key is its host's to look at."""

    def answer(self, request: Request, route: Route) -> Items:
        """As the service's, once for each key."""
        for name, _ in request.headers:
            if name == HEADER and request.method not in SAFE:
                if self.watching or request.header(EXPLAIN) is not None:
                    break  # nothing is made by us, so nothing can be made twice
                return self._answer(request, route)
        return self.service.answer(request, route)

    async def _answer(self, request: Request, route: Route) -> Items:
        try:
            found = await self._begin(request, route)
        except Fault as fault:
            report_repeat(request, fault, self.counts)
            yield self._told(request, route, fault)
            return
        if isinstance(found, Answer):
            report_replay(request, found.status, self.counts)
            for item in _again(request, found):
                yield item
            return
        taking = Taking(found)
        try:
            async with aclosing(self.service.answer(request, route)) as items:
                async for item in items:
                    taking.see(item)
                    yield item
            taking.end()
        finally:
            taking.close(unknown=request.departure.paid)

    async def _begin(self, request: Request, route: Route) -> Claim | Answer:
        """Raises Fault."""
        request = still_let_in(request, self.current, self.books.current.auth)
        key = key_of([value for name, value in request.headers if name == HEADER]) or ""
        secrets = shown_secrets(request.headers, request.path)
        scope = scope_of(request.principal, secrets, request.peer)
        body = request.body if request.spool is None else request.spool
        asked = (request.method, _target(request), request.header("content-type") or "", body)
        if request.spool is not None or len(request.body) > IN_THREAD:
            digest = await asyncio.to_thread(request_digest, *asked)
        else:
            digest = request_digest(*asked)
        found = await self.once.begin(scope, key_digest(key), digest)
        caller = request.principal
        if isinstance(found, Answer) and caller is not None and caller.models is not None:
            await self.permit(request, route)  # another key of the account may have asked first
        return found

    def _told(self, request: Request, route: Route, fault: Fault) -> Whole:
        answer = self.dialects[route.dialect].error(fault, request.id)
        kept = (pair for pair in answer.headers if pair[0] not in _IDS)
        return Whole(answer.status, (*kept, *_ids(request)), answer.body)


_IDS: Final = ("x-request-id", "x-wattline-call")


def _ids(request: Request) -> tuple[tuple[str, str], ...]:
    shown = shown_id(request.header("x-request-id"), request.id)
    return tuple(zip(_IDS, (shown, request.id), strict=True))


def _target(request: Request) -> str:
    """A request that is passed on to a host of its own is another one."""
    if request.use is Use.REVERSE:
        return request.path
    return f"{request.scheme}://{request.host}:{request.port}{request.path}"


def _again(request: Request, answer: Answer) -> list[Head | Whole | bytes]:
    headers = (*answer.headers, *_ids(request), MARK)
    if not answer.stream:
        return [Whole(answer.status, headers, answer.body)]
    starts = range(0, len(answer.body), BLOCK)
    return [Head(answer.status, headers), *(answer.body[at : at + BLOCK] for at in starts)]
