"""An answer on its way: its head is here, its body comes in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError
from aiohttp.streams import StreamReader

from wattline.base.origin import Origin
from wattline.upstream.base import Broken
from wattline.upstream.connections import drop, give_back, handler_of
from wattline.wire.http import Headers

_BREAKS = (aiohttp.ClientError, HttpProcessingError, OSError)


class Answer:
    """`Incoming` on an aiohttp connection. It is its own iterator, so that a reader can stop and
    another go on.

    One timer watches both the pause between pieces and the whole. A piece does not touch it: it goes
    off, looks how long the reader has been waiting, and sets itself again. Time in which nobody waits
    is the reader's own and counts for the whole only.
    """

    __slots__ = (
        "_connection",
        "_deadline",
        "_declared",
        "_failure",
        "_forget",
        "_handler",
        "_idle",
        "_late",
        "_loop",
        "_origin",
        "_payload",
        "_reused",
        "_timer",
        "_waiting",
        "headers",
        "status",
    )

    def __init__(
        self,
        *,
        origin: Origin,
        status: int,
        headers: Headers,
        payload: StreamReader,
        declared: bool,
        connection: Connection,
        reused: bool,
        idle: float,
        deadline: float,
        forget: Callable[[Answer], None],
    ) -> None:
        """`declared`: the body's end is told by its framing, not by the connection's. `deadline` is
        the loop's time; `forget` is called once, when the connection is no longer ours.
        """
        self.status = status
        self.headers = headers
        self._origin = origin
        self._payload = payload
        self._declared = declared
        self._connection: Connection | None = connection
        self._handler = handler_of(connection)
        self._reused = reused
        self._idle = idle
        self._deadline = deadline
        self._forget = forget
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: float | None = None
        self._late: str | None = None
        self._failure: Broken | None = None

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises Broken (`idle_timeout`, `total_timeout`, `cut`), after all that
        came before the break.
        """
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._connection is None:
            if self._failure is not None:
                raise self._failure
            raise StopAsyncIteration
        if self._timer is None and not self._payload.is_eof():
            self._watch()
        self._waiting = self._loop.time()
        try:
            data = await self._payload.readany()
        except asyncio.CancelledError:
            self.close()
            raise
        except _BREAKS as error:
            return self._broken(error)
        self._waiting = None
        if data:
            return data
        if not self._declared and isinstance(self._handler.lost, OSError):
            return self._broken(self._handler.lost)
        self._end(give_back)
        raise StopAsyncIteration

    def close(self) -> None:
        """Idempotent. A task that waits for a piece gets Broken."""
        if self._connection is not None:
            self._failure = self._cut("closed on this side")
            if self._waiting is not None:
                self._payload.set_exception(aiohttp.ClientConnectionError("closed"))
            self._end(drop)

    def _end(self, leave: Callable[[Connection], None]) -> None:
        connection, self._connection = self._connection, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if connection is not None:
            leave(connection)
            self._forget(self)

    def _broken(self, error: BaseException) -> bytes:
        """The bytes that came before the break, if there are any; then the break."""
        if self._failure is None:
            self._failure = self._why(error)
            self._failure.__cause__ = error
        rest = self._rest()
        self._end(drop)
        if rest:
            return rest
        raise self._failure

    def _rest(self) -> bytes:
        """aiohttp forgets what it holds when a body breaks; the usage may be in it."""
        self._payload._exception = None  # noqa: SLF001  (the only way to what it holds)
        return self._payload.read_nowait()

    def _why(self, error: BaseException) -> Broken:
        if self._late == "idle_timeout":
            said = f"{self._origin} sent nothing for {self._idle:g} s in the middle of its answer"
            return Broken("idle_timeout", said, sent=True, reused=self._reused)
        if self._late is not None:
            said = f"{self._origin} did not end its answer within the total time"
            return Broken("total_timeout", said, sent=True, reused=self._reused)
        if isinstance(self._handler.lost, OSError):
            return self._cut("reset in the middle of it")
        if isinstance(error, HttpProcessingError):
            return self._cut("its framing is not HTTP")
        return self._cut("ended before its declared end")

    def _cut(self, how: str) -> Broken:
        message = f"the answer of {self._origin} is incomplete: {how}"
        return Broken("cut", message, sent=True, reused=self._reused)

    def _watch(self) -> None:
        if self._payload.is_eof():
            return
        now = self._loop.time()
        waiting_since = now if self._waiting is None else self._waiting
        if now >= self._deadline:
            self._expire("total_timeout")
        elif now - waiting_since >= self._idle:
            self._expire("idle_timeout")
        else:
            at = min(self._deadline, waiting_since + self._idle)
            self._timer = self._loop.call_at(at, self._watch)

    def _expire(self, code: str) -> None:
        self._late = code
        self._payload.set_exception(TimeoutError(code))
        if self._connection is not None:
            drop(self._connection)
