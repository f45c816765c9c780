"""Each page of the app is let through by the gate, in a style that there is."""

from __future__ import annotations

import re

from fastapi.routing import APIRoute

from wattline.dialects.spoken import spoken_dialects
from wattline.service.catalog.catalog import Catalog
from wattline.service.entrance.local_paths import _EXACT, local_path
from wattline.service.entrance.styles import Styles
from wattline.web.app import routers
from wattline.web.parts import Parts


def routes() -> list[APIRoute]:
    dialects = spoken_dialects()
    parts = Parts(Styles(dialects), Catalog.__new__(Catalog))
    return [route for router in routers(parts) for route in router.routes]


def test_the_gate_lets_every_page_through():
    for route in routes():
        path = re.sub(r"\{[^}]*\}", "some/model", route.path)
        found = local_path(path)
        assert found is not None, path
        assert route.methods <= found[1].methods, path


def test_every_style_is_a_dialects():
    dialects = spoken_dialects()
    for path, route in _EXACT.items():
        assert route.style in dialects, path


def test_every_exact_path_has_its_page():
    assert set(_EXACT) <= {route.path for route in routes()}
