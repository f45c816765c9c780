"""What a prompt asks for and Ollama can't do, collected while it is written."""

from __future__ import annotations

from collections.abc import Iterable


class Report:
    """Names of what is left out, each once and in the order in which it was met."""

    def __init__(self) -> None:
        self._dropped: dict[str, None] = {}
        self._unsupported: dict[str, None] = {}

    def drop(self, *names: str) -> None:
        """Note hints that are left out."""
        self._dropped |= dict.fromkeys(names)

    def refuse(self, *names: str) -> None:
        """Note what can't be done."""
        self._unsupported |= dict.fromkeys(names)

    def refuse_if(self, facts: Iterable[tuple[str, bool]]) -> None:
        """Note each name whose fact holds."""
        self.refuse(*(name for name, holds in facts if holds))

    @property
    def dropped(self) -> tuple[str, ...]:
        """Hints that were left out."""
        return tuple(self._dropped)

    @property
    def unsupported(self) -> tuple[str, ...]:
        """What the client asked for and the provider can't do."""
        return tuple(self._unsupported)
