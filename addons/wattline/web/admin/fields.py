"""Bodies of requests to these pages: a JSON object, each member read once by its kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from fastapi import Request

from wattline.base.errors import ClientFault, Kind
from wattline.base.strict_json import read_object
from wattline.service.accounts.asked import Asked
from wattline.store.rows import MAX_TIME
from wattline.wire.call import Role

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 8
_MOMENT: Final = "must be a moment such as 2027-01-31T12:00:00Z, or milliseconds since 1970"


class Fields(Asked):
    """The members of a body. Each method raises ClientFault 400."""

    def moment(self, name: str) -> int | None:
        """A time in milliseconds since 1970 UTC, given so or as ISO 8601."""
        if type(self._given.get(name)) is int or not self.given(name):
            return self.time(name)
        said = self.any(name)
        text = said if isinstance(said, str) else ""
        try:
            found = datetime.fromisoformat(text[:40])
            found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
            ms = int(found.timestamp() * 1000)
        except (ValueError, OverflowError, OSError):
            raise wrong(f"{name}: {_MOMENT}.", name) from None
        if not 0 <= ms <= MAX_TIME:
            raise wrong(f"{name}: must be after 1970.", name)
        return ms

    def other_role(self) -> Role:
        """A role that must be there: null is none."""
        if self._given.get("role") is None:
            raise wrong("role: must be admin or user.", "role")
        return self.role()

    def either(self, *names: str) -> str | None:
        """Text under one of several names."""
        found = [text for name in names if (text := self.text(name)) is not None]
        if len(found) > 1:
            raise wrong(f"{' and '.join(names)} mean the same: give one of them.", names[0])
        return found[0] if found else None


async def read_fields(request: Request, most: int = MAX_BYTES, *, empty: bool = False) -> Fields:
    """The body. `empty`: there need not be one. Raises ClientFault 400, 413, 415."""
    return Fields(await read_body(request, most, empty=empty))


async def read_body(
    request: Request, most: int = MAX_BYTES, *, empty: bool = False
) -> dict[str, Any]:
    """As `read_fields`, as it is."""
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > most:
            raise ClientFault(
                f"The body is larger than {most} bytes, which is all that this page takes.",
                status=413,
                code="body_too_large",
                kind=Kind.TOO_LARGE,
            )
    if not raw and empty:
        return {}
    _check_type(request)
    return read_object(bytes(raw), max_depth=MAX_DEPTH, exact=True)


def _check_type(request: Request) -> None:
    """A form of a web page can't send JSON: what changes something takes nothing else."""
    said = request.headers.getlist("content-type")
    kinds = {value.partition(";")[0].strip().lower() for value in said}
    if kinds != {"application/json"}:
        raise ClientFault(
            "The body must be JSON, with Content-Type: application/json.",
            status=415,
            code="unsupported_media_type",
        )


def wrong(message: str, param: str) -> ClientFault:
    """400 for a value."""
    return ClientFault(message, code="invalid_value", param=param)


def body_of(
    properties: Mapping[str, Any], required: tuple[str, ...] = (), *, optional: bool = False
) -> dict[str, Any]:
    """A body's shape for the OpenAPI document."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
    if required:
        schema["required"] = list(required)
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": not optional, "content": content}}


TEXT: Final[Mapping[str, Any]] = MappingProxyType({"type": "string", "maxLength": 300})
ENERGY: Final[Mapping[str, Any]] = MappingProxyType({"type": "number", "minimum": 0})
MOMENT: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "description": "ISO 8601, or milliseconds since 1970 UTC; null for never.",
        "anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}, {"type": "null"}],
    }
)
