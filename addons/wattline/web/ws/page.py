"""What a client hears that asks for `/ws` without an upgrade."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from wattline.base.errors import ClientFault
from wattline.web.lazy_route import LazyRoute
from wattline.web.ws.request import PATH


class UpgradePage:
    """One page, which is none."""

    def router(self) -> APIRouter:
        """Its route."""
        router = APIRouter(route_class=LazyRoute)
        router.add_api_route(PATH, self.refuse, methods=["GET"])
        return router

    async def refuse(self) -> Response:
        """Raises ClientFault 426."""
        raise ClientFault(
            f"{PATH} is a WebSocket: ask for an upgrade, over HTTP/1.1.",
            status=426,
            code="upgrade_required",
        )
