"""What the pages are made of: given by whoever puts the sidecar together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from wattline.base.clock import Clock, SystemClock
from wattline.rules.book import Book
from wattline.service.accounts.accounts import Accounts
from wattline.service.accounts.master import MasterToken
from wattline.service.catalog.catalog import Catalog
from wattline.service.entrance.styles import Styles
from wattline.web.admin.parts import AdminParts
from wattline.web.assistant.parts import AssistantParts
from wattline.web.gateway.parts import GatewayParts
from wattline.web.metrics.gauges import MetricsParts
from wattline.web.ws.parts import ChatParts


@dataclass(frozen=True, slots=True)
class Control:
    """What the pages of accounts and operators ask. `book` gives the rules of the moment."""

    accounts: Accounts
    book: Callable[[], Book]
    clock: Clock = field(default_factory=SystemClock)
    master: MasterToken | None = None
    """None: no master token is set, so nobody has it."""
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)


@dataclass(frozen=True, slots=True)
class Parts:
    """One of each service that pages ask."""

    styles: Styles
    catalog: Catalog
    chats: ChatParts | None = None
    """None: nobody can chat at `/ws`."""
    metrics: MetricsParts | None = None
    """None: nothing is counted."""
    control: Control | None = None
    """None: there are no pages of accounts and operators."""
    admin: AdminParts | None = None
    """None: there are no pages for admins."""
    gateway: GatewayParts | None = None
    """None: nobody can log in."""
    assistant: AssistantParts | None = None
    """None: there are no tokens, dialogs and referrals."""
