"""Errors as each style of paths has them: one schema a style, one response for each status that occurs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

type Json = dict[str, Any]

_TEXT: Final[Json] = {"type": "string"}
_MAYBE: Final[Json] = {"type": ["string", "null"]}


def _object(required: Iterable[str], **properties: Json) -> Json:
    return {"type": "object", "required": list(required), "properties": properties}


SCHEMAS: Final[Json] = {
    "openai": _object(
        ("error", "message", "status"),
        error=_object(("message", "type"), message=_TEXT, type=_TEXT, param=_MAYBE, code=_MAYBE),
        message=_TEXT,
        status={"const": "error"},
    ),
    "anthropic": _object(
        ("type", "error"),
        type={"const": "error"},
        error=_object(("type", "message"), type=_TEXT, message=_TEXT, code=_TEXT),
        request_id=_MAYBE,
    ),
    "gemini": _object(
        ("error",),
        error=_object(
            ("code", "message", "status"),
            code={"type": "integer"},
            message=_TEXT,
            status=_TEXT,
            details={"type": "array", "items": {"type": "object"}},
        ),
    ),
    "ollama": _object(("error",), error=_TEXT),
    "gateway": _object(
        ("error",),
        error=_object(
            ("type", "message", "details", "trace_id"),
            type=_TEXT,
            message=_TEXT,
            details={"type": "object"},
            trace_id=_TEXT,
        ),
    ),
    "inference": _object(
        ("error",),
        error=_object(
            ("code", "message", "type"),
            code={"type": "integer"},
            message=_TEXT,
            type=_TEXT,
            details={"type": "object"},
        ),
    ),
    "assistant": _object(
        ("error", "message", "status"),
        error=_TEXT,
        message=_TEXT,
        status={"const": "error"},
        code=_TEXT,
        param=_TEXT,
    ),
}
"""By style; OpenAI's stands for any other."""

TOLD: Final[dict[int, str]] = {
    400: "The request can't be served as it is. The message names the field at fault.",
    401: "No credential that is known here.",
    403: "Not for this caller; or a web page of another origin asked.",
    404: "There is no such thing, or its routes are switched off.",
    405: "Another method is needed.",
    408: "The request did not arrive in time.",
    409: "A request with the same Idempotency-Key is under way, or the state stands against it.",
    413: "The body is larger than the bound.",
    415: "The body is of another type.",
    421: "In open mode: the Host is not a name of this sidecar.",
    422: "The Idempotency-Key was used with another body.",
    426: "A WebSocket: ask for an upgrade.",
    429: "A rate window, a budget or the balance has no room. `Retry-After` says when to try again.",
    431: "The request's head is larger than the bound.",
    500: "wattline failed, or every provider did.",
    502: "A provider gave no answer that can be used.",
    503: "The ledger can't be written, no provider can be asked, or the sidecar stops.",
    508: "The request has passed through this sidecar before.",
}
CALL: Final = "call_"
"""Before a style: on calls a provider's own refusals are passed on."""
BEFORE_PATH: Final = frozenset({400, 408, 413, 431})
"""May be answered before the path is known: then in OpenAI's shape."""
_WAIT: Final = frozenset({429, 503})


def style_schema(style: str) -> str:
    """The name of a style's schema."""
    return f"Error_{style if style in SCHEMAS else 'openai'}"


def schemas() -> Json:
    """For `components/schemas`."""
    return {style_schema(style): schema for style, schema in SCHEMAS.items()}


def responses() -> Json:
    """For `components/responses`: every status of every style, on pages and on calls."""
    found: Json = {}
    for style in SCHEMAS:
        for status in TOLD:
            found[_name(style, status)] = response(style, status)
            found[_name(f"{CALL}{style}", status)] = passed(style, status)
    return found


def reference(style: str, status: int) -> Json:
    """To one of `responses`. `style` may begin with `CALL`."""
    prefix = CALL if style.startswith(CALL) else ""
    known = style.removeprefix(CALL)
    name = _name(f"{prefix}{known if known in SCHEMAS else 'openai'}", status)
    return {"$ref": f"#/components/responses/{name}"}


def passed(style: str, status: int) -> Json:
    """An answer with an error of ours, or with a provider's own words."""
    made = response(style, status)
    content = made["content"]["application/json"]
    content["schema"] = {"anyOf": [content["schema"], {"type": "object"}]}
    made["content"]["text/plain"] = {}
    return made


def response(
    style: str, status: int, description: str | None = None, likely: str = "openai"
) -> Json:
    """An answer with an error. `likely` is the style where the path can't be read."""
    names = dict.fromkeys([style_schema(style)])
    if status in BEFORE_PATH:
        names |= dict.fromkeys([style_schema(likely), "Error_openai"])
    schemas = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    made: Json = {
        "description": description or TOLD.get(status, "An error."),
        "content": {"application/json": {"schema": schema}},
    }
    if status in _WAIT:
        made["headers"] = {
            "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}
        }
    return made


def _name(style: str, status: int) -> str:
    return f"{style}_{status}"
