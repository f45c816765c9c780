"""Faults in the shape that the clients of a path expect: errors follow the route that was called."""

from __future__ import annotations

from collections.abc import Mapping

from wattline.base.errors import Fault
from wattline.dialects.base import Dialect
from wattline.wire.http import Whole


class Styles:
    """A style is a dialect's name; OpenAI's stands for any other."""

    def __init__(self, dialects: Mapping[str, Dialect]) -> None:
        self._dialects = dialects

    def render(self, style: str, fault: Fault, request_id: str) -> Whole:
        """A fault as a whole answer."""
        dialect = self._dialects.get(style) or self._dialects["openai"]
        return dialect.error(fault, request_id)
