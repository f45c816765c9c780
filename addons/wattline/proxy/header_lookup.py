"""mitmproxy's headers, looked up without a function call for each field: some thirteen lookups a call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, override

from mitmproxy import http


class EdgeHeaders(http.Headers):
    """Says what the stock class says. `fields` must be pairs of bytes: they are not checked again."""

    def __init__(self, fields: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.fields = tuple(fields)

    @override
    def get_all(self, name: str | bytes) -> list[str]:
        """Every value of a header."""
        wanted = (
            name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
        ).lower()
        return [
            value.decode("utf-8", "surrogateescape")
            for key, value in self.fields
            if key.lower() == wanted
        ]

    @override
    def get(self, key: str | bytes, default: Any = None) -> Any:
        """All values of a header in one text, or `default`."""
        values = self.get_all(key)
        return ", ".join(values) if values else default

    @override
    def __contains__(self, key: object) -> bool:
        return isinstance(key, str | bytes) and bool(self.get_all(key))


def quicken(headers: http.Headers) -> None:
    """Make stock headers ours, in place."""
    headers.__class__ = EdgeHeaders
