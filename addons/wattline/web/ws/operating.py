"""What one WebSocket asks beside calls: providers switched off and on, and figures that are pushed (B-186).

Both are answered by the pages of the same names, so that who may do what is decided in one place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from wattline.base.errors import ClientFault, Kind
from wattline.base.tasks import spawn
from wattline.dialects.frames import operators
from wattline.dialects.frames.asked import Manage, Name, Watch
from wattline.dialects.frames.trouble import Trouble, of_answer, of_fault
from wattline.service.entrance.visitor import Visitor
from wattline.web.ws.inside import Inside
from wattline.web.ws.talk import Gone, Talk
from wattline.wire.call import Role
from wattline.wire.http import Whole

PAUSE: Final = 0.1
"""Seconds from one page to the next for one connection: its messages are no requests, which windows count."""

type Who = Callable[[], Visitor]
"""The caller as it is at this moment. Raises ClientFault when its key is no longer valid."""


class Refused(Exception):
    """A page said no."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.code)
        self.trouble = trouble


class Operating:
    """Of one connection. `admin`: the pages for operators are not switched off."""

    def __init__(self, inside: Inside, talk: Talk, who: Who, *, admin: bool) -> None:
        self._inside = inside
        self._talk = talk
        self._who = who
        self._admin = admin
        self._pushing: asyncio.Task[None] | None = None
        self._next = 0.0
        """When the next page may be asked, by the loop's clock."""

    async def manage(self, wanted: Manage) -> None:
        """List providers, or switch one off or on. Raises Refused, Gone."""
        visitor = self._visitor()
        if not self._admin:
            raise Refused(of_fault(_switched_off()))
        place = ("api", "admin", "providers")
        if wanted.verb == "list":
            frame = operators.providers(wanted.name, await self._page(visitor, "GET", *place))
        else:
            path = (*place, wanted.provider, wanted.verb)
            page = await self._page(visitor, "POST", *path, body=wanted.fields)
            frame = operators.changed(wanted.name, page)
        await self._talk.say([frame])

    async def watch(self, wanted: Watch) -> None:
        """Push figures from now on, in place of those before; without a pace no more. Raises Refused, Gone."""
        self.stop()
        if wanted.seconds is None:
            await self._talk.say([operators.stats_end(wanted.name)])
            return
        first = await self._stats(wanted.name)
        await self._talk.say([first])
        self._pushing = spawn(
            self._push(wanted.name, wanted.seconds, first), name="push figures to a WebSocket"
        )

    def stop(self) -> None:
        """Push nothing more."""
        if self._pushing is not None:
            self._pushing.cancel()
            self._pushing = None

    async def _push(self, name: Name | None, seconds: float, last: bytes) -> None:
        with contextlib.suppress(Gone):
            try:
                while True:
                    await asyncio.sleep(seconds)
                    frame = await self._stats(name)
                    if frame != last:
                        await self._talk.say([frame])
                        last = frame
            except Refused as refused:
                await self._talk.say([refused.trouble.chat(name)])

    async def _stats(self, name: Name | None) -> bytes:
        """Raises Refused."""
        visitor = self._visitor()
        usage = await self._page(visitor, "GET", "v1", "keys", "me")
        caller = visitor.principal
        if self._admin and caller is not None and caller.role is Role.ADMIN:
            found = await self._page(visitor, "GET", "api", "admin", "providers")
            return operators.stats(name, usage, found["entries"])
        found = await self._page(visitor, "GET", "api", "v1", "providers")
        return operators.stats(name, usage, found["providers"])

    async def _page(
        self, visitor: Visitor, method: str, *path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """What a page says, when its turn has come. Raises Refused."""
        now = asyncio.get_running_loop().time()
        begin = max(now, self._next)
        self._next = begin + PAUSE
        if begin > now:
            await asyncio.sleep(begin - now)
        return _read(await self._inside.ask(visitor, method, *path, body=body))

    def _visitor(self) -> Visitor:
        try:
            return self._who()
        except ClientFault as fault:
            raise Refused(of_fault(fault)) from None


def _read(answer: Whole) -> dict[str, Any]:
    if answer.status != 200:
        raise Refused(of_answer(answer))
    found: dict[str, Any] = json.loads(answer.body)
    return found


def _switched_off() -> ClientFault:
    return ClientFault(
        "There are no providers to manage here: the pages for operators are switched off.",
        status=404,
        code="unknown_type",
        kind=Kind.NOT_FOUND,
    )
