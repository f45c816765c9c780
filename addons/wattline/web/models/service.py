"""`/api/v1/models`: search, pages, parameters and prices of models (D-043 to D-051)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from wattline.base.errors import ClientFault, Kind
from wattline.service.catalog.catalog import Catalog
from wattline.service.catalog.entry import Entry
from wattline.web.asking import Caller, Words, once, page
from wattline.web.lazy_route import LazyRoute
from wattline.web.models.listed import known_model
from wattline.wire.call import Principal

BASE = "/api/v1/models"
Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=100_000)]


class ServiceModels:
    """Literal paths come before the ids, the endings of ids before whole ones (decision 9)."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def router(self) -> APIRouter:
        """Its routes, in the order in which they are looked at."""
        router = APIRouter(route_class=LazyRoute, prefix=BASE, dependencies=[Depends(once)])
        router.add_api_route("", self.all, methods=["GET"])
        router.add_api_route("/top", self.top, methods=["GET"])
        router.add_api_route("/search", self.search, methods=["GET"])
        router.add_api_route("/providers", self.providers, methods=["GET"])
        router.add_api_route("/providers/{provider}", self.of_provider, methods=["GET"])
        router.add_api_route("/{name:path}/parameters", self.parameters, methods=["GET"])
        router.add_api_route("/{name:path}/pricing", self.pricing, methods=["GET"])
        router.add_api_route("/{name:path}", self.one, methods=["GET"])
        return router

    async def all(
        self,
        principal: Caller,
        provider: Words | None = None,
        search: Words | None = None,
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> Response:
        """A page of the models (D-043)."""
        found = await self._catalog.models(principal)
        if provider is not None:
            found = [entry for entry in found if _is_from(entry, provider)]
        if search is not None:
            found = _matching(found, search)
        end = offset + limit
        return page(
            {
                "data": [record(entry) for entry in found[offset:end]],
                "pagination": {
                    "total": len(found),
                    "limit": limit,
                    "offset": offset,
                    "hasMore": end < len(found),
                },
            }
        )

    async def top(self, principal: Caller, limit: Limit = 10) -> Response:
        """Those with the longest context first (D-048)."""
        found = await self._catalog.models(principal)
        ordered = sorted(found, key=lambda entry: -(entry.context or 0))
        return page({"data": [record(entry) for entry in ordered[:limit]]})

    async def search(self, principal: Caller, q: Words, limit: Limit = 20) -> Response:
        """Those whose id, name or description has the text (D-049)."""
        found = _matching(await self._catalog.models(principal), q)
        data = [record(entry) for entry in found[:limit]]
        return page({"data": data, "query": q, "total": len(found)})

    async def providers(self, principal: Caller) -> Response:
        """Names of providers that a model can be had from (D-050)."""
        return page({"data": await self._names(principal)})

    async def of_provider(self, principal: Caller, provider: str) -> Response:
        """The models of one provider (D-051). Raises ClientFault 404."""
        found = [e for e in await self._catalog.models(principal) if _is_from(e, provider)]
        if not found:
            raise ClientFault(
                f"There is no provider {provider[:100]!r} here that can be used now.",
                status=404,
                code="provider_not_found",
                kind=Kind.NOT_FOUND,
                param="provider",
            )
        return page({"data": [record(entry) for entry in found], "provider": provider})

    async def parameters(self, principal: Caller, name: str) -> Response:
        """What one model accepts (D-046)."""
        entry = await known_model(self._catalog, principal, name)
        told = {"model": entry.id, "supported_parameters": list(entry.parameters)}
        return page({"data": told})

    async def pricing(self, principal: Caller, name: str) -> Response:
        """What one model costs (D-047)."""
        entry = await known_model(self._catalog, principal, name)
        return page({"data": {"model": entry.id, "pricing": _pricing(entry)}})

    async def one(self, principal: Caller, name: str) -> Response:
        """One model (D-045)."""
        return page({"data": record(await known_model(self._catalog, principal, name))})

    async def _names(self, principal: Principal) -> list[str]:
        found = await self._catalog.models(principal)
        return sorted({name for entry in found for name in _owners(entry)})


def record(entry: Entry) -> dict[str, Any]:
    """D-044, and beside it who answers and what a call costs in energy."""
    rate = entry.rate
    return {
        "id": entry.id,
        "name": entry.name,
        "description": entry.description,
        "context_length": entry.context,
        "pricing": _pricing(entry),
        "supported_parameters": list(entry.parameters),
        "is_moderated": entry.moderated,
        "max_completion_tokens": entry.max_output,
        "provider": entry.provider,
        "tier": entry.tier,
        "tokens_per_energy": None if rate is None else float(rate),
        "available": entry.ready,
    }


def _pricing(entry: Entry) -> dict[str, str | None]:
    """US dollars for one token; null where no price is known, which is not the same as free."""
    return {"prompt": entry.prompt_price, "completion": entry.completion_price}


def _is_from(entry: Entry, provider: str) -> bool:
    return provider.lower() in {owner.lower() for owner in _owners(entry)}


def _owners(entry: Entry) -> Iterator[str]:
    """Who answers, and whose model it is by its name (`openai/gpt-4o`)."""
    yield entry.provider
    yield from entry.providers
    maker, slash, _ = entry.id.partition("/")
    if slash:
        yield maker


def _matching(found: Iterable[Entry], text: str) -> list[Entry]:
    wanted = text.strip().casefold()
    return [
        entry
        for entry in found
        if any(wanted in part.casefold() for part in (entry.id, entry.name, entry.description))
    ]
