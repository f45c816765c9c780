"""Models as Anthropic's clients ask for them: https://platform.claude.com/docs/en/api/models-list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from wattline.base.errors import ClientFault
from wattline.service.catalog.catalog import Catalog
from wattline.service.catalog.entry import Entry
from wattline.web.asking import Caller, page
from wattline.web.models.listed import known_model, model_routes
from wattline.wire.call import Principal

PREFIXES = ("/v3", "/v3/v1")
DEFAULT, MOST = 20, 1000


class AnthropicModels:
    """A page of the list at a time, by the ids around it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def router(self) -> APIRouter:
        """Its routes. On /v1 they are OpenAI's, which hand on to `told` and `one`."""
        return model_routes(PREFIXES, self.all, self.one)

    async def all(self, request: Request, principal: Caller) -> Response:
        """Models that can be called now."""
        return await self.told(request, principal)

    async def one(self, principal: Caller, name: str) -> Response:
        """One model by its name. Raises ClientFault 404."""
        return page(_model(await known_model(self._catalog, principal, name)))

    async def told(self, request: Request, principal: Principal) -> Response:
        """The page that the query asks for. Raises ClientFault."""
        asked = request.query_params
        limit = _limit(asked.get("limit"))
        found = await self._catalog.models(principal)
        ids = [entry.id for entry in found]
        begin, end = 0, len(found)
        if (after := asked.get("after_id")) is not None:
            begin = _place(ids, after, "after_id") + 1
        if (before := asked.get("before_id")) is not None:
            end = _place(ids, before, "before_id")
            begin = max(begin, end - limit)
        shown = found[begin:end][:limit]
        more = begin > 0 if before is not None else begin + len(shown) < end
        return page(
            {
                "data": [_model(entry) for entry in shown],
                "has_more": more,
                "first_id": shown[0].id if shown else None,
                "last_id": shown[-1].id if shown else None,
            }
        )


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise ClientFault(
            f"limit: must be a number from 1 to {MOST}.", code="invalid_parameter", param="limit"
        )
    return int(text)


def _place(ids: list[str], name: str, field: str) -> int:
    try:
        return ids.index(name)
    except ValueError:
        raise ClientFault(
            f"{field}: is no model of this list.", code="invalid_parameter", param=field
        ) from None


def _model(entry: Entry) -> dict[str, Any]:
    created = datetime.fromtimestamp(entry.created or 0, UTC)
    told = {
        "type": "model",
        "id": entry.id,
        "display_name": entry.name,
        "created_at": created.isoformat().replace("+00:00", "Z"),
    }
    limits = {"max_input_tokens": entry.context, "max_tokens": entry.max_output}
    return told | {name: value for name, value in limits.items() if value is not None}
