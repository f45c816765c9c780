"""What pages ask of a request: who sent it, and parameters that say one thing."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request
from starlette.responses import Response

from wattline.base.errors import ClientFault, Kind
from wattline.dialects.json_text import dumps
from wattline.service.entrance.visitor import Visitor
from wattline.web.door import VISITOR
from wattline.wire.call import Principal


def visitor(request: Request) -> Visitor:
    """Who the gate let in."""
    found: Visitor = request.scope[VISITOR]
    return found


def caller(request: Request) -> Principal:
    """Who calls. Raises ClientFault 401 when no credential was known."""
    principal = visitor(request).principal
    if principal is None:
        raise ClientFault(
            "This page needs a key of this sidecar in Authorization: Bearer, or a token of a login where it has "
            "those, and the request has none that is valid. A token ends after a while: log in again.",
            status=401,
            code="invalid_api_key",
            kind=Kind.AUTHENTICATION,
        )
    return principal


async def once(request: Request) -> None:
    """Each parameter of the query at most once. Raises ClientFault."""
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name in seen:
            twice = name[:100]
            raise ClientFault(
                f"{twice}: given more than once.", code="invalid_parameter", param=twice
            )
        seen.add(name)


def page(value: Any, status: int = 200) -> Response:
    """JSON."""
    return Response(dumps(value), status, media_type="application/json")


def unknown_model(name: str) -> ClientFault:
    """404 for a model."""
    return ClientFault(
        f"There is no model {name[:200]!r} here that can be used now.",
        status=404,
        code="model_not_found",
        kind=Kind.NOT_FOUND,
        param="model",
    )


Caller = Annotated[Principal, Depends(caller)]
WORDS: Final = r"^[\w .:/@+()-]+$"
Words = Annotated[str, Query(min_length=1, max_length=100, pattern=WORDS)]
"""Text to look for. It means itself: wildcards are refused."""
