"""One picture from a URL that a client names, without going where the client must not send us (SSRF).

Each hop: the name is resolved once, every address is checked, and the connection goes to exactly these
addresses, while TLS still verifies the name. A redirect is a new hop with the same checks. The machine's
proxies are not used: they would resolve the name again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wattline.base.origin import Origin
from wattline.rules.compiled.provider import Timeouts
from wattline.upstream.addresses import (
    Address,
    Resolve,
    is_metadata,
    plain,
    read_address,
    system_resolve,
    why_not_public,
)
from wattline.upstream.answer import Answer
from wattline.upstream.base import Broken, Outgoing
from wattline.upstream.guard import Listeners
from wattline.upstream.image_faults import (
    bad_referer,
    broken,
    failed,
    no_image,
    not_allowed,
    too_large,
    too_slow,
)
from wattline.upstream.image_kind import check_declared, media_type
from wattline.upstream.image_policy import ImagePolicy, is_header_text
from wattline.upstream.image_target import ImageTarget, host_of, read_target
from wattline.upstream.pool import AiohttpUpstream
from wattline.wire.pictures import Fetched

ACCEPT = "image/png, image/jpeg, image/gif, image/webp"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Asking:
    """What one request for a picture says beside its URL. `authorization` is the client's own."""

    policy: ImagePolicy
    referer: str | None = None
    authorization: str | None = field(default=None, repr=False)

    def headers(self, origin: Origin, first: Origin) -> tuple[tuple[str, str], ...]:
        """The headers for an origin; the client's Authorization only where the policy says so, and only
        to the origin of the URL itself.
        """
        found = [
            ("user-agent", self.policy.user_agent),
            ("accept", ACCEPT),
            ("accept-encoding", "identity"),
        ]
        referer = self.referer or self.policy.referer
        if referer:
            found.append(("referer", referer))
        safe = origin == first and origin.scheme == "https"
        if self.policy.forward_auth and self.authorization and safe:
            found.append(("authorization", self.authorization))
        return tuple(found)


class ImageFetch:
    """Fetches single pictures. `listeners` are ours: they are never asked, whatever the policy.

    `why_not` says what keeps an address from being public (None: nothing).
    """

    def __init__(
        self,
        *,
        listeners: Listeners,
        tls: ssl.SSLContext,
        resolve: Resolve = system_resolve,
        why_not: Callable[[Address], str | None] = why_not_public,
    ) -> None:
        self._listeners = listeners
        self._tls = tls
        self._resolve = resolve
        self._why_not = why_not

    async def fetch(self, url: str, asking: Asking) -> Fetched:
        """The picture. Raises ClientFault, which names the host at most."""
        if asking.referer is not None and not is_header_text(asking.referer):
            raise bad_referer()
        seconds = asking.policy.timeout
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(url, asking)
        except TimeoutError:
            raise too_slow(host_of(url) or "its host", seconds) from None

    async def _follow(self, url: str, asking: Asking) -> Fetched:
        target = read_target(url, asking.policy)
        first = target.origin
        for _ in range(asking.policy.max_redirects + 1):
            found = await self._hop(target, asking.headers(target.origin, first), asking.policy)
            if isinstance(found, Fetched):
                return found
            target = found
        raise failed(f"{first.host} redirects more than {asking.policy.max_redirects} times")

    async def _hop(
        self, target: ImageTarget, headers: tuple[tuple[str, str], ...], policy: ImagePolicy
    ) -> Fetched | ImageTarget:
        """A picture, or where the redirect leads."""
        addresses = await self._addresses(target, policy)

        async def pinned(host: str, port: int) -> Sequence[str]:  # noqa: ARG001  (a resolver is asked so)
            return addresses

        upstream = AiohttpUpstream(listeners=self._listeners, resolve=pinned, tls=self._tls)
        outgoing = Outgoing(target.origin, "GET", target.path, headers, b"", None)
        seconds = policy.timeout
        try:
            answer = await upstream.send(outgoing, Timeouts(seconds, seconds, seconds, seconds))
            return await _read(answer, target, policy)
        except Broken as error:
            raise broken(error, str(target.host), seconds) from error
        finally:
            await upstream.close()

    async def _addresses(self, target: ImageTarget, policy: ImagePolicy) -> list[str]:
        """The addresses to connect to; one that is not allowed refuses them all."""
        host, port = target.host, target.origin.port
        found: list[Address] = []
        if not isinstance(host, str):
            found = [host]
        else:
            try:
                found = [read_address(text) for text in await self._resolve(host, port)]
            except (OSError, ValueError):
                found = []
        if not found:
            raise failed(f"{host} has no address")
        for address in found:
            self._check(address, host, policy)
        return [str(address) for address in dict.fromkeys(found)]

    def _check(self, address: Address, host: str | Address, policy: ImagePolicy) -> None:
        if is_metadata(address):
            raise not_allowed(f"{host} is a cloud's metadata service")
        if plain(address).is_unspecified or address.is_multicast:
            raise not_allowed(f"{host} is no single host")
        if not policy.allow_private and self._why_not(address) is not None:
            raise not_allowed(f"{host} is not a host of the public internet")


async def _read(answer: Answer, target: ImageTarget, policy: ImagePolicy) -> Fetched | ImageTarget:
    host = str(target.host)
    headers = dict(reversed(answer.headers))
    if answer.status in _REDIRECTS:
        if "location" not in headers:
            raise failed(f"{host} redirects to nowhere")
        return target.redirected(headers["location"], policy)
    if answer.status != 200:
        raise failed(f"{host} answered {answer.status}")
    check_declared(headers.get("content-type", ""), host)
    if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise no_image(host, "it is compressed although that was not asked for")
    data = await _body(answer, headers.get("content-length", ""), host, policy.max_bytes)
    return Fetched(media_type(data, host), bytes(data))


async def _body(answer: Answer, declared: str, host: str, most: int) -> bytearray:
    if declared.isdigit() and (len(declared) > 18 or int(declared) > most):
        raise too_large(host, most)
    data = bytearray()
    async for piece in answer.pieces():
        data += piece
        if len(data) > most:
            raise too_large(host, most)
    return data
