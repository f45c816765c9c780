"""Who wants to know of each call when it has ended."""

from __future__ import annotations

from collections.abc import Callable

from wattline.base.errors import Fault
from wattline.service.exchange import Exchange
from wattline.wire.http import Request

type Note = Callable[[Request, Exchange | None, Fault | None], None]
"""Told of each call when it has ended. Never raises, and does not wait."""


def ignore(_request: Request, _exchange: Exchange | None, _fault: Fault | None) -> None:
    """Nobody wants to know."""
