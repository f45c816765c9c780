"""The server's half of a WebSocket's handshake (RFC 6455, 4.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib

from wattline.base.errors import ClientFault
from wattline.dialects.sockets import PROTOCOLS
from wattline.wire.http import Head, Request

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
VERSION = "13"


def check_upgrade(request: Request) -> None:
    """Raises ClientFault for an upgrade that is none."""
    keys = [value for name, value in request.headers if name == "sec-websocket-key"]
    versions = [value for name, value in request.headers if name == "sec-websocket-version"]
    options = [value for name, value in request.headers if name == "connection"]
    if versions != [VERSION]:
        raise ClientFault(
            f"Send one Sec-WebSocket-Version: {VERSION}.", status=426, code="bad_upgrade"
        )
    named = {option.strip().lower() for value in options for option in value.split(",")}
    if len(keys) != 1 or not _is_key(keys[0]) or "upgrade" not in named:
        raise ClientFault(
            "The upgrade to a WebSocket needs `Connection: Upgrade` and one valid Sec-WebSocket-Key.",
            code="bad_upgrade",
        )


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def accepted(
    request: Request, protocol: str | None, headers: tuple[tuple[str, str], ...] = ()
) -> Head:
    """The 101 for an upgrade that was checked."""
    key = request.header("sec-websocket-key") or ""
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    made = [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-accept", base64.b64encode(digest).decode()),
    ]
    if protocol is not None:
        made.append((PROTOCOLS, protocol))
    return Head(101, (*made, *headers))
