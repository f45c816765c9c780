"""`POST …/models/refresh-provider-counts`: ask every provider for its models anew (B-040)."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from wattline.web.admin.answers import errors, stamped
from wattline.web.admin.fields import body_of, read_fields
from wattline.web.admin.parts import AdminParts
from wattline.web.asking import once, page
from wattline.web.lazy_route import LazyRoute
from wattline.web.operator import MASTER, Operators
from wattline.web.parts import Control

PATH: Final = "/models/refresh-provider-counts"


class RefreshPages:
    """Under both of its paths."""

    def __init__(self, control: Control, parts: AdminParts, operators: Operators) -> None:
        self._control, self._parts, self._operators = control, parts, operators

    def router(self, *bases: str) -> APIRouter:
        """Its routes."""
        admins = [Depends(self._operators.admin), Depends(once)]
        router = APIRouter(route_class=LazyRoute, dependencies=admins, tags=["models"])
        for base in bases:
            router.add_api_route(
                base + PATH,
                self.refresh,
                methods=["POST"],
                summary="Ask every provider for its models anew",
                responses=errors(400, 413, 415),
                openapi_extra=body_of({}, optional=True),
            )
        return router

    async def refresh(self, request: Request) -> Response:
        """Waits until all have answered, or failed to."""
        (await read_fields(request, empty=True)).end()
        await self._parts.catalog.refresh()
        found = await self._parts.catalog.models(MASTER)
        counts = {entry.id: len(entry.providers) for entry in found}
        told = {"message": "The lists of models were asked for anew.", "providerCounts": counts}
        return page(stamped(self._control.clock, told))
