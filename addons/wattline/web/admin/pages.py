"""All of these pages."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from wattline.web.admin.catalog import RefreshPages
from wattline.web.admin.keys import KeyPages
from wattline.web.admin.metrics import MetricsPages
from wattline.web.admin.offers import OfferPages
from wattline.web.admin.own_key import OwnKey
from wattline.web.admin.parts import AdminParts
from wattline.web.admin.providers import ProviderAdmin
from wattline.web.admin.users import UserPages
from wattline.web.operator import Operators
from wattline.web.parts import Control

BASE: Final = "/api/admin"
ALIAS: Final = "/admin"
"""The same pages; of them the OpenAPI document has only what B names."""


def admin_routers(control: Control, parts: AdminParts) -> list[APIRouter]:
    """The routes of all pages for operators, and of a key about itself."""
    operators = Operators(control.master)
    keys, users = KeyPages(control, parts, operators), UserPages(control, operators)
    found = [
        OwnKey(control, parts).router(),
        keys.generator(),
        RefreshPages(control, parts, operators).router(BASE, ALIAS),
    ]
    offers = OfferPages(control, parts, operators)
    for base in (BASE, ALIAS):
        told = base == BASE
        found += [
            offers.entrance(base, told=told),
            offers.router(base, told=told),
            keys.router(base, told=told),
            users.router(base, told=told),
            ProviderAdmin(control, parts, operators).router(base, told=told),
            MetricsPages(control, parts, operators).router(base, told=told),
        ]
    return found
