"""`GET /api/v1/health`: providers and stores (E-048). It needs a credential outside open mode (decision 14)."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Depends
from starlette.responses import Response

from wattline.service.catalog.catalog import Catalog
from wattline.web.asking import Caller, once, page
from wattline.web.gateway.described import shape, told
from wattline.web.lazy_route import LazyRoute

_SHAPE = shape(status="string", providers="object", database="string", redis="string")


class HealthPage:
    """`down` says why the ledger can't be written, `redis` how Redis is."""

    def __init__(
        self,
        catalog: Catalog,
        down: Callable[[], str | None],
        redis: Callable[[], str] = lambda: "not configured",
    ) -> None:
        self._catalog, self._down, self._redis = catalog, down, redis

    def router(self) -> APIRouter:
        """Its route."""
        router = APIRouter(route_class=LazyRoute, dependencies=[Depends(once)], tags=["health"])
        responses = told(200, _SHAPE, 400, 401) | told(
            503, _SHAPE, description="Calls are refused now"
        )
        router.add_api_route(
            "/api/v1/health",
            self.health,
            methods=["GET"],
            summary="How providers and stores are",
            responses=responses,
        )
        return router

    async def health(self, caller: Caller) -> Response:
        """`online` or `degraded` for each provider that is set up. Nothing is asked of them now."""
        states = self._catalog.states(caller)
        ready = {
            name: "online" if state == "active" else "degraded"
            for name, state in states.items()
            if state != "unavailable"
        }
        connected = self._down() is None
        status = "unhealthy"
        if connected and "online" in ready.values():
            status = "degraded" if "degraded" in ready.values() else "healthy"
        told = {
            "status": status,
            "providers": ready,
            "database": "connected" if connected else "disconnected",
            "redis": self._redis(),
        }
        return page(told, 200 if connected else 503)
