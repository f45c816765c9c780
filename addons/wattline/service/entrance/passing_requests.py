"""Requests on their way to another host: a call that we answer in its place, or passed on as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattline.dialects.base import Route
from wattline.dialects.table import find, normalise
from wattline.rules.book import Book
from wattline.service.entrance.admitted_call import admitted_call, socket_route
from wattline.service.entrance.browsers import is_foreign
from wattline.service.entrance.credentials import Credentials
from wattline.service.entrance.decision import Decision, RequestHead, Verdict
from wattline.wire.call import Operation, Principal


@dataclass(frozen=True, slots=True)
class PassingRequests:
    """Decides on them. `knows` says whether what a lookup asks about was made through us."""

    book: Callable[[], Book]
    credentials: Credentials
    knows: Callable[[Route, Principal], bool]

    def decide(self, head: RequestHead) -> Decision:
        """What becomes of it. Raises ClientFault."""
        principal = head.principal or self.credentials.let_in(head, proxy=True)
        book = self.book()
        if not book.intercepts(head.host):
            return Decision(Verdict.PASS)
        path = normalise(head.path)
        upgrades = head.upgrades()
        if upgrades:
            route = socket_route(head, path, forward=True)
        else:
            route = find(head.method, head.host, path, forward=True) if path else None
        if route is None or is_foreign(head):
            return Decision(Verdict.PASS)
        if upgrades:
            return admitted_call(book, route, principal, Verdict.SOCKET)
        if route.operation is Operation.LOOKUP and not self.knows(route, principal):
            # Made without us: its host knows it, and its client's key.
            return Decision(Verdict.PASS)
        return admitted_call(book, route, principal)
