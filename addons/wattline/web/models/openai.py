"""Models as OpenAI's clients ask for them; OpenWebUI and others read the further members.

Shape: https://platform.openai.com/docs/api-reference/models.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from wattline.service.catalog.catalog import Catalog
from wattline.service.catalog.entry import Entry
from wattline.web.asking import Caller, page
from wattline.web.models.anthropic import AnthropicModels
from wattline.web.models.gemini import GeminiModels, from_google
from wattline.web.models.listed import known_model, model_routes
from wattline.web.style import ANTHROPIC_VERSION

PREFIXES = ("/v1", "/openai/v1", "/v4", "/v4/openai/v1", "/v6", "/v6/v1", "/v6/api/v1")
ALIASES = ("/v1/chat/completions/models", "/v1/chat/completion/models")


class OpenAIModels:
    """`GET /v1/models` and `GET /v1/models/{id}` (B-039). Anthropic's and Google's SDKs ask on the same paths."""

    def __init__(self, catalog: Catalog, anthropic: AnthropicModels, gemini: GeminiModels) -> None:
        self._catalog = catalog
        self.anthropic = anthropic
        self.gemini = gemini

    def router(self) -> APIRouter:
        """Its routes."""
        return model_routes(PREFIXES, self.all, self.one, ALIASES)

    async def all(self, request: Request, principal: Caller) -> Response:
        """Models that can be called now."""
        if ANTHROPIC_VERSION in request.headers:
            return await self.anthropic.told(request, principal)
        if from_google(request):
            return await self.gemini.told(request, principal)
        found = await self._catalog.models(principal)
        return page({"object": "list", "data": [_model(entry) for entry in found]})

    async def one(self, request: Request, principal: Caller, name: str) -> Response:
        """One model by its name. Raises ClientFault 404."""
        if ANTHROPIC_VERSION in request.headers:
            return await self.anthropic.one(principal, name)
        if from_google(request):
            return await self.gemini.one(principal, name)
        return page(_model(await known_model(self._catalog, principal, name)))


def _model(entry: Entry) -> dict[str, Any]:
    told = {
        "id": entry.id,
        "object": "model",
        "created": entry.created or 0,
        "owned_by": entry.provider,
        "name": entry.name,
        "provider_count": len(entry.providers),
        "capabilities": list(entry.capabilities),
    }
    if entry.context is not None:
        told["context_length"] = entry.context
    if entry.max_output is not None:
        told["max_completion_tokens"] = entry.max_output
    return told
