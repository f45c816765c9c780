"""What OpenAPI says of the assistant's pages beside what their code does."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

type Schema = dict[str, Any]

TEXT: Final[Mapping[str, Any]] = {"type": "string"}
NUMBER: Final[Mapping[str, Any]] = {"type": "number"}

_ERROR: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["error", "message", "status", "code"],
    "properties": {
        "error": TEXT,
        "message": TEXT,
        "status": {"const": "error"},
        "code": TEXT,
        "param": TEXT,
    },
}
_MASTER: Final[Mapping[str, Any]] = {
    "name": "masterToken",
    "in": "query",
    "required": False,
    "schema": TEXT,
    "description": "The master token, where it is not in Authorization: Bearer.",
}
_FAULTS: Final[Mapping[int, str]] = {
    400: "A parameter is missing or wrong.",
    401: "Neither the master token nor a key that is known.",
    403: "The key is a user's.",
    409: "What is there already stands against it.",
    413: "The body is too large.",
    429: "Too many wrong credentials from this address.",
    503: "The ledger can't be written.",
}


def members(required: Mapping[str, Any], others: Mapping[str, Any] | None = None) -> Schema:
    """An object's schema."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(others or {})},
    }


def route(
    answer: Schema, body: Schema | None = None, faults: Mapping[int, str] = MappingProxyType({})
) -> dict[str, Any]:
    """What `add_api_route` takes of a route: its answer, its body, the master token and its faults, those of
    all the routes included.
    """
    asked: Schema = {"parameters": [dict(_MASTER)], "security": [{}, {"bearer": []}]}
    if body is not None:
        asked["requestBody"] = {"required": True, "content": _json(body)}
    return {"responses": _responses(answer, faults), "openapi_extra": asked}


def _responses(answer: Schema, faults: Mapping[int, str]) -> dict[int | str, Schema]:
    found: dict[int | str, Schema] = {
        status: {"description": text, "content": _json(dict(_ERROR))}
        for status, text in {**_FAULTS, **faults}.items()
    }
    return {200: {"description": "Done.", "content": _json(answer)}, **found}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}
