"""Users: list, make, end, and their balances."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from wattline.base.errors import ClientFault
from wattline.service.accounts.accounts import AS_CONFIGURED
from wattline.service.accounts.key_facts import key_facts, user_facts
from wattline.store.people import User
from wattline.web.admin.answers import Limit, Offset, errors, paged, stamped
from wattline.web.admin.fields import ENERGY, TEXT, body_of, read_fields, wrong
from wattline.web.asking import once, page
from wattline.web.lazy_route import LazyRoute
from wattline.web.operator import Operators
from wattline.web.parts import Control
from wattline.wire.call import Role

_ROLE: Final = {"type": "string", "enum": ["user", "admin"]}
_TIER: Final = {
    "type": ["string", "null"],
    "description": "One of `tiers` in rules.yaml, for those of its keys that have none.",
}


class UserPages:
    """Each user has one balance and any number of keys."""

    def __init__(self, control: Control, operators: Operators) -> None:
        self._control, self._operators = control, operators
        self._accounts = control.accounts

    def router(self, base: str, *, told: bool) -> APIRouter:
        """Its routes; `told`: in the OpenAPI document."""
        admins = [Depends(self._operators.admin), Depends(once)]
        router = APIRouter(
            route_class=LazyRoute,
            prefix=f"{base}/users",
            dependencies=admins,
            tags=["users"],
            include_in_schema=told,
        )
        add, all_errors = router.add_api_route, errors(400, 404, 409, 413, 415, 503)
        made = body_of(
            {
                "id": {"type": "string", "maxLength": 64},
                "name": dict(TEXT),
                "email": {"type": "string", "maxLength": 255},
                "role": dict(_ROLE),
                "tier": dict(_TIER),
                "energy": {**ENERGY, "description": "What the balance begins with."},
            }
        )
        amount = body_of({"energy": {**ENERGY, "exclusiveMinimum": 0}, "reason": dict(TEXT)}, ("energy",))  # fmt: skip
        changed = body_of(
            {
                "name": {**TEXT, "type": ["string", "null"]},
                "email": {"type": ["string", "null"], "maxLength": 255},
                "role": dict(_ROLE),
                "tier": dict(_TIER),
            }
        )
        nothing = body_of({}, optional=True)
        add("", self.all, methods=["GET"], summary="Users", responses=errors(400))
        add("", self.make, methods=["POST"], status_code=201, summary="Make a user",
            responses=all_errors, openapi_extra=made)  # fmt: skip
        add("/{user}", self.one, methods=["GET"], summary="One user with its keys",
            responses=all_errors)  # fmt: skip
        add("/{user}", self.change, methods=["PATCH"], summary="Change a user",
            responses=all_errors, openapi_extra=changed)  # fmt: skip
        for word, work, said, body in (
            ("disable", self.disable, "Refuse all keys of a user", nothing),
            ("enable", self.enable, "Let a disabled user in again", nothing),
            ("credit", self.credit, "Add to a balance", amount),
            ("subtract", self.subtract, "Take from a balance, never more than is free", amount),
        ):
            add(f"/{{user}}/{word}", work, methods=["POST"], summary=said, responses=all_errors,
                openapi_extra=body)  # fmt: skip
        return router

    async def all(
        self, role: Role | None = None, limit: Limit = 50, offset: Offset = 0
    ) -> Response:
        """Users by their ids."""
        found = sorted(
            (user for user in self._accounts.store.users() if role in (None, user.role)),
            key=lambda user: user.id,
        )
        chosen, counted = paged(found, limit, offset)
        told = {"entries": [self._facts(user) for user in chosen], **counted}
        return page(stamped(self._control.clock, told))

    async def one(self, user: str) -> Response:
        """Raises ClientFault 404."""
        found = self._accounts.user(user)
        keys = [key_facts(self._accounts, key) for key in self._accounts.store.keys_of(user)]
        return page(stamped(self._control.clock, {"user": self._facts(found), "keys": keys}))

    async def make(self, request: Request) -> Response:
        """Without an id it gets one. Raises Fault."""
        fields = await read_fields(request)
        name, email, role = fields.either("id", "userId"), fields.text("email"), fields.role()
        shown, start, tier = fields.text("name") or "", fields.energy("energy"), fields.text("tier")
        unlimited = fields.has("energy") and start is None
        fields.end()
        begin = start if start is not None or unlimited else AS_CONFIGURED
        made = await self._accounts.create_user(
            name, name=shown, email=email, role=role, tier=tier, start=begin
        )
        return self._told(made, 201)

    async def change(self, request: Request, user: str) -> Response:
        """What is not given stays; null takes a tier, a name or an e-mail address away. Raises Fault."""
        fields = await read_fields(request)
        changes = fields.of_user()
        fields.end()
        self._accounts.user(user)
        if not changes:
            raise ClientFault("The body names nothing to change.", code="invalid_value")
        return self._told(await self._accounts.change_user(user, **changes))

    async def disable(self, request: Request, user: str) -> Response:
        """Raises Fault."""
        (await read_fields(request, empty=True)).end()
        return self._told(await self._accounts.disable_user(user))

    async def enable(self, request: Request, user: str) -> Response:
        """Raises Fault."""
        (await read_fields(request, empty=True)).end()
        return self._told(await self._accounts.enable_user(user))

    async def credit(self, request: Request, user: str) -> Response:
        """From then on the user is limited by its balance. Raises Fault."""
        micro, reason = await _amount(request)
        await self._accounts.credit(user, micro, reason or "credit")
        return self._told(self._accounts.user(user))

    async def subtract(self, request: Request, user: str) -> Response:
        """Raises Fault: 409 when there is not so much."""
        micro, reason = await _amount(request)
        await self._accounts.subtract(user, micro, reason or "debit")
        return self._told(self._accounts.user(user))

    def _told(self, user: User, status: int = 200) -> Response:
        return page(stamped(self._control.clock, {"user": self._facts(user)}), status)

    def _facts(self, user: User) -> dict[str, Any]:
        count = len(self._accounts.store.keys_of(user.id))
        facts, notes = user_facts(self._accounts, user), self._accounts.notes(user)
        return {**facts, "userId": user.id, "keys": count, "notes": notes}


async def _amount(request: Request) -> tuple[int, str | None]:
    fields = await read_fields(request)
    micro, reason = fields.energy("energy"), fields.text("reason")
    fields.end()
    if micro is None:
        raise wrong("energy: is missing.", "energy")
    return micro, reason
