"""Calls that count once: between the gate and the service that answers them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol

from wattline.base.errors import Fault
from wattline.dialects.base import Dialect, Route
from wattline.service.accounts.auth import query_key
from wattline.service.accounts.directory import Current, unchanged
from wattline.service.accounts.entitlement import still_let_in
from wattline.service.entrance.headers import shown_id
from wattline.service.idempotency.kept import Answer
from wattline.service.idempotency.key import (
    CREDENTIALS,
    HEADER,
    key_digest,
    key_of,
    request_digest,
    scope_of,
)
from wattline.service.idempotency.once import Claim, Once
from wattline.service.idempotency.taking import MARK, Taking
from wattline.service.reload import Books
from wattline.wire.http import Head, Request, Use, Whole

log = logging.getLogger(__name__)

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
IN_THREAD: Final = 65_536
"""Bytes of a body above which its digest is made in a thread."""
BLOCK: Final = 16_384
"""Bytes of a stream that are handed on at once."""

type Items = AsyncGenerator[Head | Whole | bytes]


class Service(Protocol):
    """What answers calls (`service.answers.Answers`)."""

    def answer(self, request: Request, route: Route) -> Items:
        """A head and pieces, or one whole answer. Raises only `Truncated`."""
        ...


@dataclass(slots=True)
class CallsOnce:
    """A `Service`. Calls without an Idempotency-Key cost one look at their headers."""

    service: Service
    once: Once
    books: Books
    dialects: Mapping[str, Dialect]
    current: Current = unchanged
    """A connection's caller as it is now."""

    def answer(self, request: Request, route: Route) -> Items:
        """As the service's, once for each key."""
        for name, _ in request.headers:
            if name == HEADER and request.method not in SAFE:
                return self._answer(request, route)
        return self.service.answer(request, route)

    async def _answer(self, request: Request, route: Route) -> Items:
        try:
            found = await self._begin(request)
        except Fault as fault:
            log.info("%s refused: %s %s", request.id, fault.status, fault.code)
            yield self._told(request, route, fault)
            return
        if isinstance(found, Answer):
            log.info("%s replays the answer to an earlier request, %d", request.id, found.status)
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
            taking.close()

    async def _begin(self, request: Request) -> Claim | Answer:
        """Raises Fault."""
        request = still_let_in(request, self.current, self.books.current.auth)
        key = key_of([value for name, value in request.headers if name == HEADER]) or ""
        secrets = [value for name, value in request.headers if name in CREDENTIALS]
        secrets += [secret for secret in [query_key(request.path)] if secret]
        scope = scope_of(request.principal, secrets, request.peer)
        body = request.body if request.spool is None else request.spool
        asked = (request.method, _target(request), request.header("content-type") or "", body)
        if request.spool is not None or len(request.body) > IN_THREAD:
            digest = await asyncio.to_thread(request_digest, *asked)
        else:
            digest = request_digest(*asked)
        return await self.once.begin(scope, key_digest(key), digest)

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
