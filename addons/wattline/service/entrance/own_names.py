"""Names of the sidecar itself: which requests are to it, and which only pretend to be."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from wattline.base.errors import ClientFault
from wattline.rules.book import Book
from wattline.service.entrance.decision import RequestHead
from wattline.wire.http import Use

MAGIC_HOST = "wattline.local"
"""A name that every proxy user can ask: it is the sidecar itself."""

_LOCAL_NAMES = frozenset({"localhost", MAGIC_HOST})

type Own = Callable[[str, int], bool]
"""Whether a host and port are where the sidecar listens."""


def is_to_us(head: RequestHead, own: Own) -> bool:
    """The request is to the sidecar itself."""
    return head.use is Use.REVERSE or head.host == MAGIC_HOST or own(head.host, head.port)


def check_host(head: RequestHead, book: Book) -> None:
    """A page whose own name was made to point to this machine (DNS rebinding) still says that
    name. In open mode nothing but the name tells it from a client of ours. Raises ClientFault.
    """
    host = head.host.removeprefix("[").removesuffix("]")
    ours = host in _LOCAL_NAMES or host == book.listen.host or host.endswith(".localhost")
    if not ours and not _is_address(host) and not book.intercepts(host):
        raise ClientFault(
            f"{host[:100]!r} is not a name of this sidecar. Use its address, localhost or "
            f"{MAGIC_HOST}, or set `auth: {{mode: keys}}` in rules.yaml.",
            status=421,
            code="unknown_host",
        )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
