"""What an OpenAPI document says of the gateway's pages."""

from __future__ import annotations

from typing import Any

_ERRORS = {
    400: "A field is missing or can't be used",
    401: "No valid credential",
    403: "Not for this caller, or not in this mode",
    404: "There is no such thing",
    409: "It is there already, or there are too many",
    413: "The body is too large",
    415: "The body is no JSON",
    429: "Too many requests",
    502: "The provider could not be asked",
    503: "The ledger can't be written now",
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message", "details", "trace_id"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "details": {"type": "object"},
                "trace_id": {"type": "string"},
            },
        }
    },
}


def told(
    status: int, answer: dict[str, Any], *errors: int, description: str = "Done"
) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route: a good answer of this shape, and these errors."""
    found: dict[int | str, dict[str, Any]] = {status: _content(description, answer)}
    for error in errors:
        found[error] = _content(_ERRORS[error], _ERROR)
    return found


def asked(**fields: dict[str, Any]) -> dict[str, Any]:
    """`openapi_extra` of a route that takes a JSON object; a field with `"needed": True` must be there."""
    needed = [name for name, field in fields.items() if field.get("needed")]
    properties = {
        name: {key: value for key, value in field.items() if key != "needed"}
        for name, field in fields.items()
    }
    schema = {"type": "object", "properties": properties}
    if needed:
        schema["required"] = needed
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def text(least: int = 1, most: int = 512, *, needed: bool = True) -> dict[str, Any]:
    """A field of text."""
    field: dict[str, Any] = {"type": "string", "maxLength": most}
    if needed:
        field |= {"minLength": least, "needed": True}
    return field


def shape(**properties: dict[str, Any] | str) -> dict[str, Any]:
    """An object with these members, each by its type's name or its schema."""
    made = {n: {"type": p} if isinstance(p, str) else p for n, p in properties.items()}
    return {"type": "object", "required": list(made), "properties": made}


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
