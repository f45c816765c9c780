"""One line in the log for each call that has ended: what came of it, never what was in it."""

from __future__ import annotations

import logging

from wattline.base.errors import Fault
from wattline.service.exchange import Exchange
from wattline.wire.http import Request

log = logging.getLogger(__name__)

LONGEST = 100
"""Characters of a rule or target: a model's name may be the client's."""


def report(request: Request, exchange: Exchange | None, fault: Fault | None, now: float) -> None:
    """Called once for each call, after its last byte."""
    if not log.isEnabledFor(logging.INFO):
        return
    if exchange is None:
        code = fault.code if fault is not None else request.departure.reason
        log.info("%s refused: %s %s", request.id, fault.status if fault is not None else "-", code)
        return
    tried = exchange.attempts
    target = str(tried[-1].target)[:LONGEST] if tried else "no target"
    status = fault.status if fault is not None else tried[-1].status if tried else None
    usage, energy = exchange.usage, exchange.energy
    log.info(
        "%s %s: %s, %s, status %s, attempts %d, %.0f ms, tokens %s, energy %s",
        request.id,
        (exchange.plan.rule or "no rule")[:LONGEST],
        target,
        _end(exchange, fault),
        status or "-",
        len(tried),
        (now - exchange.began) * 1000,
        "-" if usage is None else f"{usage.prompt}+{usage.completion}",
        "-" if energy is None or energy.micro is None else f"{energy.micro / 1_000_000:g}",
    )


def _end(exchange: Exchange, fault: Fault | None) -> str:
    """In a word: the ledger's for a call with output, else why there was none."""
    if fault is not None:
        return str(fault.code or "failed")
    if exchange.state is not None:
        return exchange.state.value
    return str(exchange.request.departure.reason or "failed")
