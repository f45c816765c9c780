"""Ids of tool calls. Gemini gives them to some models' calls only; the others are told apart by name."""

from __future__ import annotations

import re
from collections import deque

_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST = 26
"""Characters of a response's id in a call's: some APIs take no more than 40 in all."""


class AnswerIds:
    """Makes the ids that an answer lacks: `call_<response>_<n>`, unique across answers that have ids."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made = 0

    def id(self, given: str | None, response: str | None) -> str:
        """The id of the next call."""
        number, self._made = self._made, self._made + 1
        if given:
            return given
        infix = _UNFIT.sub("", response or "")[:_LONGEST]
        return f"call_{infix}_{number}" if infix else f"call_{number}"


class PromptIds:
    """Matches results with calls: by id, else by name in the order of the calls."""

    __slots__ = ("_made", "_names", "_waiting")

    def __init__(self) -> None:
        self._made = 0
        self._waiting: dict[str, deque[str]] = {}
        self._names: set[str] = set()

    def call(self, given: str | None, name: str) -> str:
        """The id of a call."""
        found = given or self._make()
        self._names.add(found)
        self._waiting.setdefault(name, deque()).append(found)
        return found

    def result(self, given: str | None, name: str) -> str:
        """The id of the call that a result is for; a new one when there was no such call."""
        waiting = self._waiting.get(name)
        if given:
            if waiting and given in waiting:
                waiting.remove(given)
            return given
        return waiting.popleft() if waiting else self._make()

    def _make(self) -> str:
        while True:
            found = f"call_{self._made}"
            self._made += 1
            if found not in self._names:
                return found
