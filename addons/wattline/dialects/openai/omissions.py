"""What a provider's request leaves out of the client's; see `wire.prompt.Written`."""

from __future__ import annotations

from typing import Any

from wattline.wire.prompt import Written


class Omissions:
    """Collects names, each once, in the order in which they came up."""

    __slots__ = ("_dropped", "_unsupported")

    def __init__(self) -> None:
        self._dropped: dict[str, None] = {}
        self._unsupported: dict[str, None] = {}

    def drop(self, name: str) -> None:
        """A hint was left out."""
        self._dropped[name] = None

    def refuse(self, name: str) -> None:
        """The provider can't do it."""
        self._unsupported[name] = None

    def written(self, body: dict[str, Any]) -> Written:
        """The request, and what is not in it."""
        return Written(body, tuple(self._dropped), tuple(self._unsupported))
