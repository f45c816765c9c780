"""Our own pages as operations: what FastAPI knows of them, and what the gate before them adds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from wattline.dialects.likely import likely_dialect
from wattline.service.entrance.local_paths import local_path
from wattline.web.asking import caller
from wattline.web.openapi.answers import describe
from wattline.web.openapi.errors import BEFORE_PATH, reference, response
from wattline.web.openapi.security import admin, any_key
from wattline.web.operator import Operators

type Json = dict[str, Any]

_GATE: Final = (400, 403, 404, 421, 429, 431, 500, 503)
"""What the gate and the door may answer on any page."""
_WITH_BODY: Final = (408, 413)
_REPEATED: Final = (409, 422)
"""Of requests with an Idempotency-Key."""
_PARAMETER: Final = re.compile(r"\{[^}]*\}")
_RAISES: Final = re.compile(r"\s*Raises [^.]*(?:\.|$)|\s*\([A-E]-\d{3}[^)]*\)")
"""What only readers of the code need."""
_SOCKET: Final = "/ws"
_SOCKET_SAYS: Final = (
    "Open a WebSocket",
    "Calls over a WebSocket; x-websockets names this path too. A request that asks for no upgrade gets 426.",
)


def pages(app: FastAPI) -> tuple[Json, Json]:
    """Paths and schemas of the app's routes."""
    made = get_openapi(title="", version="", routes=app.routes)
    dependants = dict(_dependants(app))
    paths: Json = made["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            _complete(path, method, operation, dependants.get((path, method)))
    schemas: Json = made.get("components", {}).get("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return paths, schemas


def _dependants(app: FastAPI) -> Iterator[tuple[tuple[str, str], Dependant]]:
    for route in app.routes:
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                yield (route.path_format, method.lower()), route.dependant


def _complete(path: str, method: str, operation: Json, dependant: Dependant | None) -> None:
    style = _style(path)
    _word(operation)
    told = operation.setdefault("responses", {})
    describe(getattr(dependant and dependant.call, "__qualname__", ""), operation)
    if "HTTPValidationError" in str(told.get("422", "")):
        del told["422"]  # ours is 400
    security = _security(dependant)
    if security is not None:
        operation.setdefault("security", security)
        told.setdefault("401", reference(style, 401))
    elif "401" in told:
        operation.setdefault("security", any_key())
    else:
        operation.setdefault("security", [])
    if "{" in path:  # what stands in its place may be ambiguous
        told.setdefault("400", response(style, 400, likely=likely_dialect(path)))
    for status in _added(method, operation):
        told.setdefault(str(status), reference(style, status))
    if path == _SOCKET:
        operation["summary"], operation["description"] = _SOCKET_SAYS
        told.pop("200", None)
        told["101"] = {"description": "The protocol is switched: x-websockets has its messages."}
        told.setdefault("426", reference(style, 426))
    operation["responses"] = {
        status: _told(path, style, status, answer) for status, answer in sorted(told.items())
    }
    operation.setdefault("tags", [style])


def _told(path: str, style: str, status: str, answer: Json) -> Json:
    """An error of which only the words were given gets its shape."""
    if not status.isdigit() or int(status) < 400 or "$ref" in answer:
        return answer
    known = response(style, int(status), answer.get("description"), likely_dialect(path))
    if "content" not in answer:
        return {**answer, **known}
    if int(status) in BEFORE_PATH:
        _allow_early(answer, known["content"]["application/json"]["schema"])
    return answer


def _word(operation: Json) -> None:
    """Words for readers of the document: no exceptions, and a summary that is no function's name."""
    said = _RAISES.sub("", operation.pop("description", "")).strip()
    named = operation["operationId"].startswith(
        operation["summary"].lower().replace(" ", "_") + "_"
    )
    if named and said:
        operation["summary"] = said.partition(". ")[0].partition(":")[0].rstrip(".")
    if said:
        operation["description"] = said


def _added(method: str, operation: Json) -> tuple[int, ...]:
    body = _WITH_BODY if "requestBody" in operation else ()
    return (*_GATE, *body, *(_REPEATED if method == "post" else ()))


def _allow_early(answer: Json, early: Json) -> None:
    """An error that came before the path was known has another shape."""
    content = answer["content"].get("application/json", {})
    if schema := content.get("schema"):
        content["schema"] = {"anyOf": [schema, early]}


def _security(dependant: Dependant | None) -> list[Json] | None:
    """Who may ask, by what the page depends on; None when it does not say."""
    for call in _calls(dependant) if dependant is not None else ():
        if call is caller:
            return any_key()
        if getattr(call, "__func__", None) is Operators.admin:
            return admin()
    return None


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for below in dependant.dependencies:
        yield from _calls(below)


def _style(path: str) -> str:
    found = local_path(_PARAMETER.sub("x", path))
    return found[1].style if found is not None else "openai"


def health() -> Mapping[str, Json]:
    """The pages that are answered without the app."""
    return {
        "/": _plain(
            "What runs here", "The name, the version and what to try.", ("name", "version")
        ),
        "/version": _plain("The version", "Needs no credential.", ("name", "version")),
        "/health": _plain(
            "How it is",
            "For people and monitors; the uptime is in seconds.",
            ("status", "timestamp", "uptime", "version"),
        ),
        "/health/live": _plain(
            "The process lives",
            "For an orchestrator: start it anew when it does not answer.",
            ("status",),
        ),
        "/health/ready": _plain(
            "It can serve calls",
            "For an orchestrator or balancer: send calls only while it answers 200.",
            ("status",),
            unready=True,
        ),
    }


def _plain(summary: str, said: str, members: tuple[str, ...], *, unready: bool = False) -> Json:
    schema = {
        "type": "object",
        "required": list(members),
        "properties": {
            name: {"type": "number" if name == "uptime" else "string"} for name in members
        },
    }
    answer = {"description": "It is.", "content": {"application/json": {"schema": schema}}}
    told: Json = {"200": answer}
    if unready:
        told["503"] = {**answer, "description": "It can't, and `reason` says why."}
    told |= {str(status): reference("openai", status) for status in (400, 421, 429, 431)}
    name = "".join(c if c.isalpha() else "_" for c in summary.lower())
    operation = {"operationId": name, "summary": summary, "description": said}
    return {"get": {**operation, "tags": ["operation"], "security": [], "responses": told}}
