"""Which paths lead to the web face."""

from __future__ import annotations

import pytest

from wattline.dialects.table import find, normalise
from wattline.service.entrance.local_paths import _EXACT, local_path


@pytest.mark.parametrize(
    ("target", "path", "style"),
    [
        ("/v1/models", "/v1/models", "openai"),
        ("/v1/models?x=1", "/v1/models", "openai"),
        ("/v1/models/a/b:free", "/v1/models/a/b:free", "openai"),
        ("/v1/models/a%2Fb", "/v1/models/a/b", "openai"),
        ("/v1/models/%40cf/x", "/v1/models/@cf/x", "openai"),
        ("/v1/models/", "/v1/models/", "openai"),
        ("/v3/v1/models/x", "/v3/v1/models/x", "anthropic"),
        ("/v1beta/models/x", "/v1beta/models/x", "gemini"),
        ("/v5/api/tags", "/v5/api/tags", "ollama"),
        ("/api/v1/models/top", "/api/v1/models/top", "inference"),
        ("/api/v1/providers", "/api/v1/providers", "gateway"),
        ("/api/v1/anything/at/all", "/api/v1/anything/at/all", "gateway"),
    ],
)
def test_pages(target, path, style):
    found = local_path(target)
    assert found is not None
    assert (found[0], found[1].style) == (path, style)


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "",
        "*",
        "/v1/modelsx",
        "/v1/Models",
        "/v1",
        "/api/v1",
        "/api/tagsx",
        "/api/tags/x",
        "/v1/models/../secret",
        "/v1/models/%2e%2e/x",
        "/v1/models/..%2Fx",
        "/v1/models/a//b",
        "/v1/models/a%2F%2Fb",
        "/v1/models/a%252Fb",
        "/v1/models/a\\b",
        "/v1/models/a;b",
        "//v1/models",
        "/v1/models/\x00",
        "/v1/models/é",
        "/x" * 5000,
        "http://wattline.local/v1/models",
    ],
)
def test_no_pages(target):
    assert local_path(target) is None


def test_no_page_hides_a_call():
    """Pages are asked for after calls; none of them is both."""
    for path, route in _EXACT.items():
        assert normalise(path) == path
        for method in route.methods:
            assert find(method, "", path, forward=False) is None
