"""The JSON body of a page's request, field by field."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from wattline.base.errors import ClientFault, Kind
from wattline.base.strict_json import read_object

DEPTH = 8


class Fields:
    """Members of a body. What is not asked for is left alone."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._value = value

    @classmethod
    async def of(cls, request: Request) -> Fields:
        """Raises ClientFault 400 and 415."""
        kinds = request.headers.getlist("content-type")
        if [kind.partition(";")[0].strip().lower() for kind in kinds] != ["application/json"]:
            raise ClientFault(
                "Send JSON, with Content-Type: application/json.",
                status=415,
                code="unsupported_media_type",
            )
        return cls(read_object(await request.body(), max_depth=DEPTH))

    def text(self, name: str, most: int) -> str:
        """Text of 1 to `most` characters. Raises ClientFault 400 naming the field."""
        found = self.perhaps(name, most)
        if not found:
            raise wrong(name, "is needed, as text")
        return found

    def perhaps(self, name: str, most: int) -> str:
        """Text of at most `most` characters; empty when it is not there. Raises ClientFault 400."""
        found = self._value.get(name)
        if found is None:
            return ""
        if not isinstance(found, str):
            raise wrong(name, "must be text")
        if len(found) > most:
            raise wrong(name, f"has more than {most} characters")
        if any("\ud800" <= char <= "\udfff" for char in found):
            raise wrong(name, "has half of a surrogate pair in it")
        return found

    def line(self, name: str, most: int) -> str:
        """As `perhaps`, for text that people see: no control characters. Raises ClientFault 400."""
        found = self.perhaps(name, most).strip()
        if not found.isprintable():
            raise wrong(name, "has a character that is no text")
        return found

    def has(self, name: str) -> bool:
        """The field is there, and not null."""
        return self._value.get(name) is not None


def wrong(name: str, reason: str) -> ClientFault:
    """400 for a field. `reason` never holds its value."""
    return ClientFault(
        f"{name}: {reason}.", code="invalid_value", kind=Kind.INVALID_REQUEST, param=name
    )
