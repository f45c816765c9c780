"""The gateway's pages, put together."""

from __future__ import annotations

from fastapi import APIRouter

from wattline.web.gateway.audit import AuditPage
from wattline.web.gateway.health import HealthPage
from wattline.web.gateway.logins import LoginPages
from wattline.web.gateway.provider_keys import ProviderKeyPages
from wattline.web.operator import Operators
from wattline.web.parts import Parts


def gateway_routers(parts: Parts) -> list[APIRouter]:
    """Their routes; none where nobody can log in."""
    gateway, control = parts.gateway, parts.control
    if gateway is None or control is None:
        return []
    operators = Operators(control.master)
    logins = LoginPages(gateway.logins, operators, control.clock, gateway.wrong)
    keys = ProviderKeyPages(gateway.own_keys, gateway.check, control.book, control.clock)
    return [
        logins.router(),
        keys.router(),
        HealthPage(parts.catalog, gateway.down).router(),
        AuditPage(gateway.ledger, operators).router(),
    ]
