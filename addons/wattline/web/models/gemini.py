"""Models as Gemini's clients ask for them: https://ai.google.dev/api/models."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from wattline.service.catalog.catalog import Catalog
from wattline.service.catalog.entry import Entry
from wattline.web.asking import Caller, page
from wattline.web.models.listed import known_model, model_routes

PREFIXES = ("/v1beta", "/v1alpha", "/v2", "/v2/v1", "/v2/v1beta", "/v2/v1alpha")

PageSize = Annotated[int, Query(alias="pageSize", ge=1, le=1000)]
PAGE_PATTERN: Final = r"^[0-9]{1,6}$"
PageToken = Annotated[str, Query(alias="pageToken", pattern=PAGE_PATTERN)]
"""Where the next page begins. It is ours: clients only hand it back."""


def from_google(request: Request) -> bool:
    """A client of Google's: its SDK asks for `/v1/models` too."""
    return any(name in request.headers for name in ("x-goog-api-key", "x-goog-api-client"))


class GeminiModels:
    """`GET /v1beta/models` and `GET /v1beta/models/{id}`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def router(self) -> APIRouter:
        """Its routes."""
        return model_routes(PREFIXES, self.all, self.one)

    async def all(self, principal: Caller, size: PageSize = 50, begin: PageToken = "0") -> Response:
        """A page of the models that can be called now."""
        found = await self._catalog.models(principal)
        end = int(begin) + size
        told: dict[str, Any] = {"models": [_model(entry) for entry in found[int(begin) : end]]}
        if end < len(found):
            told["nextPageToken"] = str(end)
        return page(told)

    async def told(self, request: Request, principal: Caller) -> Response:
        """As `all`, for a request whose query was not read yet. Bad numbers are as none."""
        query = request.query_params
        size, begin = query.get("pageSize", ""), query.get("pageToken", "")
        return await self.all(
            principal,
            min(int(size), 1000) if size.isdecimal() and int(size[:6]) > 0 else 50,
            begin if begin.isdecimal() and len(begin) <= 6 else "0",
        )

    async def one(self, principal: Caller, name: str) -> Response:
        """One model by its name. Raises ClientFault 404."""
        return page(_model(await known_model(self._catalog, principal, name)))


def _model(entry: Entry) -> dict[str, Any]:
    embeds = entry.operation == "embeddings" or "embeddings" in entry.capabilities
    methods = ["embedContent"] if embeds else ["generateContent", "countTokens"]
    told: dict[str, Any] = {
        "name": f"models/{entry.id}",
        "version": "001",
        "displayName": entry.name,
        "description": entry.description,
        "supportedGenerationMethods": methods,
    }
    if entry.context is not None:
        told["inputTokenLimit"] = entry.context
    if entry.max_output is not None:
        told["outputTokenLimit"] = entry.max_output
    return told
