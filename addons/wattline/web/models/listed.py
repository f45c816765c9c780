"""The two pages that each API has of its models: the list, and one of them by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from fastapi import APIRouter, Depends
from starlette.responses import Response

from wattline.service.catalog.catalog import Catalog
from wattline.service.catalog.entry import Entry
from wattline.web.asking import once, unknown_model
from wattline.web.lazy_route import LazyRoute
from wattline.wire.call import Principal

type Page = Callable[..., Awaitable[Response]]


def model_routes(
    prefixes: Iterable[str], every: Page, one: Page, aliases: Iterable[str] = ()
) -> APIRouter:
    """The list of models below each prefix and at each alias; one model below each prefix."""
    router = APIRouter(route_class=LazyRoute, dependencies=[Depends(once)])
    lists = [f"{prefix}/models" for prefix in prefixes]
    for path in (*lists, *aliases):
        router.add_api_route(path, every, methods=["GET"])
    for path in lists:
        router.add_api_route(f"{path}/{{name:path}}", one, methods=["GET"])
    return router


async def known_model(catalog: Catalog, principal: Principal, name: str) -> Entry:
    """The model of that name. Raises ClientFault 404."""
    entry = await catalog.model(principal, name)
    if entry is None:
        raise unknown_model(name)
    return entry
