"""Whose address a request comes from, and what of it counts as one.

`X-Forwarded-For` is anybody's to write: it is believed only from a proxy that rules.yaml trusts, and of it only
what trusted proxies wrote. Read from its end that is every address up to the first that is none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from wattline.rules.compiled.entrance import Network

FORWARDED = "x-forwarded-for"
MAX_HOPS = 32
"""Proxies in front of us that are looked at."""
_COUNTED_BITS = 64
"""Of IPv6: what one customer of a provider has at least."""

type Address = IPv4Address | IPv6Address


def client_address(peer: str, forwarded: Iterable[str], trusted: Sequence[Network]) -> str:
    """The client's address in its plain form. `peer` is the other end of the connection, `forwarded` the values
    of the header in their order.
    """
    if not trusted and ":" not in peer:
        return peer
    found = _address(peer)
    if found is None or not trusted or not _in(found, trusted):
        return peer if found is None else str(found)
    hops = [hop for value in forwarded for hop in value.split(",")]
    for hop in hops[: -MAX_HOPS - 1 : -1]:
        address = _address(_without_port(hop.strip()))
        if address is None:
            break  # no address: what is before it was not written by a proxy that we know
        found = address
        if not _in(address, trusted):
            break
    return str(found)


def counted_as(address: str) -> str:
    """The key of an address in windows: itself, or the /64 of IPv6, since whoever has one has all of it."""
    if ":" not in address:
        return address
    found = _address(address)
    if not isinstance(found, IPv6Address):
        return address if found is None else str(found)
    return f"{IPv6Address(int(found) >> _COUNTED_BITS << _COUNTED_BITS)}/{_COUNTED_BITS}"


def _in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _without_port(text: str) -> str:
    """Some proxies write the port too: `192.0.2.1:4711`, `[2001:db8::1]:4711`."""
    text = text.strip('"')
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _address(text: str) -> Address | None:
    """IPv6 without its zone; IPv4 in an IPv6 address as IPv4."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return found if mapped is None else mapped
