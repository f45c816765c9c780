"""Hosts and IP addresses: spellings, kinds, and names to addresses.

Sources: RFC 6890 and the IANA special-purpose registries (through Python's `is_global`), RFC 4291
(2000::/3 is all of global unicast), RFC 6052 (IPv6 addresses that carry an IPv4 one).
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

type Address = IPv4Address | IPv6Address

type Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""A name and a port to addresses. Raises OSError."""

_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
)
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_DOCUMENTATION = IPv6Network("3fff::/20")
"""RFC 9637; not yet in every supported Python's tables."""

_METADATA = {
    ip_address("169.254.169.254"): "AWS, Azure, Google Cloud and others",
    ip_address("169.254.170.2"): "AWS ECS",
    ip_address("fd00:ec2::254"): "AWS",
    ip_address("100.100.100.200"): "Alibaba Cloud",
    ip_address("192.0.0.192"): "Oracle Cloud",
    ip_address("168.63.129.16"): "Azure, a public address by its number",
}


class BadHost(ValueError):
    """Neither a host name nor an address; the message says why."""


def read_host(text: str) -> str | Address:
    """A host as it stands in a CONNECT or a URL: a lower-case name, or an address.

    Reads what `inet_aton` reads too (`127.1`, `2130706433`, `0x7f000001`), since connecting would.
    Raises BadHost.
    """
    host = text.lower()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if ":" in host:
        return _ipv6(text, host)
    host = host.removesuffix(".")
    if not _NAME.fullmatch(host):
        raise BadHost(f"{text[:100]!r} is not a host name")
    if _NUMERIC.fullmatch(host):
        try:
            return IPv4Address(socket.inet_aton(host))
        except OSError:
            raise BadHost(f"{text[:100]!r} looks like an IPv4 address but is none") from None
    return host


def _ipv6(text: str, host: str) -> Address:
    try:
        address = IPv6Address(host)
    except ValueError:
        raise BadHost(f"{text[:100]!r} is not an IPv6 address") from None
    if address.scope_id is not None:
        raise BadHost(f"{text[:100]!r} names a network interface")
    return plain(address)


def plain(address: Address) -> Address:
    """`::ffff:127.0.0.1` is 127.0.0.1: a socket treats them alike."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def read_address(text: str) -> Address:
    """An address as a resolver or a socket gives it. Raises ValueError."""
    return plain(ip_address(text.split("%", 1)[0]))


def is_metadata(address: Address) -> bool:
    """Whether a cloud tells secrets of the machine at this address."""
    address = plain(address)
    return address in _METADATA or _carried(address) in _METADATA


def why_not_public(address: Address) -> str | None:
    """What keeps an address from being one of the public internet; None when it is one."""
    address = plain(address)
    if address in _METADATA:
        return f"a cloud metadata address ({_METADATA[address]})"
    if (inner := _carried(address)) is not None:
        reason = why_not_public(inner)
        return None if reason is None else f"{inner} in IPv6, {reason}"
    for kind, name in (
        (address.is_unspecified, "the unspecified address"),
        (address.is_loopback, "a loopback address"),
        (address.is_link_local, "a link-local address"),
        (address.is_multicast, "a multicast address"),
    ):
        if kind:
            return name
    if not address.is_global or address.is_reserved or _is_odd(address):
        return "a private or reserved address"
    return None


def _is_odd(address: Address) -> bool:
    """IPv6 that Python calls global and nobody routes."""
    return isinstance(address, IPv6Address) and (
        address not in _GLOBAL_UNICAST or address in _DOCUMENTATION or address.sixtofour is not None
    )


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address that a NAT64 gateway would connect to. 6to4 has none left (RFC 7526)."""
    if isinstance(address, IPv6Address) and address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """The machine's own resolver, in a thread. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_on_this_machine(address: Address) -> bool:
    """Whether a connection to `address` would end on this machine. Sends nothing: connecting a UDP
    socket only asks the routing table, which answers a local address with itself.
    """
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return read_address(probe.getsockname()[0]) == address
    except OSError:
        return False
