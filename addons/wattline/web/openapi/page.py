"""`GET /openapi.json` and `GET /api/openapi.json` (B-042). Open to everybody: it holds no secret."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.responses import Response

from wattline.dialects.json_text import dumps
from wattline.web.asking import once
from wattline.web.lazy_route import LazyRoute
from wattline.web.openapi.document import document

PATHS: Final = ("/openapi.json", "/api/openapi.json")


class DocumentPage:
    """The document is made for the first who asks, in a thread, and kept."""

    def __init__(self) -> None:
        self._made: bytes | None = None
        self._making = asyncio.Lock()

    def router(self) -> APIRouter:
        """Its routes."""
        router = APIRouter(route_class=LazyRoute, dependencies=[Depends(once)], tags=["operation"])
        for path in PATHS:
            router.add_api_route(path, self.page, methods=["GET"], summary="This document")
        return router

    async def page(self, request: Request) -> Response:
        """The OpenAPI document of every endpoint."""
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(_made, request.app)
        return Response(self._made, media_type="application/json")


def _made(app: FastAPI) -> bytes:
    return dumps(document(app))
