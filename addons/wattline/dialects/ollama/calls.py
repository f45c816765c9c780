"""Tool calls, which have no ids on older servers: ids made here, and results matched by name."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from wattline.dialects.openai.stream import lenient


def made_id(*facts: object) -> str:
    """An id for a call that came without one; the same facts give the same id."""
    text = "\0".join(map(str, facts)).encode("utf-8", "replace")
    return f"call_{sha256(text).hexdigest()[:24]}"


def parsed(arguments: str) -> dict[str, Any] | None:
    """The object that a call's JSON text is; no text is an empty one, None is no object."""
    if not arguments.strip():
        return {}
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return lenient(arguments.encode("utf-8", "replace"))
    return value if isinstance(value, dict) else None


class OpenCalls:
    """The calls of a conversation that have no result yet, oldest first."""

    def __init__(self) -> None:
        self._open: dict[str, str] = {}
        self._made = 0

    def add(self, name: str, given: str | None) -> str:
        """Note a call; its id."""
        call = given or self._new()
        self._open[call] = name
        return call

    def answer(self, name: str | None, given: str | None) -> tuple[str, str | None]:
        """The id and the name of the call that a result is for; an id of its own when there is none."""
        if given:
            return given, self._open.pop(given, name) if name is None else self._closed(given, name)
        for call, known in self._open.items():
            if name is None or known == name:
                del self._open[call]
                return call, known
        return self._new(), name

    def _closed(self, call: str, name: str) -> str:
        self._open.pop(call, None)
        return name

    def _new(self) -> str:
        self._made += 1
        return f"call_{self._made - 1}"
