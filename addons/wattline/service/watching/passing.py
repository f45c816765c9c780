"""Proof of calls that rules pass on: what their clients sent is what was sent, and so are the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import IO, Final

from wattline.service.exchange import Attempt, Exchange
from wattline.service.watching.carried import Carried, Side
from wattline.upstream.base import File, Incoming, Outgoing
from wattline.wire.http import Head, Headers, Items, Whole

BLOCK: Final = 1024 * 1024


@dataclass(slots=True)
class Proving:
    """`told` gets each call when it is over."""

    told: Callable[[Carried], None]

    async def proved(self, exchange: Exchange, attempt: Attempt, items: Items) -> Items:
        """The items of an attempt as they are. What was sent is looked at where it goes to the connection."""
        origin = attempt.target.provider.origin
        proof = Carried.begun("call", exchange.call.id, origin.host, origin.port, proving=True)
        exchange.proof = proof
        await self._asked(exchange, attempt, proof)
        ended = False
        try:
            async with aclosing(items):
                async for item in items:
                    _see(item, proof.down.went)
                    yield item
            ended = True
        finally:
            proof.cut = not ended
            self.told(proof)

    async def _asked(self, exchange: Exchange, attempt: Attempt, proof: Carried) -> None:
        request, outgoing = exchange.request, attempt.request
        if request.spool is None:
            proof.up.came.add(request.body)
        else:
            await asyncio.to_thread(_read, request.spool, proof.up.came)
        if not isinstance(outgoing, Outgoing):
            return
        if isinstance(outgoing.body, bytes):
            proof.up.went.add(outgoing.body)
        else:
            attempt.request = replace(outgoing, body=Sent(outgoing.body, proof))


class Sent:
    """A file that notes what is read of it. Read again from its start, it is another sending."""

    def __init__(self, file: File, proof: Carried) -> None:
        self._file = file
        self._proof = proof

    def read(self, size: int, /) -> bytes:
        """As the file's."""
        data = self._file.read(size)
        self._proof.up.went.add(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As the file's."""
        if whence == 0 and offset == 0:
            self._proof.up.went = Side(proving=True)
        return self._file.seek(offset, whence)


class Heard:
    """An answer that notes what came of it."""

    def __init__(self, incoming: Incoming, proof: Carried) -> None:
        self._incoming = incoming
        self._came = proof.down.came
        self.status: int = incoming.status
        self.headers: Headers = incoming.headers

    async def pieces(self) -> AsyncIterator[bytes]:
        """As the answer's. Raises what it raises."""
        async for data in self._incoming.pieces():
            self._came.add(data)
            yield data

    def close(self) -> None:
        """As the answer's."""
        self._incoming.close()


def _see(item: Head | Whole | bytes, went: Side) -> None:
    if isinstance(item, bytes):
        went.add(item)
    elif isinstance(item, Whole):
        went.add(item.body)


def _read(file: IO[bytes], side: Side) -> None:
    file.seek(0)
    while data := file.read(BLOCK):
        side.add(data)
    file.seek(0)
