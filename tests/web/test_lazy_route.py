"""A route that is analysed late is a route like any other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import Match

from wattline.web.lazy_route import LazyRoute


async def needed() -> None:
    """Something that pages depend on."""


async def item(name: str, many: Annotated[int, Query(ge=1)] = 1) -> Response:
    """One item."""
    return Response(f"{name} {many}")


def app_of(kind: type[APIRoute]) -> FastAPI:
    router = APIRouter(prefix="/items", route_class=kind, dependencies=[Depends(needed)])
    router.add_api_route("/{name:path}", item, methods=["GET"], summary="An item", tags=["items"])
    router.add_api_route("/{name}", item, methods=["post"], status_code=201)
    app = FastAPI()
    app.router.routes.extend(router.routes)
    return app


def late_routes(app: FastAPI) -> list[LazyRoute]:
    return [route for route in app.routes if isinstance(route, LazyRoute)]


def made(route: LazyRoute) -> bool:
    return "dependant" in vars(route)


async def ask(app: FastAPI, method: str, path: str, query: bytes = b"") -> tuple[int, bytes]:
    """Status and body."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "http_version": "1.1", "method": method, "path": path, "headers": []}
    await app(scope | {"query_string": query}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize("kind", [APIRoute, LazyRoute])
async def test_it_answers_as_a_plain_one_does(kind):
    app = app_of(kind)
    assert await ask(app, "GET", "/items/a/b") == (200, b"a/b 1")
    assert await ask(app, "GET", "/items/a/b", b"many=3") == (200, b"a/b 3")
    status, body = await ask(app, "GET", "/items/a", b"many=0")
    assert (status, b"greater_than_equal" in body) == (422, True)
    assert (await ask(app, "DELETE", "/items/a"))[0] == 405
    assert (await ask(app, "GET", "/other"))[0] == 404


async def test_only_the_page_that_is_asked_for_is_analysed():
    app = app_of(LazyRoute)
    first, second = late_routes(app)
    assert (await ask(app, "GET", "/nothing"))[0] == 404
    assert (await ask(app, "PATCH", "/items/a"))[0] == 405
    assert [made(first), made(second)] == [False, False]
    assert (await ask(app, "POST", "/items/a"))[0] == 200
    assert [made(first), made(second)] == [False, True]


def test_a_document_is_the_same():
    assert app_of(LazyRoute).openapi() == app_of(APIRoute).openapi()


def test_what_it_is_matched_by_is_the_same_before_and_after():
    late, plain = late_routes(app_of(LazyRoute)), app_of(APIRoute).routes[-2:]
    scope = {"type": "http", "method": "POST", "path": "/items/a"}
    for one, other in zip(late, plain, strict=True):
        for _ in range(2):
            assert (one.path, one.methods, one.path_format) == (
                other.path, other.methods, other.path_format,
            )  # fmt: skip
            assert one.matches(dict(scope))[0] is other.matches(dict(scope))[0] is not Match.NONE
            assert one.dependant.call is item


def test_what_no_route_has():
    route, _ = late_routes(app_of(LazyRoute))
    for _ in range(2):
        with pytest.raises(AttributeError, match="no 'nothing'"):
            _ = route.nothing


def test_two_threads_analyse_it_once(monkeypatch):
    """The document is made in a thread while pages are asked for."""
    count, start = [], Barrier(8)
    plain = APIRoute.__init__

    def counted(self, *args, **options):
        count.append(self)
        plain(self, *args, **options)

    monkeypatch.setattr(APIRoute, "__init__", counted)
    route, _ = late_routes(app_of(LazyRoute))

    def asked(_):
        start.wait(10)
        return route.app, route.dependant

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(asked, range(8)))
    assert len(count) == 1
    assert {id(app) for app, _ in found} == {id(route.app)}
    assert {id(dependant) for _, dependant in found} == {id(route.dependant)}
