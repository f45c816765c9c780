"""Where requests come in: what may pass, what is answered at the door, what leads to our pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from wattline import __version__
from wattline.app.callers import Callers
from wattline.app.ground import Ground
from wattline.app.memory import Memory
from wattline.app.records import Records
from wattline.dialects.base import Route
from wattline.dialects.follow_up import kind_of
from wattline.proxy.local import LocalFace
from wattline.service.catalog.catalog import Catalog
from wattline.service.entrance.counting import Counting
from wattline.service.entrance.credentials import Credentials
from wattline.service.entrance.guesses import Guesses
from wattline.service.entrance.head_refusals import HeadRefusals
from wattline.service.entrance.own_requests import OwnRequests
from wattline.service.entrance.pages import Pages
from wattline.service.entrance.passing_requests import PassingRequests
from wattline.service.entrance.reception import Reception
from wattline.service.entrance.switches import switched_off
from wattline.service.entrance.visitor import Visits
from wattline.service.remembered import Remembered
from wattline.service.watching.proposal import EVERYWHERE
from wattline.upstream.guard import Guard
from wattline.wire.call import Principal


@dataclass(frozen=True, slots=True, repr=False)
class Entrance:
    """`guard` says where a tunnel may lead, `local` is the way to our pages."""

    reception: Reception
    refusals: HeadRefusals
    guesses: Guesses
    pages: Pages
    visits: Visits
    local: LocalFace
    guard: Guard


def make_entrance(
    ground: Ground, memory: Memory, callers: Callers, records: Records, catalog: Catalog
) -> Entrance:
    """Raises SettingsError."""
    guesses = Guesses(ground.clock, callers.issued)
    pages = _pages(ground, catalog)
    refusals = HeadRefusals(ground.dialects, records.settlement.counts, ground.address.is_own)
    reception = _reception(ground, memory, _credentials(ground, callers, guesses), pages, refusals)
    visits, tunnel = Visits(), lambda: ground.book().tunnel
    if records.census is not None:
        reception.watching, tunnel = records.census.unread, lambda: EVERYWHERE
    return Entrance(
        reception,
        refusals,
        guesses,
        pages,
        visits,
        LocalFace(refusals.styles.render, visits),
        Guard(tunnel, ground.listeners),
    )


def _credentials(ground: Ground, callers: Callers, guesses: Guesses) -> Credentials:
    return Credentials(
        ground.book,
        guesses,
        keys=callers.directory.find,
        tokens=callers.sessions.find,
        current=callers.directory.current,
        master=callers.master,
    )


def _reception(
    ground: Ground, memory: Memory, credentials: Credentials, pages: Pages, refusals: HeadRefusals
) -> Reception:
    return Reception(
        ground.book,
        credentials,
        OwnRequests(ground.book, credentials, pages, switched_off(ground.settings.env)),
        PassingRequests(ground.book, credentials, partial(_knows, memory.remembered)),
        refusals,
        Counting(memory.windows, ground.clock),
        own=ground.address.is_own,
        pseudonym=ground.pseudonym,
    )


def _knows(remembered: Remembered, lookup: Route, principal: Principal) -> bool:
    return remembered.find(kind_of(lookup), principal.id, lookup.subject) is not None


def _pages(ground: Ground, catalog: Catalog) -> Pages:
    return Pages(
        ground.clock,
        __version__,
        environment=ground.settings.env.get("NODE_ENV", "production"),
        not_ready=lambda: f"ledger: {ground.ledger.down}" if ground.ledger.down else None,
        closed=catalog.closed,
        summary=lambda: _summary(ground),
    )


def _summary(ground: Ground) -> dict[str, Any]:
    book = ground.book()
    return {
        "version": __version__,
        "rules": book.version,
        "providers": sum(p.unavailable is None for p in book.providers.values()),
        "demo": not book.configured,
        "try": "POST /v1/chat/completions",
    }
