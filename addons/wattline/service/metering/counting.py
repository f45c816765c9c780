"""Counting a prompt's tokens where no provider of the rule can: an estimate, and it says so.

Clients such as Claude Code ask before they call. An estimate lets them go on; an error would not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from wattline.dialects.anthropic.answer import count_reply as of_anthropic
from wattline.dialects.gemini.answer import count_reply as of_gemini
from wattline.service.entrance.headers import exchange_headers
from wattline.service.exchange import Exchange
from wattline.wire.call import Operation
from wattline.wire.http import Whole

ESTIMATED: Final = ("x-wattline-estimated", "no provider of this call counts tokens")
_WRITERS: Final[Mapping[str, Callable[[int], bytes]]] = MappingProxyType(
    {"anthropic": of_anthropic, "gemini": of_gemini}
)


def counted_here(exchange: Exchange) -> Whole | None:
    """The answer to a count that only dialects stand in the way of; None for everything else."""
    call, plan = exchange.call, exchange.plan
    write = _WRITERS.get(call.dialect)
    if call.operation is not Operation.COUNT_TOKENS or write is None:
        return None
    if plan.targets or plan.passed or plan.deny is not None:
        return None
    if not any(skip.code == "dialect" for skip in plan.skipped):
        return None
    ours = exchange_headers(exchange, exchange.request)
    headers = (("content-type", "application/json"), ESTIMATED, *ours)
    return Whole(200, headers, write(call.tokens))
