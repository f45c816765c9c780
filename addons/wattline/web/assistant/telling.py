"""A call's answer on its way to the client of a page, who may leave, while we may stop."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from wattline.service.parting import shutting_down
from wattline.web.door import send_whole
from wattline.wire.http import Departure, Ending, Head, Items, Truncated, Whole


class Telling(Response):
    """Sends items as they come. Whatever way it ends, the call has ended before. Raises Fault, when nothing
    was sent yet.
    """

    def __init__(self, items: Items, departure: Departure) -> None:
        super().__init__()
        self._items = items
        self._departure = departure
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  (ASGI's)
        """See the class."""
        work = asyncio.ensure_future(self._tell(send))
        gone = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await self._end(work, Ending.CLIENT_GONE)
        except asyncio.CancelledError:
            await self._end(work, Ending.SHUTDOWN)
            if work.cancelled() and not self._begun:
                raise shutting_down() from None
        finally:
            gone.cancel()
        if not work.cancelled():
            work.result()

    async def _end(self, work: asyncio.Task[None], reason: Ending) -> None:
        if self._departure.reason is None:
            self._departure.reason = reason
        work.cancel()
        await asyncio.wait((work,))

    async def _tell(self, send: Send) -> None:
        try:
            async with aclosing(self._items) as items:
                async for item in items:
                    await self._send(item, send)
        except Truncated:
            return  # without an end: the connection is cut
        if self._begun:
            await send({"type": "http.response.body", "body": b""})

    async def _send(self, item: Head | Whole | bytes, send: Send) -> None:
        if isinstance(item, Whole):
            await send_whole(send, item)
        elif isinstance(item, Head):
            self._begun = True
            headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in item.headers]
            await send({"type": "http.response.start", "status": item.status, "headers": headers})
        else:
            await send({"type": "http.response.body", "body": item, "more_body": True})


async def _left(receive: Receive) -> None:
    """Until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
