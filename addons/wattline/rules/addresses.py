"""Base URLs as origins, and which addresses are our own."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

from wattline.base.origin import Origin

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~@:%+=-]+)*")
_DOTS = re.compile(r"(?:/|^)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_SCHEMES = {"http": 80, "https": 443}


class BadUrl(ValueError):
    """Not a base URL; the text says why and never repeats the URL, which may hold a secret."""


def read_url(text: str) -> tuple[Origin, str]:
    """The origin and the path without a slash at its end. Raises BadUrl."""
    try:
        split = urlsplit(text.strip())
        port = split.port
        host = split.hostname or ""
    except ValueError:
        raise BadUrl("this is not a URL: write https://host/path") from None
    _check_parts(text, split)
    path = split.path.rstrip("/")
    if not _PATH.fullmatch(path) or _DOTS.search(path):
        raise BadUrl("the path of the URL holds characters or parts that a base URL can't have")
    if port == 0:
        raise BadUrl("port 0 can't be connected to")
    return Origin(split.scheme, read_host(host), port or _SCHEMES[split.scheme]), path


def _check_parts(text: str, split: SplitResult) -> None:
    if split.scheme not in _SCHEMES:
        raise BadUrl("a base URL starts with https:// or http://")
    if "@" in split.netloc:
        raise BadUrl("a URL with a user or password in it is not allowed: use `key`")
    if "?" in text or "#" in text:
        raise BadUrl("a base URL has no ? and no #")


def read_host(text: str) -> str:
    """A host name or address in lower case, without a dot at its end. Raises BadUrl."""
    host = text.lower()
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host.strip("[]")))
        except ValueError:
            raise BadUrl("this is not an IPv6 address") from None
    if not _HOST.fullmatch(host) or ".." in host:
        raise BadUrl("the host is not a host name (write names with other letters as xn--…)")
    return host.rstrip(".")


def is_loopback(host: str) -> bool:
    """The host is this machine's loopback, however it is spelled (`127.1`, `localhost`, `::1`)."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def is_own(host: str, port: int, own_host: str, own_port: int) -> bool:
    """A connection to this host and port would come back to our own listener. Only what can be told
    without asking DNS; the sender checks the resolved address again.
    """
    if port != own_port or own_port == 0:
        return False
    if host.lower() == own_host.lower() or _same(host, own_host):
        return True
    return is_loopback(host) or _is_any(host)


def _same(host: str, other: str) -> bool:
    address = _address(host)
    return address is not None and address == _address(other)


def _is_any(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_unspecified


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        if ":" in host:
            found = ipaddress.IPv6Address(host.strip("[]"))
            return found.ipv4_mapped or found
        return ipaddress.IPv4Address(
            socket.inet_aton(host)
        )  # reads 127.1, 0x7f.1 and 2130706433 too
    except (OSError, ValueError):
        return None
