"""The pages that Ollama's clients open before they chat: https://docs.ollama.com/api."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from wattline.base.errors import ClientFault
from wattline.base.strict_json import read_object
from wattline.dialects.ollama import pages
from wattline.service.catalog.catalog import Catalog
from wattline.service.catalog.entry import Entry
from wattline.web.asking import Caller, once, unknown_model
from wattline.web.lazy_route import LazyRoute
from wattline.wire.call import Principal

PREFIXES = ("", "/v5")
_WORDS = (("function-calling", "tools"), ("vision", "vision"), ("reasoning", "thinking"))
_LATEST = ":latest"
_DEPTH = 16
_ASKED: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "object", "properties": {"model": {"type": "string"}}}
                }
            },
        }
    }
)
"""What an OpenAPI document says of the body."""


class OllamaModels:
    """`/api/tags`, `/api/show`, `/api/ps`, `/api/version`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def router(self) -> APIRouter:
        """Its routes."""
        router = APIRouter(route_class=LazyRoute, dependencies=[Depends(once)])
        for prefix in PREFIXES:
            router.add_api_route(f"{prefix}/api/tags", self.tags, methods=["GET"])
            router.add_api_route(
                f"{prefix}/api/show", self.show, methods=["POST"], openapi_extra=dict(_ASKED)
            )
            router.add_api_route(f"{prefix}/api/ps", self.ps, methods=["GET"])
            router.add_api_route(f"{prefix}/api/version", self.version, methods=["GET"])
        return router

    async def tags(self, principal: Caller) -> Response:
        """All models."""
        found = await self._catalog.models(principal)
        return _page(pages.tags(_listed(entry) for entry in found))

    async def show(self, request: Request, principal: Caller) -> Response:
        """One model. Raises ClientFault 400, 404."""
        asked = read_object(await request.body(), max_depth=_DEPTH)
        name = asked.get("model", asked.get("name"))
        if not isinstance(name, str) or not name:
            raise ClientFault("model: must be a model's name.", param="model")
        entry = await self._find(principal, name)
        if entry is None:
            raise unknown_model(name)
        return _page(pages.show(_listed(entry)))

    async def ps(self, _: Caller) -> Response:
        """What is loaded: nothing."""
        return _page(pages.ps())

    async def version(self) -> Response:
        """The API's version; needs no key, as clients ask for it to see whether we are there."""
        return _page(pages.version())

    async def _find(self, principal: Principal, name: str) -> Entry | None:
        entry = await self._catalog.model(principal, name)
        if entry is None and name.endswith(_LATEST):
            entry = await self._catalog.model(principal, name.removesuffix(_LATEST))
        return entry


def _listed(entry: Entry) -> pages.ListedModel:
    if entry.operation == "embeddings" or "embeddings" in entry.capabilities:
        words: tuple[str, ...] = ("embedding",)
    else:
        told = (word for known, word in _WORDS if known in entry.capabilities)
        words = ("completion", *told)
    return pages.ListedModel(entry.id, entry.created, entry.context, words)


def _page(body: bytes) -> Response:
    return Response(body, media_type="application/json")
