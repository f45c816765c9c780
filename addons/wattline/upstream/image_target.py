"""Where an image URL leads: an origin and a path, read once, so that what is checked is what is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from yarl import URL

from wattline.base.errors import ClientFault
from wattline.base.origin import Origin
from wattline.upstream.addresses import Address, BadHost, read_host
from wattline.upstream.guard import MAX_PORT
from wattline.upstream.image_faults import bad_url, not_allowed
from wattline.upstream.image_policy import ImagePolicy

MAX_URL = 8_000
"""Characters; signed URLs of object stores have some 2,000."""

_SUSPECT = re.compile(r"[\x00-\x20\x7f\\]")
_PORTS = {"http": 80, "https": 443}
_KEPT = "".join(chr(code) for code in range(0x21, 0x7F))
"""What stands in a path as it is: re-encoding would break a signature."""


@dataclass(frozen=True, slots=True)
class ImageTarget:
    """One request: `host` is a lower-case name or the address that the URL spells in whatever way."""

    origin: Origin
    host: str | Address
    path: str = field(repr=False)
    url: str = field(repr=False)

    def redirected(self, location: str, policy: ImagePolicy) -> ImageTarget:
        """Where a redirect leads. Raises ClientFault."""
        # The bytes of the header, as they came.
        location = quote(location.encode("latin-1", "replace"), safe=_KEPT)
        try:
            url = urljoin(self.url, location)
        except ValueError:
            raise bad_url(f"{self.host} redirects to something that is no URL") from None
        target = read_target(url, policy)
        if self.origin.scheme == "https" and target.origin.scheme != "https":
            raise not_allowed(f"{self.host} redirects from https to http")
        return target


def read_target(url: str, policy: ImagePolicy) -> ImageTarget:
    """Reads a URL and checks all that needs no resolver. Raises ClientFault."""
    if len(url) > MAX_URL:
        raise bad_url(f"it has more than {MAX_URL} characters")
    if _SUSPECT.search(url):
        raise bad_url("it holds a space, a control character or a backslash")
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        raise bad_url("it can't be read as a URL") from None
    if split.scheme not in policy.allowed_protocols:
        allowed = " and ".join(sorted(policy.allowed_protocols))
        raise not_allowed(f"only {allowed} URLs are fetched")
    host = _host(split)
    if not policy.allows_host(str(host)):
        raise not_allowed(f"{host} is not in IMAGE_FETCH_ALLOWED_HOSTS")
    if port is None:
        port = _PORTS[split.scheme]
    if not 0 < port <= MAX_PORT:
        raise bad_url(f"port {port} can't be connected to")
    return ImageTarget(Origin(split.scheme, str(host), port), host, _path(split), url)


def _host(split: SplitResult) -> str | Address:
    if "@" in split.netloc:
        raise bad_url("it holds a user name or a password, which are not sent")
    host = split.hostname or ""
    try:
        if not host.isascii():
            host = URL.build(scheme=split.scheme, host=host).raw_host or ""
        return read_host(host)
    except (BadHost, ValueError):
        raise bad_url("its host is neither a name nor an address") from None


def _path(split: SplitResult) -> str:
    path = split.path or "/"
    if split.query:
        path += f"?{split.query}"
    return quote(path, safe=_KEPT, errors="replace")


def host_of(url: str) -> str | None:
    """The host that a URL names, for messages; None when it can't be read."""
    try:
        return str(_host(urlsplit(url)))
    except (ClientFault, ValueError):
        return None
