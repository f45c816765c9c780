"""Which upgrades to a WebSocket are calls, and what their subprotocols hold.

OpenAI's realtime API and its Responses API are spoken over WebSockets, the second one by Codex. Browsers
can't set headers on a WebSocket: OpenAI's clients there put the key into a subprotocol's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from wattline.dialects.base import Route
from wattline.dialects.table import find
from wattline.wire.call import Operation
from wattline.wire.http import Headers

PROTOCOLS: Final = "sec-websocket-protocol"
KEY_PROTOCOL: Final = "openai-insecure-api-key."
_ACCOUNT: Final = (KEY_PROTOCOL, "openai-organization.", "openai-project.")
_REALTIME: Final = "/realtime"
_RESPONSES: Final = "/responses"


def find_socket(host: str, path: str, *, forward: bool) -> Route | None:
    """The route of an upgrade, or None when it is no call. `realtime` stands wherever `responses` does."""
    realtime = path.endswith(_REALTIME)
    if realtime:
        path = path.removesuffix(_REALTIME) + _RESPONSES
    route = find("POST", host, path, forward=forward)
    if route is None or route.operation is not Operation.RESPONSES:
        return None
    if not realtime:
        return route
    return replace(route, operation=Operation.REALTIME, upstream_path=_REALTIME)


def protocols(headers: Headers) -> list[str]:
    """The subprotocols that a client offers, in order."""
    return _names(value for key, value in headers if key == PROTOCOLS)


def keys_in(values: Iterable[str]) -> list[str]:
    """The keys among the subprotocols in the values of that header."""
    return [
        name.removeprefix(KEY_PROTOCOL) for name in _names(values) if name.startswith(KEY_PROTOCOL)
    ]


def _names(values: Iterable[str]) -> list[str]:
    return [name for value in values for name in map(str.strip, value.split(",")) if name]


def harmless(offered: Sequence[str]) -> list[str]:
    """The subprotocols without those that speak of the client's own account."""
    return [name for name in offered if not name.startswith(_ACCOUNT)]


def without_socket_headers(headers: Headers) -> Headers:
    """The headers without those of the handshake, which each end makes itself."""
    return tuple(pair for pair in headers if not pair[0].startswith("sec-websocket-"))
