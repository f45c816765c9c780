"""`/api/v1/keys`: users' own keys for providers (E-049, E-050, E-085, E-087)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault
from wattline.rules.book import Book
from wattline.rules.compiled.provider import Provider
from wattline.rules.names import MAX_NAMES
from wattline.service.accounts.key_check import Check
from wattline.service.accounts.key_facts import moment
from wattline.service.accounts.own_keys import MOST, OwnKeys
from wattline.store.provider_keys import ProviderKey
from wattline.web.asking import Caller, once, page
from wattline.web.gateway.body import Fields
from wattline.web.gateway.described import asked, shape, text, told
from wattline.web.gateway.logins import no_account
from wattline.web.gateway.pace import Pace
from wattline.web.lazy_route import LazyRoute
from wattline.wire.call import Principal

MAX_NAME, MAX_PROVIDER = 100, 64
_ID = re.compile(r"pkey_[0-9a-f]{16}")
_KEY = shape(id="string", provider="string", name="string", maskedKey="string")
_FULL = shape(
    id="string",
    provider="string",
    name="string",
    maskedKey="string",
    created="string",
    active="boolean",
)


class ProviderKeyPages:
    """What is a user's is that user's alone: nobody else's is listed, told of, or removed."""

    def __init__(
        self, own_keys: OwnKeys, check: Check, book: Callable[[], Book], clock: Clock
    ) -> None:
        self._own_keys, self._check, self._book = own_keys, check, book
        self._pace = Pace("key checks", clock)

    def router(self) -> APIRouter:
        """Its routes."""
        router = APIRouter(
            route_class=LazyRoute,
            prefix="/api/v1/keys",
            dependencies=[Depends(once)],
            tags=["keys"],
        )
        key = {"provider": text(1, MAX_PROVIDER), "apiKey": text(1, MOST)}
        router.add_api_route(
            "",
            self.add,
            methods=["POST"],
            status_code=201,
            summary="Keep a key of your own for a provider",
            responses=told(201, _KEY, 400, 401, 403, 404, 409, 413, 415, 503),
            openapi_extra=asked(**key, name=text(0, MAX_NAME, needed=False)),
        )
        router.add_api_route(
            "",
            self.all,
            methods=["GET"],
            summary="Your keys for providers, masked",
            responses=told(200, shape(keys={"type": "array", "items": _FULL}), 400, 401, 403),
        )
        router.add_api_route(
            "/validate",
            self.validate,
            methods=["POST"],
            summary="Ask a provider whether it knows a key",
            responses=told(
                200,
                shape(valid="boolean", provider="string", details="object"),
                400, 401, 404, 409, 413, 415, 429, 502,
            ),
            openapi_extra=asked(**key),
        )  # fmt: skip
        router.add_api_route(
            "/{key}",
            self.remove,
            methods=["DELETE"],
            summary="Forget one of your keys",
            responses=told(200, shape(id="string", deleted="boolean"), 400, 401, 403, 404, 503),
        )
        return router

    async def add(self, request: Request, caller: Caller) -> Response:
        """Keep a key, sealed. Calls of this user to the provider take it from now on."""
        user = _user(caller)
        fields = await Fields.of(request)
        provider, secret = self._asked(fields)
        name = fields.line("name", MAX_NAME)
        key = await self._own_keys.add(user, provider, secret, name)
        return page(_told(key), 201)

    async def all(self, caller: Caller) -> Response:
        """The keys, oldest first."""
        keys = self._own_keys.of(_user(caller))
        return page({"keys": [self._full(key) for key in keys]})

    async def validate(self, request: Request, caller: Caller) -> Response:
        """What the provider says of a key, which is not kept."""
        self._pace.take(caller.id)
        provider, secret = self._asked(await Fields.of(request))
        found = await self._check(provider, self._own_keys.credential(provider, secret))
        details = {"hasAccess": found.access, "models": list(found.models)}
        return page({"valid": found.valid, "provider": provider.name, "details": details})

    async def remove(self, key: str, caller: Caller) -> Response:
        """Forget it."""
        await self._own_keys.remove(_user(caller), key if _ID.fullmatch(key) else "")
        return page({"id": key, "deleted": True})

    def _asked(self, fields: Fields) -> tuple[Provider, str]:
        """Raises ClientFault 400, 404."""
        name, secret = fields.text("provider", MAX_PROVIDER), fields.text("apiKey", MOST)
        provider = self._book().names.provider(name)
        if provider is None:
            raise self._unknown(name)
        return provider, secret

    def _unknown(self, name: str) -> ClientFault:
        names = sorted(n for n, found in self._book().providers.items() if not found.demo)
        fault = ClientFault(
            "There is no provider of this name here.",
            status=404,
            code="provider_not_found",
            param="provider",
        )
        fault.details = {"provider": name, "available_providers": names[:MAX_NAMES]}
        return fault

    def _full(self, key: ProviderKey) -> dict[str, Any]:
        """`active`: calls may take it. Not so when the provider is gone, or at another origin now."""
        provider = self._book().providers.get(key.provider)
        active = provider is not None and provider.origin == key.origin
        return {**_told(key), "created": moment(key.created), "active": active}


def _user(caller: Principal) -> str:
    """Raises ClientFault 403."""
    if caller.user is None:
        raise no_account()
    return caller.user


def _told(key: ProviderKey) -> dict[str, Any]:
    return {"id": key.id, "provider": key.provider, "name": key.name, "maskedKey": key.mask}
