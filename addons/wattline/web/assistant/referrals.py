"""`/referral`: who brought whom (A-036, A-037)."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, params
from starlette.responses import Response

from wattline.service.accounts.key_facts import energy
from wattline.web.asking import page
from wattline.web.assistant import described
from wattline.web.assistant.asked import Body, UserId
from wattline.web.assistant.parts import AssistantParts
from wattline.web.lazy_route import LazyRoute

_ASKED = described.members({"referrerId": described.TEXT, "referredId": described.TEXT})
_MADE = described.members(
    {
        "referrer_id": described.TEXT,
        "referred_id": described.TEXT,
        "bonus": described.NUMBER,
    }
)
_COUNT = described.members({"count": {"type": "integer", "minimum": 0}})


class ReferralPages:
    """For holders of the master token, and admins."""

    def __init__(self, parts: AssistantParts) -> None:
        self._referrals = parts.referrals

    def router(self, needed: Sequence[params.Depends]) -> APIRouter:
        """Their routes; all depend on what is `needed`."""
        told = described.route
        router = APIRouter(route_class=LazyRoute, dependencies=needed, tags=["referrals"])
        router.add_api_route("/referral", self.add, methods=["POST"], **told(_MADE, _ASKED))
        router.add_api_route("/referral", self.count, methods=["GET"], **told(_COUNT))
        return router

    async def add(self, request: Request) -> Response:
        """Keep that a user brought another; both get the bonus."""
        body = await Body.read(request)
        made = await self._referrals.add(body.user("referrerId"), body.user("referredId"))
        told = {"referrer_id": made.referrer, "referred_id": made.referred}
        return page({**told, "bonus": energy(made.bonus)})

    async def count(self, user: UserId) -> Response:
        """How many users somebody brought."""
        return page({"count": await self._referrals.count(user)})
