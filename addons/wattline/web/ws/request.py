"""A message of a WebSocket as a request of the service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wattline.base.ids import new_id
from wattline.dialects.sockets import without_socket_headers
from wattline.service.entrance.head_check import CREDENTIALS
from wattline.service.entrance.visitor import Visitor
from wattline.wire.call import Principal
from wattline.wire.http import Headers, Request, Use

PATH: Final = "/ws"
_PORT: Final = 80
_OF_THE_UPGRADE: Final = CREDENTIALS | {
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "idempotency-key",
    "origin",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
}
"""Headers that are the connection's own, or would say the same of each message."""


class Shown:
    """A key as if it had come with the upgrade (see `service.accounts.auth.Headed`)."""

    path = ""

    def __init__(self, key: str) -> None:
        self._value = f"Bearer {key}"

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [self._value] if name == "authorization" else []


def request_of(
    visitor: Visitor, raw: Iterable[tuple[bytes, bytes]], caller: Principal, body: bytes
) -> Request:
    """A request of its own for each message. `raw` are the headers of the upgrade."""
    headers = _headers(raw)
    host, port = _host(headers)
    return Request(
        id=new_id("req"),
        method="POST",
        scheme="http",
        host=host,
        port=port,
        path=PATH,
        headers=headers,
        body=body,
        peer=visitor.peer,
        use=Use.REVERSE,
        principal=caller,
    )


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    decoded = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw)
    kept = tuple(pair for pair in decoded if pair[0] not in _OF_THE_UPGRADE)
    return (*without_socket_headers(kept), ("content-type", "application/json"))


def _host(headers: Headers) -> tuple[str, int]:
    said = next((value for name, value in headers if name == "host"), "")
    host, _, port = said.rpartition(":")
    if host and port.isascii() and port.isdigit() and not host.endswith(":"):
        return host.lower(), int(port[:5])
    return said.lower(), _PORT
