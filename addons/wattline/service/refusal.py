"""Why a call gets no answer from anybody, as one fault."""

from __future__ import annotations

from wattline.base.errors import ClientFault, Fault, Kind
from wattline.engine.summary import summary
from wattline.service.exchange import Exchange


def refusal(exchange: Exchange) -> Fault:
    """The fault of an exchange whose plan is empty, or whose targets have all failed."""
    plan = exchange.plan
    if plan.deny is not None:
        return ClientFault(
            plan.deny.message,
            status=plan.deny.status,
            code="denied_by_rule",
            kind=Kind.PERMISSION,
        )
    return summary(exchange.failures, plan, exchange.call.model)
