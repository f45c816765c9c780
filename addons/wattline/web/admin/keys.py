"""Callers' keys: list, make, change, rotate, end (B-032, B-041)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from wattline.base.errors import ClientFault
from wattline.service.accounts.accounts import AS_CONFIGURED
from wattline.service.accounts.key_facts import key_facts
from wattline.store.people import Key
from wattline.web.admin.answers import Limit, Name, Offset, errors, paged, stamped
from wattline.web.admin.fields import ENERGY, MOMENT, TEXT, Fields, body_of, read_fields, wrong
from wattline.web.admin.parts import AdminParts
from wattline.web.admin.usage_facts import usage_facts
from wattline.web.asking import once, page
from wattline.web.lazy_route import LazyRoute
from wattline.web.operator import Operators
from wattline.web.parts import Control
from wattline.wire.call import Role

GENERATE: Final = "/v1/generate_key"
_BOUNDS: Final[dict[str, Any]] = {
    "tier": {"type": ["string", "null"], "description": "One of `tiers` in rules.yaml."},
    "expires": dict(MOMENT),
    "models": {
        "type": ["array", "null"],
        "items": {"type": "string", "minLength": 1},
        "description": "Names or patterns of the models that it may call; null for all.",
    },
    "budgets": {
        "type": ["object", "null"],
        "properties": {name: dict(ENERGY) for name in ("hour", "day", "month")},
        "additionalProperties": False,
        "description": "The most energy in any hour, day and 30 days.",
    },
    "label": dict(TEXT),
}
_ROLE: Final = {"type": "string", "enum": ["user", "admin"]}
_MAKE: Final = body_of(
    {
        "userId": {"type": "string", "maxLength": 64, "description": "Made if there is none."},
        "role": _ROLE,
        "energy": {**ENERGY, "description": "What a new user begins with."},
        **_BOUNDS,
    },
    ("userId",),
)


class KeyPages:
    """Below `base`; `generate` is beside it."""

    def __init__(self, control: Control, parts: AdminParts, operators: Operators) -> None:
        self._control, self._parts, self._operators = control, parts, operators
        self._accounts = control.accounts

    def generator(self) -> APIRouter:
        """`POST /v1/generate_key`."""
        router = APIRouter(route_class=LazyRoute, dependencies=self._admins(), tags=["keys"])
        router.add_api_route(
            GENERATE,
            self.generate,
            methods=["POST"],
            summary="Make a key; it is shown this once",
            responses=errors(400, 409, 413, 415, 503),
            openapi_extra=_MAKE,
        )
        return router

    def router(self, base: str, *, told: bool) -> APIRouter:
        """Its routes; `told`: in the OpenAPI document."""
        router = APIRouter(
            route_class=LazyRoute,
            prefix=base,
            dependencies=self._admins(),
            tags=["keys"],
            include_in_schema=told,
        )
        add, all_errors = router.add_api_route, errors(400, 404, 409, 413, 415, 503)
        add("/api-keys", self.all, methods=["GET"], summary="Keys", responses=errors(400))
        add("/api-keys", self.make, methods=["POST"], status_code=201,
            summary="Make a key; it is shown this once", responses=all_errors, openapi_extra=_MAKE)  # fmt: skip
        add("/users/generate-key", self.generate, methods=["POST"],
            summary="As /v1/generate_key", responses=all_errors, openapi_extra=_MAKE)  # fmt: skip
        add("/api-keys/{key}", self.one, methods=["GET"], summary="One key and what it used",
            responses=all_errors)  # fmt: skip
        add("/api-keys/{key}", self.change, methods=["PATCH"], summary="Change a key's bounds",
            responses=all_errors, openapi_extra=body_of({"role": _ROLE, **_BOUNDS}))  # fmt: skip
        add("/api-keys/{key}", self.delete, methods=["DELETE"], summary="Forget a key",
            responses=all_errors)  # fmt: skip
        for word, work, said in (("disable", self.disable, "Refuse a key from the next call on"),
                                 ("enable", self.enable, "Let a disabled key in again"),
                                 ("rotate", self.rotate, "Give a key a new secret")):  # fmt: skip
            add(f"/api-keys/{{key}}/{word}", work, methods=["POST"], summary=said,
                responses=all_errors, openapi_extra=body_of({}, optional=True))  # fmt: skip
        return router

    async def all(
        self,
        userId: Name | None = None,  # noqa: N803  (the parameter's name)
        tier: Name | None = None,
        role: Role | None = None,
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> Response:
        """Keys, the oldest first. The keys themselves are not kept: only their ends are shown."""
        found = [
            key
            for key in self._accounts.store.all_keys()
            if userId in (None, key.user) and tier in (None, key.tier) and role in (None, key.role)
        ]
        chosen, counted = paged(found, limit, offset)
        told = {"entries": [self._facts(key) for key in chosen], **counted}
        return page(stamped(self._control.clock, told))

    async def one(self, key: str) -> Response:
        """A key with what it used in the last 30 days. Raises ClientFault 404."""
        found = self._accounts.key(key)
        used = usage_facts(await self._parts.statistics.used_by_key(key))
        return page(stamped(self._control.clock, {"key": {**self._facts(found), "usage": used}}))

    async def make(self, request: Request) -> Response:
        """Raises Fault."""
        return page(await self._made(request), 201)

    async def generate(self, request: Request) -> Response:
        """As B's clients make keys: `{userId, tier, role}`. Raises Fault."""
        return page(await self._made(request))

    async def change(self, request: Request, key: str) -> Response:
        """What is not given stays; null takes a bound away. Raises Fault."""
        fields = await read_fields(request)
        changes = _bounds(fields)
        if fields.has("role"):
            changes["role"] = fields.other_role()
        fields.end()
        self._accounts.key(key)
        if not changes:
            raise ClientFault("The body names nothing to change.", code="invalid_value")
        return self._told(await self._accounts.change_key(key, **changes))

    async def delete(self, key: str) -> Response:
        """What it used stays in the ledger. Raises Fault."""
        gone = self._facts(self._accounts.key(key))
        await self._accounts.delete_key(key)
        return page(stamped(self._control.clock, {"deleted": True, "key": gone}))

    async def disable(self, request: Request, key: str) -> Response:
        """Raises Fault."""
        (await read_fields(request, empty=True)).end()
        return self._told(await self._accounts.disable_key(key))

    async def enable(self, request: Request, key: str) -> Response:
        """Raises Fault."""
        (await read_fields(request, empty=True)).end()
        return self._told(await self._accounts.enable_key(key))

    async def rotate(self, request: Request, key: str) -> Response:
        """The old secret is refused from the next call on. Raises Fault."""
        (await read_fields(request, empty=True)).end()
        issued = await self._accounts.rotate_key(key)
        told = {"apiKey": issued.secret, "key": self._facts(issued.key)}
        return page(stamped(self._control.clock, told))

    async def _made(self, request: Request) -> dict[str, Any]:
        fields = await read_fields(request)
        sent = "user" if fields.given("user") else "userId"
        user, role, start = fields.either("userId", "user"), fields.role(), fields.energy("energy")
        bounds = {name: value for name, value in _bounds(fields).items() if value is not None}
        fields.end()
        if not user:
            raise wrong("userId: is missing.", "userId")
        self._accounts.check_expiry(bounds.get("expires"))
        if self._accounts.store.user(user) is None:
            begin = AS_CONFIGURED if start is None else start
            try:
                issued = await self._accounts.create_user_with_key(
                    user, role=role, start=begin, **bounds
                )
            except ClientFault as fault:
                fault.about("user", sent)
                raise
        elif start is None:
            issued = await self._accounts.create_key(user, role=role, **bounds)
        else:
            raise ClientFault(
                "energy: the user exists; use /api/admin/users/{user}/credit.",
                status=409,
                code="user_exists",
                param="energy",
            )
        told = {
            "message": f"A key of {user} was made. It is shown this once.",
            "userId": user,
            "apiKey": issued.secret,
            "key": self._facts(issued.key),
        }
        return stamped(self._control.clock, told)

    def _told(self, key: Key) -> Response:
        return page(stamped(self._control.clock, {"key": self._facts(key)}))

    def _facts(self, key: Key) -> dict[str, Any]:
        facts = key_facts(self._accounts, key)
        return {**facts, "userId": key.user, "notes": self._accounts.notes(key)}

    def _admins(self) -> list[Any]:
        return [Depends(self._operators.admin), Depends(once)]


def _bounds(fields: Fields) -> dict[str, Any]:
    """Those that are given, null included."""
    readers: dict[str, Callable[[], Any]] = {
        "tier": lambda: fields.text("tier"),
        "expires": lambda: fields.moment("expires"),
        "models": fields.models,
        "budgets": fields.budgets,
        "label": lambda: fields.text("label") or "",
    }
    return {name: read() for name, read in readers.items() if fields.has(name)}
