"""Asks one provider which models it has: its own key, its own origin, a bounded answer."""

from __future__ import annotations

from dataclasses import replace

from wattline.rules.book import Provider, Timeouts
from wattline.service.catalog.reported import PATHS, BadList, Reported, read_list
from wattline.upstream.base import Outgoing, Upstream
from wattline.upstream.credentials import outgoing_headers

MAX_BYTES = 16 * 1024 * 1024
"""OpenRouter's list is about 1 MB."""
_TIMEOUTS = Timeouts(connect=5.0, first_byte=10.0, idle=10.0, total=20.0)


async def ask(provider: Provider, upstream: Upstream, pseudonym: str) -> tuple[Reported, ...]:
    """Its list; empty for a provider whose dialect has none. Raises Broken, BadList."""
    path = PATHS.get(provider.dialect)
    if path is None:
        return ()
    outgoing = Outgoing(
        origin=provider.origin,
        method="GET",
        path=provider.base_path + path,
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
            raise BadList(f"it answered {answer.status}")
        body = bytearray()
        async for piece in answer.pieces():
            body += piece
            if len(body) > MAX_BYTES:
                raise BadList(f"its list of models is larger than {MAX_BYTES} bytes")
        return read_list(bytes(body))
    finally:
        answer.close()
