"""Requests to the sidecar itself: a health page, a call, or a page of the web face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattline.base.errors import ClientFault, Kind, wrong_method
from wattline.dialects.base import Route
from wattline.dialects.table import find, normalise
from wattline.rules.book import Book
from wattline.service.entrance.admitted_call import admitted_call, socket_route
from wattline.service.entrance.browsers import check_browser, preflight
from wattline.service.entrance.counting import OVER_AUTH, OVER_PAGE, OVER_SOCKET
from wattline.service.entrance.credentials import Credentials
from wattline.service.entrance.decision import Decision, RequestHead, Verdict
from wattline.service.entrance.local_paths import LocalRoute, local_path
from wattline.service.entrance.misdirected import misdirected
from wattline.service.entrance.own_names import check_host
from wattline.service.entrance.pages import Pages
from wattline.service.entrance.path_faults import ambiguous_path, closed_path, unknown_path
from wattline.wire.http import Whole


@dataclass(frozen=True, slots=True)
class OwnRequests:
    """Decides on them. `switched_off` are families of routes that the operator closed (B-118..B-123)."""

    book: Callable[[], Book]
    credentials: Credentials
    pages: Pages
    switched_off: frozenset[str] = frozenset()

    def decide(self, head: RequestHead) -> Decision:
        """What becomes of it. Raises ClientFault."""
        answer = self._at_once(head, self.book())
        if answer is not None:
            return Decision(Verdict.ANSWER, answer)
        path = normalise(head.path)
        socket = socket_route(head, path, forward=False)
        route = socket or (find(head.method, head.host, path, forward=False) if path else None)
        if route is not None:
            verdict = Verdict.CALL if socket is None else Verdict.SOCKET
            return self._call(head, route, verdict)
        if (wrong := misdirected(head.method, head.path)) is not None:
            raise wrong
        posted = path is not None and find("POST", head.host, path, forward=False) is not None
        if not posted and (local := local_path(head.path)) is not None:
            return self._page(head, *local)
        raise ambiguous_path() if path is None else unknown_path(head.method, path)

    def _at_once(self, head: RequestHead, book: Book) -> Whole | None:
        """The answer of a health page, or to a browser that asks first."""
        if book.auth.mode == "open":
            check_host(head, book)
        page = self.pages.answer(head.method, head.path.partition("?")[0])
        if page is not None:
            return page
        if book.cors is not None and (allowed := preflight(head, book.cors)) is not None:
            return allowed
        check_browser(head, book.cors)
        return None

    def _call(self, head: RequestHead, route: Route, verdict: Verdict) -> Decision:
        if route.switch in self.switched_off:
            raise closed_path(head.path.partition("?")[0])
        principal = head.principal or self.credentials.let_in(head, proxy=False)
        return admitted_call(self.book(), route, principal, verdict)

    def _page(self, head: RequestHead, path: str, route: LocalRoute) -> Decision:
        """To the web face, which asks for a credential where it needs one."""
        if not self.switched_off.isdisjoint(route.switches):
            raise closed_path(path)
        if head.method not in route.methods:
            methods = " or ".join(sorted(route.methods - {"HEAD"}))
            raise wrong_method(f"{path[:200]} takes {methods}, not {head.method}.", route.methods)
        principal = self.credentials.known(head)
        self.credentials.check_guess(head, principal, route)
        over = OVER_SOCKET if head.upgrades() else OVER_AUTH if route.auth else OVER_PAGE
        return Decision(
            Verdict.LOCAL,
            principal=principal,
            body_limit=route.body_limit,
            too_large=_too_large(path, route.body_limit),
            style=route.style,
            over=over,
        )


def _too_large(path: str, limit: int) -> ClientFault:
    return ClientFault(
        f"The body is larger than {limit} bytes, which is all that {path[:200]} takes.",
        status=413,
        code="body_too_large",
        kind=Kind.TOO_LARGE,
    )
