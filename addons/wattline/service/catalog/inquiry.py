"""Asks one provider which models it has: its own key, its own origin, a bounded answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from wattline.rules.compiled.provider import Provider, Timeouts
from wattline.service.catalog.reported import PATHS, BadList, Reported, read_list
from wattline.upstream.base import Outgoing, Upstream
from wattline.upstream.credentials import outgoing_headers

MAX_BYTES = 16 * 1024 * 1024
"""OpenRouter's list is about 1 MB."""
_OF_ITS_KEY: Final = frozenset({401, 402, 403, 429})
"""Statuses after which another key of the same provider may do better."""
_TIMEOUTS = Timeouts(connect=5.0, first_byte=10.0, idle=10.0, total=20.0)


class Refused(BadList):
    """The provider answered with another status than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"it answered {status}")
        self.status = status


async def ask(provider: Provider, upstream: Upstream, pseudonym: str) -> tuple[Reported, ...]:
    """Its list; empty for a provider whose dialect has none. Raises Broken, BadList."""
    if provider.dialect not in PATHS:
        return ()
    return read_list(await inquire(provider, None, upstream, pseudonym))


async def ask_any(provider: Provider, upstream: Upstream, pseudonym: str) -> tuple[Reported, ...]:
    """Its list, by the first of its keys that it does not refuse. Raises Broken, BadList."""
    *others, last = provider.each
    for one in others:
        try:
            return await ask(one, upstream, pseudonym)
        except Refused as refused:
            if refused.status not in _OF_ITS_KEY:
                raise
    return await ask(last, upstream, pseudonym)


async def inquire(
    provider: Provider, path: str | None, upstream: Upstream, pseudonym: str
) -> bytes:
    """What it answers at a path below its base URL, by default that of its list. Raises Broken, Refused,
    BadList.
    """
    outgoing = Outgoing(
        origin=provider.origin,
        method="GET",
        path=provider.base_path + (PATHS[provider.dialect] if path is None else path),
        headers=(
            *outgoing_headers((), replace(provider, defaults={}), pseudonym=pseudonym),
            ("accept", "application/json"),
        ),
        body=b"",
        credential=provider.credential,
    )
    answer = await upstream.send(outgoing, _TIMEOUTS)
    try:
        if answer.status != 200:
            raise Refused(answer.status)
        body = bytearray()
        async for piece in answer.pieces():
            body += piece
            if len(body) > MAX_BYTES:
                raise BadList(f"its list of models is larger than {MAX_BYTES} bytes")
        return bytes(body)
    finally:
        answer.close()
