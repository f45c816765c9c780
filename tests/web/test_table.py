"""Each page of the app is let through by the gate, in a style that there is."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import APIRoute
from starlette.routing import WebSocketRoute

from kit.sidecars import running
from wattline.dialects.spoken import spoken_dialects
from wattline.service.entrance.local_paths import _EXACT, local_path
from wattline.web.lazy_route import LazyRoute


@pytest.fixture
async def routes(tmp_path) -> list[APIRoute]:
    """Of the app as a sidecar has it."""
    async with running(tmp_path, 1) as sidecar:
        app = sidecar.sidecar.web._sockets._app._make()
        return [route for route in app.routes if not isinstance(route, WebSocketRoute)]


async def test_no_page_is_analysed_before_it_is_asked_for(routes):
    assert len(routes) > 100
    for route in routes:
        assert isinstance(route, LazyRoute), route
        assert "dependant" not in vars(route), route.path


async def test_the_gate_lets_every_page_through(routes):
    for route in routes:
        path = re.sub(r"\{[^}]*\}", "some/model", route.path)
        found = local_path(path)
        assert found is not None, path
        assert route.methods <= found[1].methods, path


def test_every_style_is_a_dialects():
    dialects = spoken_dialects()
    for path, route in _EXACT.items():
        assert route.style in dialects, path


async def test_every_exact_path_has_its_page(routes):
    assert set(_EXACT) - {route.path for route in routes} == set()
