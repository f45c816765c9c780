"""`/token`: users' tokens and balances (A-023 to A-027)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Request, params
from starlette.responses import Response

from wattline.base.errors import ClientFault
from wattline.dialects.base import Energy
from wattline.service.accounts.user_tokens import UserToken
from wattline.web.asking import page
from wattline.web.assistant import described
from wattline.web.assistant.asked import Body, UserId
from wattline.web.assistant.parts import AssistantParts
from wattline.web.lazy_route import LazyRoute
from wattline.web.operator import Operators

_RECORD = described.members(
    {
        "id": described.TEXT,
        "user_id": described.TEXT,
        "tokens_gpt": {"type": ["number", "null"]},
    }
)
_CHANGE = described.members(
    {
        "operation": {"enum": ["add", "subtract"]},
        "amount": {"type": "number", "exclusiveMinimum": 0},
    }
)
_HAS = described.members({"hasUser": {"type": "boolean"}})


class TokenPages:
    """For holders of the master token, and admins."""

    def __init__(self, parts: AssistantParts, operators: Operators) -> None:
        self._parts, self._operators = parts, operators

    def router(self, needed: Sequence[params.Depends]) -> APIRouter:
        """Their routes; all depend on what is `needed`."""
        told = described.route
        router = APIRouter(route_class=LazyRoute, dependencies=needed, tags=["tokens"])
        router.add_api_route("/token", self.get, methods=["GET"], **told(_RECORD))
        router.add_api_route("/token", self.renew, methods=["POST"], **told(_RECORD))
        router.add_api_route("/token", self.change, methods=["PUT"], **told(_RECORD, _CHANGE))
        router.add_api_route("/token/has", self.has, methods=["GET"], **told(_HAS))
        return router

    async def get(self, request: Request, user: UserId) -> Response:
        """A user's token and balance; both are made if the user is new."""
        return page(record(await self._parts.tokens.get(user, self._master(request))))

    async def has(self, user: UserId) -> Response:
        """Whether there is such a user."""
        return page({"hasUser": self._parts.tokens.has(user)})

    async def change(self, request: Request, user: UserId) -> Response:
        """Add to a user's balance, or take from it: never more than is free."""
        body = await Body.read(request, exact=True)
        operation, micro = body.choice("operation", "add", "subtract"), body.energy("amount")
        await self._parts.tokens.ensure(user)
        accounts = self._parts.accounts
        change = accounts.credit if operation == "add" else accounts.subtract
        try:
            await change(user, micro, f"token {operation}")
        except ClientFault as fault:
            fault.about("energy", "amount")
            raise
        return page(record(await self._parts.tokens.get(user, self._master(request))))

    async def renew(self, request: Request, user: UserId) -> Response:
        """Another token for a user; the one before is refused from the next call on."""
        return page(record(await self._parts.tokens.renew(user, self._master(request))))

    def _master(self, request: Request) -> str | None:
        return self._operators.master_said(request)


def record(token: UserToken) -> dict[str, Any]:
    """A-137. The balance is exact, also beyond what a binary fraction holds."""
    balance = msgspec.Raw(Energy(token.balance).json.encode())
    return {"id": token.id, "user_id": token.user, "tokens_gpt": balance}
