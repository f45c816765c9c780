"""mitmproxy's headers, looked up without a function call for each field: some thirteen lookups a call."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, override

from mitmproxy import http


class EdgeHeaders(http.Headers):
    """Says what the stock class says. `fields` must be pairs of bytes: they are not checked again."""

    def __init__(self, fields: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.fields = tuple(fields)

    def _found(self, name: str | bytes) -> list[bytes]:
        wanted = _wanted(name)
        size = len(wanted)  # most names are told apart by it
        return [value for key, value in self.fields if len(key) == size and key.lower() == wanted]

    @override
    def get_all(self, name: str | bytes) -> list[str]:
        """Every value of a header."""
        return [value.decode("utf-8", "surrogateescape") for value in self._found(name)]

    @override
    def get(self, key: str | bytes, default: Any = None) -> Any:
        """All values of a header in one text, or `default`."""
        found = self._found(key)
        if not found:
            return default
        return b", ".join(found).decode("utf-8", "surrogateescape")

    @override
    def __contains__(self, key: object) -> bool:
        return isinstance(key, str | bytes) and bool(self._found(key))


@lru_cache(256)
def _wanted(name: str | bytes) -> bytes:
    raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    return raw.lower()


def quicken(headers: http.Headers) -> None:
    """Make stock headers ours, in place."""
    headers.__class__ = EdgeHeaders
