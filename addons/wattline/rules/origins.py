"""Who may call from a browser, and which proxies are in front: how rules.yaml names them."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Final

from pydantic import AfterValidator

from wattline.rules.addresses import BadUrl, read_url
from wattline.rules.fields import no_reference

ANY_ORIGIN: Final = "*"
_DEFAULT_PORTS = frozenset({("http", 80), ("https", 443)})
_OTHER = re.compile(r"[a-z][a-z0-9+.-]{0,31}://[a-z0-9._-]{1,253}")
"""Origins of browser extensions and of apps that are web pages inside: `app://obsidian.md`."""


def read_origin(text: str) -> str:
    """An origin as browsers send it: in lower case, without a default port. Raises ValueError."""
    if text == ANY_ORIGIN:
        return text
    lower = text.lower()
    if not lower.startswith(("http://", "https://")):
        if _OTHER.fullmatch(lower):
            return lower
        raise ValueError("an origin is like https://app.example or http://localhost:3000, or `*`")
    try:
        origin, path = read_url(lower)
    except BadUrl as error:
        raise ValueError(f"this is not an origin: {error}") from None
    if path or lower.endswith("/"):
        raise ValueError("an origin has no path: leave out what comes after the host and port")
    if "*" in lower:
        raise ValueError("an origin has no `*` in it: list each of them, or `*` alone for all")
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    if (origin.scheme, origin.port) in _DEFAULT_PORTS:
        return f"{origin.scheme}://{host}"
    return f"{origin.scheme}://{host}:{origin.port}"


def read_network(text: str) -> str:
    """An address or a network in its plain form. Raises ValueError."""
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            "must be an address or a network such as 10.0.0.0/8, without bits beyond its length"
        ) from None
    if network.prefixlen == 0:
        raise ValueError("this is every address: then anybody could claim to be anybody")
    return str(network)


WebOrigin = Annotated[str, AfterValidator(no_reference), AfterValidator(read_origin)]
"""`https://host`, with a port where it is not the usual one; or `*`."""
ProxyNetwork = Annotated[str, AfterValidator(no_reference), AfterValidator(read_network)]
"""An address or a network."""
