"""`GET /metrics` (E-051)."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends
from prometheus_client import CollectorRegistry, generate_latest
from starlette.responses import Response

from wattline.web.asking import Caller, once
from wattline.web.lazy_route import LazyRoute
from wattline.web.metrics.families import Families
from wattline.web.metrics.gauges import MetricsParts

PATH: Final = "/metrics"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_TOLD: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Samples in Prometheus's text format.",
        "content": {CONTENT_TYPE: {"schema": {"type": "string"}}},
    }
}


class MetricsPage:
    """Numbers of the whole sidecar, of no caller: whoever may call may read them."""

    def __init__(self, parts: MetricsParts) -> None:
        self._parts = parts

    def router(self) -> APIRouter:
        """Its route."""
        router = APIRouter(route_class=LazyRoute, dependencies=[Depends(once)], tags=["operation"])
        router.add_api_route(
            PATH,
            self.all,
            methods=["GET"],
            summary="Metrics for Prometheus",
            responses=_TOLD,
            response_class=Response,
        )
        return router

    async def all(self, _: Caller) -> Response:
        """Calls, tokens, energy, errors, attempts, the ledger and the process, since its start."""
        # A registry for each scrape: prometheus_client's own is the process's, and others may fill it.
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Families(self._parts.counts, self._parts.gauges()))
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE})
