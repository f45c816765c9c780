"""The provider's end of a conversation: what it is sent, and how it is lost."""

from __future__ import annotations

import asyncio

from wattline.base.errors import UpstreamFault
from wattline.service.sockets.bound import Bound
from wattline.service.sockets.client_end import ClientEnd
from wattline.service.sockets.responses import Responses
from wattline.service.watching.conversed import Witness
from wattline.upstream.base import Broken
from wattline.upstream.scrub import scrub
from wattline.wire.websocket import INTERNAL_ERROR, Closed, Message, Ping


class ProviderEnd:
    """`bound` is None until the first message says which model is wanted."""

    def __init__(self, client: ClientEnd, responses: Responses, bound: Bound | None) -> None:
        self.bound = bound
        self.lost = False
        """It is gone, and with it the conversation: the client is being told."""
        self.telling = asyncio.Lock()
        """Held while a provider's message is on its way to the client: it may wait for a commit."""
        self._client = client
        self._responses = responses

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.bound}>"

    async def pass_on(self, bound: Bound, message: Message, data: bytes) -> None:
        """Send a client's message, in which `data` now stands."""
        if bound.witness is not None:
            bound.witness.asked(message)
        await self.send(bound, Message(data, message.text), bound.witness)

    async def send(self, bound: Bound, message: Message, witness: Witness | None = None) -> None:
        """Send, for no longer than the provider may be silent."""
        frame = bound.socket.frames.message(message)
        if witness is not None:
            witness.sent(message, frame)
        try:
            async with asyncio.timeout(bound.timeouts().idle):
                await bound.socket.send(frame)
        except TimeoutError:
            await self.lose(bound, "idle_timeout")
        except Broken as broken:
            await self.lose(bound, broken.code)

    async def answer(self, bound: Bound, ping: Ping) -> None:
        """Answer its ping. Raises Broken."""
        await bound.socket.send(bound.socket.frames.pong(ping))

    async def lose(self, bound: Bound, code: str, closed: Closed | None = None) -> None:
        """The provider's end is gone, and with it this conversation."""
        if self.lost or self.bound is None or bound.socket is not self.bound.socket:
            return
        self.lost = True
        bound.socket.close()
        if await self._responses.lost(code):
            fault = UpstreamFault(
                f"The provider broke off in the middle of its answer ({code}).",
                code="upstream_broke_off",
                should_retry=False,
            )
            self._client.refuse_now(fault)
        if closed is not None:
            reason = scrub(closed.reason.encode(), bound.secrets()).decode()
            self._client.goodbye(closed.code, reason)
        else:
            self._client.goodbye(INTERNAL_ERROR, f"the provider's connection ended ({code})")

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye to it, if there is one."""
        if self.bound is not None:
            self.bound.socket.close(code, reason)

    def over(self) -> None:
        """Nothing more is passed on to it, or comes of it."""
        if self.bound is not None and self.bound.witness is not None:
            self.bound.witness.over()
