"""mitmproxy's headers with an index of their names: some thirteen lookups a call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, override

from mitmproxy import http

_NONE: tuple[bytes, ...] = ()


class EdgeHeaders(http.Headers):
    """Says what the stock class says. `fields` must be pairs of bytes: they are not checked again."""

    _indexed: tuple[tuple[bytes, bytes], ...] | None = None
    """The fields that the index is of. A change of the headers puts other ones in their place."""
    _index: dict[bytes, list[bytes]]

    def __init__(self, fields: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.fields = tuple(fields)

    def _found(self, name: str | bytes) -> Iterable[bytes]:
        if self._indexed is not self.fields:
            index: dict[bytes, list[bytes]] = {}
            for key, value in self.fields:
                index.setdefault(key.lower(), []).append(value)
            self._index, self._indexed = index, self.fields
        wanted = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
        return self._index.get(wanted.lower(), _NONE)

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
        return ", ".join([value.decode("utf-8", "surrogateescape") for value in found])

    @override
    def __contains__(self, key: object) -> bool:
        return isinstance(key, str | bytes) and bool(self._found(key))


def quicken(headers: http.Headers) -> None:
    """Make stock headers ours, in place."""
    headers.__class__ = EdgeHeaders
