"""Requests of web pages: whose may come in, and what a browser is told that asks first."""

from __future__ import annotations

import re

from wattline.base.errors import ClientFault, Kind
from wattline.rules.compiled.entrance import Cors
from wattline.service.entrance import cors as sharing
from wattline.service.entrance.decision import RequestHead
from wattline.wire.http import Whole

_LOCAL_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


def allowed_origin(head: RequestHead, cors: Cors) -> str | None:
    """The origin of a page that may call."""
    said = head.all("origin")
    return said[0] if len(said) == 1 and cors.allows(said[0]) else None


def asks_first(head: RequestHead) -> bool:
    """A browser asks whether a page may send what it wants to send."""
    return head.method == "OPTIONS" and bool(head.all(sharing.ASKED_METHOD))


def preflight(head: RequestHead, cors: Cors) -> Whole | None:
    """The answer to a browser that asks first."""
    if not asks_first(head) or allowed_origin(head, cors) is None:
        return None
    wanted = ", ".join(head.all(sharing.ASKED_HEADERS))
    return sharing.preflight(cors, wanted, network=bool(head.all(sharing.ASKED_NETWORK)))


def check_browser(head: RequestHead, cors: Cors | None = None) -> None:
    """A page of another site must not spend an operator's money through the loopback port, unless the
    operator lists it.
    """
    if cors is not None and allowed_origin(head, cors) is not None:
        return
    if is_foreign(head):
        raise ClientFault(
            "Requests from web pages of other origins are refused.",
            status=403,
            code="foreign_origin",
            kind=Kind.PERMISSION,
        )
    if "cross-site" in head.all("sec-fetch-site"):
        raise ClientFault(
            "Requests from web pages of other sites are refused.",
            status=403,
            code="foreign_origin",
            kind=Kind.PERMISSION,
        )


def is_foreign(head: RequestHead) -> bool:
    """A web page that is not of this machine sent this. On its way to an intercepted host it goes on
    as it came, with the page's own key or none, never with one of ours.
    """
    return any(not _LOCAL_ORIGIN.fullmatch(origin) for origin in head.all("origin"))
