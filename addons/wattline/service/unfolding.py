"""A whole answer told as a stream, for a client that asked for one (A-052)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from wattline.dialects.codec import BadReply, ReplyError
from wattline.service.passage import Passage
from wattline.service.relay import InBand
from wattline.upstream.base import Broken, Incoming
from wattline.wire.call import Call
from wattline.wire.http import Headers


class Unfolding:
    """An `Incoming` whose pieces are the client's stream, made from an upstream's whole answer of at most
    `limit` bytes.
    """

    def __init__(self, incoming: Incoming, passage: Passage, call: Call, limit: int) -> None:
        self.status: int = incoming.status
        self.headers: Headers = incoming.headers
        self._incoming = incoming
        self._passage = passage
        self._call = call
        self._limit = limit

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._incoming!r}>"

    async def pieces(self) -> AsyncIterator[bytes]:
        """The stream, all at once. Raises Broken, InBand."""
        parts: list[bytes] = []
        size = 0
        async for data in self._incoming.pieces():
            parts.append(data)
            size += len(data)
            if size > self._limit:
                raise Broken("answer_too_large", f"more than {self._limit} bytes", sent=True)
        try:
            stream = self._passage.unfold(self._call, b"".join(parts))
        except ReplyError as error:
            raise InBand(error.word) from error
        except BadReply as error:
            raise Broken("bad_answer", "no answer of its dialect", sent=True) from error
        yield stream

    def close(self) -> None:
        """See `Incoming`."""
        self._incoming.close()
