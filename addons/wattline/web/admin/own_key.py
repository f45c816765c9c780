"""`GET /v1/keys/me`: what a key may do, and what it used (B-031)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from wattline.service.accounts.key_facts import energy, key_facts
from wattline.web.admin.answers import errors, stamped
from wattline.web.admin.parts import AdminParts
from wattline.web.admin.usage_facts import usage_facts
from wattline.web.admin.window_facts import caller_windows, tier_facts
from wattline.web.asking import Caller, once, page, visitor
from wattline.web.lazy_route import LazyRoute
from wattline.web.parts import Control
from wattline.wire.call import Principal

PATH = "/v1/keys/me"


class OwnKey:
    """It costs nothing, so it answers also when the balance or a budget is used up."""

    def __init__(self, control: Control, parts: AdminParts) -> None:
        self._control, self._parts = control, parts

    def router(self) -> APIRouter:
        """Its routes."""
        router = APIRouter(route_class=LazyRoute, dependencies=[Depends(once)], tags=["keys"])
        router.add_api_route(
            PATH,
            self.me,
            methods=["GET"],
            summary="The calling key: its bounds, and what it used",
            responses=errors(400, 503),
        )
        return router

    async def me(self, request: Request, principal: Caller) -> Response:
        """Budgets, models, expiry, windows with what is left, balance and use of the key that asks."""
        book, clock = self._control.book(), self._control.clock
        used = usage_facts(await self._parts.statistics.used(principal))
        told = self._key(principal)
        told |= {
            "tierLimits": tier_facts(principal.tier, book),
            "windows": caller_windows(
                principal, visitor(request).peer, book, self._parts.view, clock.monotonic()
            ),
            "requestCount": used["requestCount"],
            "tokenUsage": used["tokenUsage"],
            "usage": used,
        }
        return page(stamped(clock, told))

    def _key(self, principal: Principal) -> dict[str, Any]:
        accounts = self._control.accounts
        if principal.key is not None:
            key = accounts.key(principal.key)
            facts = key_facts(accounts, key)
            return {**facts, "userId": key.user, "notes": accounts.notes(key)}
        return {
            "id": None,
            "user": principal.id,
            "userId": principal.id,
            "key": None,
            "role": principal.role.value,
            "tier": principal.tier,
            "label": "",
            "active": True,
            "created": None,
            "expires": None,
            "disabled": None,
            "models": None,
            "budgets": dict.fromkeys(("hour", "day", "month")),
            "spent": None,
            "balance": energy(accounts.balance(principal.id)),
            "notes": [],
        }
