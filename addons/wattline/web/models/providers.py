"""`GET /api/v1/providers`: every provider and whether it can be used (E-047)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from wattline.service.catalog.catalog import Catalog
from wattline.service.catalog.entry import ProviderEntry
from wattline.web.asking import Caller, once, page
from wattline.web.lazy_route import LazyRoute


class ProviderPages:
    """Providers that can't be used are listed too, with the reason."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def router(self) -> APIRouter:
        """Its routes."""
        router = APIRouter(route_class=LazyRoute, dependencies=[Depends(once)])
        router.add_api_route("/api/v1/providers", self.all, methods=["GET"])
        return router

    async def all(self, caller: Caller) -> Response:
        """Providers, and whether they can be used."""
        found = await self._catalog.providers(caller)
        return page({"providers": [_told(entry) for entry in found]})


def _told(entry: ProviderEntry) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": entry.id,
        "name": entry.name,
        "status": entry.status,
        "models": list(entry.models),
        "capabilities": list(entry.capabilities),
    }
    return told if entry.reason is None else told | {"reason": entry.reason}
