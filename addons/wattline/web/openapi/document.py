"""The OpenAPI document, put together from its parts."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

from wattline import __version__
from wattline.web.openapi import answers, errors, shapes
from wattline.web.openapi.calls import operations
from wattline.web.openapi.pages import health, pages
from wattline.web.openapi.security import SCHEMES
from wattline.web.openapi.sockets import sockets

type Json = dict[str, Any]

_ABOUT: Final = (
    "A sidecar between applications and their LLM providers. Calls are answered in the dialect of their "
    "path; so are errors. Which models there are says each dialect's list of models."
)


def document(app: FastAPI) -> Json:
    """OpenAPI 3.1, for a sidecar with this app. Takes some tenths of a second."""
    paths, schemas = pages(app)
    for path, found in health().items():
        paths.setdefault(path, {}).update(found)
    for path, method, operation in operations():
        paths.setdefault(path, {})[method] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "wattline", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**shapes.SCHEMAS, **answers.SCHEMAS, **errors.schemas(), **schemas},
            "responses": errors.responses(),
            "securitySchemes": dict(SCHEMES),
        },
        "x-websockets": sockets(),
    }
