"""A whole answer told as a stream, for a client that asked for one (A-052)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from wattline.dialects.codec import BadReply, ReplyError
from wattline.service.large import is_large_answer
from wattline.service.outgoing.passage import Passage
from wattline.service.relay import InBand
from wattline.upstream.base import Broken, Incoming
from wattline.wire.call import Call
from wattline.wire.http import Headers
from wattline.wire.piece import Piece


class Unfolding:
    """An `Incoming` without bytes of its own, and the `StreamReader` of the client's stream that is made
    from an upstream's whole answer of at most `limit` bytes. The pieces come at its end, all at once.
    """

    def __init__(self, incoming: Incoming, passage: Passage, call: Call, limit: int) -> None:
        self.status: int = incoming.status
        self.headers: Headers = incoming.headers
        self._incoming = incoming
        self._passage = passage
        self._call = call
        self._limit = limit
        self._made: list[Piece] = []
        self.ended = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._incoming!r}>"

    async def pieces(self) -> AsyncIterator[bytes]:
        """Reads the whole answer; yields nothing. Raises Broken, InBand."""
        parts: list[bytes] = []
        size = 0
        async for data in self._incoming.pieces():
            parts.append(data)
            size += len(data)
            if size > self._limit:
                raise Broken("answer_too_large", f"more than {self._limit} bytes", sent=True)
        try:
            body = b"".join(parts)
            if is_large_answer(body, self._passage):
                self._made = await asyncio.to_thread(self._passage.unfold, self._call, body)
            else:
                self._made = self._passage.unfold(self._call, body)
        except ReplyError as error:
            raise InBand(error.word) from error
        except BadReply as error:
            raise Broken("bad_answer", "no answer of its dialect", sent=True) from error
        for part in parts[:0]:  # which makes it a generator
            yield part

    def feed(self, data: bytes) -> Sequence[Piece]:  # noqa: ARG002  (the protocol's)
        """See `StreamReader`."""
        return ()

    def end(self) -> Sequence[Piece]:
        """The stream, once."""
        pieces, self._made = self._made, []
        self.ended = self.ended or bool(pieces)
        return pieces

    def rest(self) -> bytes:
        """See `StreamReader`."""
        return b""

    def close(self) -> None:
        """See `Incoming`."""
        self._incoming.close()
