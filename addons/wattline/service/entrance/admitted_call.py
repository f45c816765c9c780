"""A request that is a call, with the bounds of its body."""

from __future__ import annotations

from wattline.base.errors import ClientFault, Kind
from wattline.dialects.base import Route
from wattline.dialects.sockets import find_socket
from wattline.rules.book import Book
from wattline.service.entrance.counting import OVER_CALL, OVER_INFERENCE, OVER_SOCKET
from wattline.service.entrance.decision import Decision, RequestHead, Verdict
from wattline.wire.call import Principal
from wattline.wire.notice import Notice


def socket_route(head: RequestHead, path: str | None, *, forward: bool) -> Route | None:
    """The route of an upgrade to a WebSocket whose messages are calls; `path` is normal."""
    if path is None or head.method != "GET" or not head.upgrades():
        return None
    return find_socket(head.host, path, forward=forward)


def admitted_call(
    book: Book, route: Route, principal: Principal, verdict: Verdict = Verdict.CALL
) -> Decision:
    """The decision that takes it; `verdict` is `CALL` or `SOCKET`."""
    limits = book.limits
    bound, field = (
        (limits.json_bytes, "json_bytes") if route.json else (limits.upload_bytes, "upload_bytes")
    )
    if verdict is Verdict.SOCKET:
        over = OVER_SOCKET
    else:
        over = OVER_INFERENCE if route.dialect == "inference" else OVER_CALL
    return Decision(
        verdict,
        route=route,
        principal=principal,
        body_limit=bound,
        too_large=_too_large(bound, field),
        spool=not route.json,
        over=over,
        notice=Notice() if book.windows_over(principal.tier) else None,
    )


def _too_large(bound: int, field: str) -> ClientFault:
    return ClientFault(
        f"The body is larger than {bound} bytes (rules.yaml: limits.{field}).",
        status=413,
        code="body_too_large",
        kind=Kind.TOO_LARGE,
    )
