"""The FastAPI app: its pages, and one shape of errors for each of its paths."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from wattline.base.errors import ClientFault, Fault, Kind, OurFault, wrong_method
from wattline.web.admin.pages import admin_routers
from wattline.web.assistant.router import assistant_routers
from wattline.web.compression import Compression
from wattline.web.door import VISITOR
from wattline.web.gateway.site import gateway_routers
from wattline.web.metrics.page import MetricsPage
from wattline.web.models.anthropic import AnthropicModels
from wattline.web.models.audio import AudioPages
from wattline.web.models.gemini import GeminiModels
from wattline.web.models.ollama import OllamaModels
from wattline.web.models.openai import OpenAIModels
from wattline.web.models.providers import ProviderPages
from wattline.web.models.service import ServiceModels
from wattline.web.openapi.page import DocumentPage
from wattline.web.parameters import unfit
from wattline.web.parts import Parts
from wattline.web.style import style_of
from wattline.web.ws.entrance import Entrance
from wattline.web.ws.page import UpgradePage
from wattline.web.ws.request import PATH


def make_app(parts: Parts) -> FastAPI:
    """All pages. A path that is none is answered 404 in the style of its neighbours."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(Compression)
    errors = _Errors(parts)
    app.add_exception_handler(Fault, errors.fault)
    app.add_exception_handler(RequestValidationError, errors.invalid)
    app.add_exception_handler(HTTPException, errors.http)
    app.add_exception_handler(Exception, errors.bug)
    for router in routers(parts):
        app.router.routes.extend(router.routes)  # see LazyRoute
    if parts.chats is not None:
        entrance = Entrance(parts.chats, parts.styles, app)
        app.router.routes.append(WebSocketRoute(PATH, entrance))
    return app


def routers(parts: Parts) -> list[APIRouter]:
    """The routes of all pages."""
    gemini = GeminiModels(parts.catalog)
    openai = OpenAIModels(parts.catalog, AnthropicModels(parts.catalog), gemini)
    return [
        openai.router(),
        openai.anthropic.router(),
        gemini.router(),
        OllamaModels(parts.catalog).router(),
        ServiceModels(parts.catalog).router(),
        ProviderPages(parts.catalog).router(),
        AudioPages(parts.catalog).router(),
        UpgradePage().router(),
        *gateway_routers(parts),
        *(assistant_routers(parts.assistant) if parts.assistant is not None else []),
        *_admin(parts),
        DocumentPage().router(),
        *([MetricsPage(parts.metrics).router()] if parts.metrics is not None else []),
    ]


def _admin(parts: Parts) -> list[APIRouter]:
    if parts.control is None or parts.admin is None:
        return []
    return admin_routers(parts.control, parts.admin)


class _Errors:
    """Exceptions as answers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def fault(self, request: Request, error: Exception) -> Response:
        """One of ours."""
        known = error if isinstance(error, Fault) else OurFault("wattline failed on this request.")
        return self._answer(request, known)

    def invalid(self, request: Request, error: Exception) -> Response:
        """A parameter that is not what it must be: the first one is named."""
        problems = error.errors() if isinstance(error, RequestValidationError) else []
        return self._answer(request, unfit(problems, request))

    def http(self, request: Request, error: Exception) -> Response:
        """The framework's own: no such path, or not with this method."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 405:
            allow = (error.headers or {}) if isinstance(error, HTTPException) else {}
            fault = wrong_method(
                f"{request.url.path[:200]} does not take {request.method}.",
                filter(None, allow.get("Allow", "").split(", ")),
            )
        else:
            fault = ClientFault(
                f"There is no {request.url.path[:200]!r} here.",
                status=404,
                code="unknown_path",
                kind=Kind.NOT_FOUND,
            )
        return self._answer(request, fault)

    def bug(self, request: Request, _: Exception) -> Response:
        """Anything else is logged by the door, and told without a word of it."""
        return self._answer(request, OurFault("wattline failed on this request."))

    def _answer(self, request: Request, fault: Fault) -> Response:
        style = style_of(request.scope["raw_path"].decode("latin-1"), request.headers)
        whole = self._parts.styles.render(style, fault, request.scope[VISITOR].id)
        return Response(whole.body, whole.status, dict(whole.headers))
