"""The settlement of an attempt that was ended from outside."""

from __future__ import annotations

from wattline.engine.failover import judge_broken
from wattline.engine.meter import Meter
from wattline.service.exchange import Attempt, Exchange
from wattline.service.metering.listening import unheard
from wattline.service.metering.settlement import Settlement
from wattline.store.base import State
from wattline.wire.http import Ending


def settle_left_open(
    settlement: Settlement, exchange: Exchange, attempt: Attempt, meter: Meter
) -> None:
    """The attempt was ended by its client, by us stopping, or by a bug."""
    reason = exchange.request.departure.reason
    if reason is None and attempt.status is None:
        settlement.failed(exchange, attempt, judge_broken("internal_error"))
        return
    if not exchange.delivered:
        if reason is Ending.SHUTDOWN:  # its client is told 503, and comes again
            settlement.failed(exchange, attempt, judge_broken(reason.value))
            return
        unheard(exchange)
    state = State.ABORTED if reason is Ending.CLIENT_GONE else State.TRUNCATED
    usage, flags = meter.usage(ended=False)
    word = reason.value if reason is not None else "internal_error"
    settlement.over(exchange, attempt, state, usage, flags, word)
