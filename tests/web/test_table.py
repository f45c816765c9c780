"""Each page of the app is let through by the gate, in a style that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from kit.sidecars import running
from wattline.dialects.spoken import spoken_dialects
from wattline.service.entrance.local_paths import _EXACT, local_path
from wattline.web.app import routers


@pytest.fixture
async def routes(tmp_path) -> list[APIRoute]:
    """Of the app as a sidecar has it."""
    async with running(tmp_path, 1) as sidecar:
        made = sidecar.sidecar.web._sockets._app._make
        (parts,) = (cell.cell_contents for cell in made.__closure__ or ())
        return [route for router in routers(parts) for route in flat(router.routes)]


def flat(routes) -> Iterator[APIRoute]:
    """Those of routers within routers too."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        else:
            yield from flat(route.original_router.routes)


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
