"""Why a call gets no answer from anybody, as one fault."""

from __future__ import annotations

from collections.abc import Mapping

from wattline.base.errors import ClientFault, Fault, Kind
from wattline.engine.offer import offer
from wattline.engine.summary import MODEL_NOT_FOUND, summary
from wattline.service.exchange import Exchange


def refusal(exchange: Exchange) -> Fault:
    """The fault of an exchange whose plan is empty, or whose targets have all failed."""
    fault = _fault(exchange)
    fault.details = _details(exchange, fault)
    return fault


def _fault(exchange: Exchange) -> Fault:
    plan = exchange.plan
    if plan.deny is not None:
        return ClientFault(
            plan.deny.message,
            status=plan.deny.status,
            code="denied_by_rule",
            kind=Kind.PERMISSION,
        )
    return summary(exchange.failures, plan, exchange.call.model)


def _details(exchange: Exchange, fault: Fault) -> Mapping[str, object]:
    """What was asked for, and where that is not known what could be."""
    call = exchange.call
    if call.provider is None:
        asked = {"model": call.model}
    else:
        asked = {"provider": call.provider, "model": call.model.removeprefix(f"{call.provider}/")}
    return asked | (offer(call, exchange.book) if fault.code == MODEL_NOT_FOUND else {})
