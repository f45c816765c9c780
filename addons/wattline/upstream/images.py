"""The pictures of calls: several at once, each URL once, with bounds on all of them together."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable

from wattline.base.errors import ClientFault
from wattline.upstream.addresses import Address, Resolve, system_resolve, why_not_public
from wattline.upstream.guard import Listeners
from wattline.upstream.image_faults import too_many
from wattline.upstream.image_fetch import Asking, ImageFetch
from wattline.upstream.image_policy import ImagePolicy
from wattline.upstream.tls import client_context
from wattline.wire.pictures import Fetched, ImageUrl

MAX_IMAGES = 32
"""Different URLs in one call."""
MAX_LARGEST = 4
"""A call's pictures together may be as large as this many of the largest size."""
CALL_AT_ONCE = 4
ALL_AT_ONCE = 32


class Images:
    """Fetches the pictures that calls name by URL. To be made inside a running event loop; one for the
    process.

    `listeners` are the sidecar's own: they are never asked. `tls` replaces the trust store, `resolve` the
    machine's resolver, `why_not` the test for public addresses.
    """

    def __init__(
        self,
        *,
        listeners: Listeners,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = system_resolve,
        why_not: Callable[[Address], str | None] = why_not_public,
    ) -> None:
        self._one = ImageFetch(
            listeners=listeners,
            tls=client_context() if tls is None else tls,
            resolve=resolve,
            why_not=why_not,
        )
        self._slots = asyncio.Semaphore(ALL_AT_ONCE)

    async def fetch(
        self,
        url: str,
        policy: ImagePolicy,
        referer: str | None = None,
        authorization: str | None = None,
    ) -> Fetched:
        """One picture. `referer` is the call's own (B-172), `authorization` the client's, which is sent
        only if the policy forwards it. Raises ClientFault, which names the host at most.
        """
        async with self._slots:
            return await self._one.fetch(url, Asking(policy, referer, authorization))

    async def fetch_all(
        self,
        wanted: Iterable[ImageUrl],
        policy: ImagePolicy,
        referer: str | None = None,
        authorization: str | None = None,
    ) -> dict[str, Fetched]:
        """All pictures of a call, by URL. The first that fails ends the others. Raises ClientFault with the
        field of that URL as its `param`.
        """
        fields: dict[str, str] = {}
        for image in wanted:
            fields.setdefault(image.url, image.param)
        if len(fields) > MAX_IMAGES:
            raise too_many("there are more", MAX_IMAGES, "different ones")
        found: dict[str, Fetched] = {}
        turns = asyncio.Semaphore(CALL_AT_ONCE)

        async def one(url: str, param: str) -> None:
            async with turns:
                try:
                    found[url] = await self.fetch(url, policy, referer, authorization)
                    _check_sum(found, policy)
                except ClientFault as fault:
                    fault.param = fault.param or param
                    raise

        try:
            async with asyncio.TaskGroup() as group:
                for url, param in fields.items():
                    group.create_task(one(url, param), name="image fetch")
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return found


def _check_sum(found: dict[str, Fetched], policy: ImagePolicy) -> None:
    most = MAX_LARGEST * policy.max_bytes
    if sum(len(image.data) for image in found.values()) > most:
        raise too_many("together they are larger", most, "bytes")
