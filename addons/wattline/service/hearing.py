"""What the head of a provider's answer promises, and bodies that are read to their end."""

from __future__ import annotations

import re
from typing import Final

from wattline.base.errors import ClientFault
from wattline.upstream.base import Broken, Incoming
from wattline.wire.inflate import inflate

ERROR_BODY: Final = 65_536
"""Bytes of an upstream's error body that are read."""
_TYPE: Final = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,40}", re.ASCII)
_STREAMS: Final = ("text/event-stream", "application/x-ndjson")


def is_stream(incoming: Incoming) -> bool:
    """It is one by its type."""
    return has_type(incoming, *_STREAMS)


def no_stream(incoming: Incoming) -> str:
    """What to log of an answer that is none by its type."""
    found = next((value for name, value in incoming.headers if name == "content-type"), "")
    kind = found.partition(";")[0].strip()
    said = f"Content-Type is {kind}" if _TYPE.fullmatch(kind) else "it has no sound Content-Type"
    return f"a stream was asked for, and {said}, not {' or '.join(_STREAMS)}"


def has_type(incoming: Incoming, *types: str) -> bool:
    """Its content type begins with one of these."""
    return any(
        name == "content-type" and value.lower().startswith(types)
        for name, value in incoming.headers
    )


async def read_body(incoming: Incoming, limit: int) -> tuple[bytes, bool]:
    """The body up to about `limit` bytes, and whether there may be more. Raises Broken."""
    parts: list[bytes] = []
    size = 0
    async for data in incoming.pieces():
        parts.append(data)
        size += len(data)
        if size > limit:
            return b"".join(parts), True
    return b"".join(parts), False


async def error_body(incoming: Incoming) -> bytes:
    """The start of an error's body, unpacked; empty when it can't be read."""
    try:
        body, _ = await read_body(incoming, ERROR_BODY)
        packed = next((v for n, v in incoming.headers if n == "content-encoding"), "identity")
        if packed.lower() == "identity":
            return body
        return inflate(body, packed.lower(), max_bytes=ERROR_BODY * 4, max_ratio=100)
    except (Broken, ClientFault):
        return b""
