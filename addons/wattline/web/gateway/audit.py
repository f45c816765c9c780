"""`GET /api/v1/audit`: who called what and how it went (E-086), the latest first."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from wattline.base.errors import ClientFault, Kind, OurFault
from wattline.service.accounts.key_facts import energy
from wattline.service.metering.settlement import OWN_KEY
from wattline.store.base import LedgerDown, State
from wattline.store.trail import LAST, Trace, trail
from wattline.web.asking import caller, once, page
from wattline.web.gateway.described import shape, told
from wattline.web.gateway.moments import precise
from wattline.web.lazy_route import LazyRoute
from wattline.web.operator import MASTER, Operators
from wattline.wire.call import Principal, Role

Limit = Annotated[int, Query(ge=1, le=500)]
BEFORE: Final = r"^[0-9]{1,14}(-[0-9]{1,15})?$"
Before = Annotated[str, Query(pattern=BEFORE)]
"""Milliseconds since 1970 UTC, or a page's `next`."""
User = Annotated[str, Query(min_length=1, max_length=200)]
AT_ONCE = 2
"""Questions to the ledger's file at one time."""


class AuditPage:
    """A caller sees its own calls; an admin everybody's, or one user's."""

    def __init__(self, ledger: Path, operators: Operators) -> None:
        self._ledger, self._operators = ledger, operators
        self._few = asyncio.Semaphore(AT_ONCE)

    def router(self) -> APIRouter:
        """Its route."""
        router = APIRouter(route_class=LazyRoute, dependencies=[Depends(once)], tags=["audit"])
        answer = shape(data={"type": "array", "items": {"type": "object"}}, next={})
        router.add_api_route(
            "/api/v1/audit",
            self.audit,
            methods=["GET"],
            summary="Calls and how they went, the latest first",
            responses=told(200, answer, 400, 401, 403, 503),
        )
        return router

    async def audit(
        self,
        request: Request,
        limit: Limit = 50,
        before: Before | None = None,
        user: User | None = None,
    ) -> Response:
        """A page of attempts; `next` is the `before` of the page after it, null at the end."""
        whose = self._whose(request, user)
        place = LAST if before is None else _place(before)
        try:
            async with self._few:
                found = await asyncio.to_thread(trail, self._ledger, whose, limit, place)
        except LedgerDown as error:
            raise OurFault(
                "The ledger can't be read now. The log says why.",
                status=503,
                code="ledger_down",
                kind=Kind.UNAVAILABLE,
                retry_after=5,
            ) from error
        last = found[-1] if len(found) == limit else None
        following = None if last is None else f"{last.at}-{last.seq}"
        return page({"data": [_told(trace) for trace in found], "next": following})

    def _whose(self, request: Request, user: str | None) -> str | None:
        """The principal whose calls are shown; None: everybody's. Raises ClientFault 401, 403."""
        principal = self._caller(request)
        if principal.role is Role.ADMIN:
            return user
        if user is not None and user != principal.id:
            raise ClientFault(
                "The calls of others are shown to admins only.",
                status=403,
                code="not_an_admin",
                kind=Kind.PERMISSION,
                param="user",
            )
        return principal.id

    def _caller(self, request: Request) -> Principal:
        if self._operators.master_said(request) is not None:
            return MASTER
        return caller(request)


def _place(before: str) -> tuple[int, int]:
    at, _, seq = before.partition("-")
    return int(at), int(seq or 0)


def _told(trace: Trace) -> dict[str, Any]:
    return {
        "id": trace.attempt,
        "request_id": trace.call,
        "attempt": trace.number,
        "time": precise(trace.at),
        "user_id": trace.principal,
        "key_id": trace.key,
        "provider": trace.provider,
        "model": trace.model,
        "requested_model": trace.requested,
        "operation": trace.operation,
        "status": _status(trace.state),
        "state": trace.state.value,
        "http_status": trace.status,
        "error": trace.error,
        "tokens": _tokens(trace),
        "energy": energy(trace.energy),
        "own_key": OWN_KEY in json.loads(trace.flags),
        "first_byte_ms": trace.first_byte_ms,
        "response_time_ms": trace.total_ms,
    }


def _status(state: State) -> str:
    if state is State.SENT:
        return "running"
    return "success" if state is State.COMPLETE else "error"


def _tokens(trace: Trace) -> dict[str, Any] | None:
    if trace.prompt is None or trace.completion is None:
        return None
    total = trace.prompt + trace.completion
    return {
        "prompt": trace.prompt,
        "completion": trace.completion,
        "total": total,
        "source": trace.source,
    }
