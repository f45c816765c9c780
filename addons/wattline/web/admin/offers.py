"""`/api/admin/keys`: provider keys that are offered, and what becomes of them (B-207, B-137 to B-143)."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from wattline.service.accounts.key_facts import moment
from wattline.store.offers import Decision, Offer
from wattline.web.admin.answers import Limit, Offset, counts, errors, stamped
from wattline.web.admin.fields import body_of, read_body, read_fields
from wattline.web.admin.parts import AdminParts
from wattline.web.asking import once, page, visitor
from wattline.web.lazy_route import LazyRoute
from wattline.web.operator import Operators
from wattline.web.parts import Control

_OFFERED: Final = body_of(
    {
        "provider": {"type": "string", "maxLength": 64},
        "key": {"type": "string", "minLength": 8, "maxLength": 512},
        "tier": {"type": ["string", "null"], "maxLength": 64},
    },
    ("provider", "key"),
)


class OfferPages:
    """The one page that may be open to strangers takes a key and tells nothing of any other."""

    def __init__(self, control: Control, parts: AdminParts, operators: Operators) -> None:
        self._control, self._operators = control, operators
        self._offers = parts.offers

    def entrance(self, base: str, *, told: bool) -> APIRouter:
        """`POST /keys`, which asks for no credential while `ADMIN_KEYS_OPEN` is on."""
        router = APIRouter(
            route_class=LazyRoute,
            prefix=base,
            dependencies=[Depends(once)],
            tags=["offered keys"],
            include_in_schema=told,
        )
        router.add_api_route(
            "/keys",
            self.offer,
            methods=["POST"],
            status_code=201,
            summary="Offer a key of a provider; an admin decides about it",
            responses=errors(400, 413, 415, 429, 503),
            openapi_extra=_OFFERED,
        )
        return router

    def router(self, base: str, *, told: bool) -> APIRouter:
        """The admins' routes; `told`: in the OpenAPI document."""
        admins = [Depends(self._operators.admin), Depends(once)]
        router = APIRouter(
            route_class=LazyRoute,
            prefix=f"{base}/keys",
            dependencies=admins,
            tags=["offered keys"],
            include_in_schema=told,
        )
        add, nothing = router.add_api_route, body_of({}, optional=True)
        wrong = errors(400, 404, 409, 413, 415, 503)
        add("", self.log, methods=["GET"], summary="The log of offers", responses=errors(400))
        add("/offered", self.all, methods=["GET"], summary="Offered keys", responses=wrong)
        add("/offered/{offer}/accept", self.accept, methods=["POST"], responses=wrong,
            summary="Take a key: it is shown", openapi_extra=nothing)  # fmt: skip
        add("/offered/{offer}/reject", self.reject, methods=["POST"], responses=wrong,
            summary="Forget a key", openapi_extra=nothing)  # fmt: skip
        return router

    async def offer(self, request: Request) -> Response:
        """Raises Fault."""
        if not self._offers.policy.open:
            self._operators.admin(request)
        peer = visitor(request).peer
        self._offers.admit(peer)
        given = await read_body(request, self._offers.policy.body_bytes)
        kept = await self._offers.offer(given, peer)
        told = {"message": "The key was taken; an admin decides about it.", "id": kept.id}
        return page(stamped(self._control.clock, told), 201)

    async def log(self) -> Response:
        """The last lines, the oldest first; the keys in it are masked."""
        entries, total = await self._offers.logged()
        told = {"entries": entries, "count": len(entries), "total": total}
        return page(stamped(self._control.clock, told))

    async def all(
        self, state: Decision | None = None, limit: Limit = 50, offset: Offset = 0
    ) -> Response:
        """The newest first. Raises OurFault."""
        found, total = await self._offers.listed(state, limit, offset)
        counted = counts(len(found), total, limit, offset)
        told = {"entries": [_facts(offer) for offer in found], **counted}
        return page(stamped(self._control.clock, told))

    async def accept(self, request: Request, offer: str) -> Response:
        """It is not used by itself: set it as the variable that rules.yaml names. Raises Fault."""
        by = self._operators.admin(request).id
        (await read_fields(request, empty=True)).end()
        found, secret = await self._offers.accept(offer, by)
        told = {
            "offer": _facts(found),
            "key": secret,
            "message": "Set it as the variable that this provider has in rules.yaml, then start again.",
        }
        return page(stamped(self._control.clock, told))

    async def reject(self, request: Request, offer: str) -> Response:
        """Raises Fault."""
        by = self._operators.admin(request).id
        (await read_fields(request, empty=True)).end()
        found = await self._offers.reject(offer, by)
        return page(stamped(self._control.clock, {"offer": _facts(found)}))


def _facts(offer: Offer) -> dict[str, Any]:
    return {
        "id": offer.id,
        "provider": offer.provider,
        "tier": offer.tier,
        "key": offer.mask,
        "receivedAt": moment(offer.at),
        "state": offer.state,
        "decidedAt": moment(offer.decided),
        "decidedBy": offer.decided_by,
    }
