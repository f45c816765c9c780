"""From the client to a provider: each response that is asked for is decided, written down and sent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from wattline.base.errors import ClientFault, Fault
from wattline.dialects.openai import realtime
from wattline.service.entrance.refusal import refusal
from wattline.service.exchange import Exchange
from wattline.service.large import is_large
from wattline.service.reload import Books
from wattline.service.sockets.binding import Binding
from wattline.service.sockets.bound import Bound
from wattline.service.sockets.client_end import ClientEnd
from wattline.service.sockets.inbox import Inbox
from wattline.service.sockets.provider_end import ProviderEnd
from wattline.service.sockets.pulse import Pulse
from wattline.service.sockets.responses import Responses
from wattline.store.base import State
from wattline.wire.call import Operation
from wattline.wire.http import Ending
from wattline.wire.websocket import GOING_AWAY, Closed, Message, Ping


@dataclass(slots=True, repr=False)
class Asking:
    """The pump of the client's messages."""

    inbox: Inbox
    client: ClientEnd
    provider: ProviderEnd
    responses: Responses
    binding: Binding
    pulse: Pulse
    books: Books

    async def run(self) -> None:
        """Until the client says goodbye."""
        while True:
            data = await self.inbox.read()
            self.pulse.said()
            for item in self.client.read(data):
                if isinstance(item, Message):
                    await self._heard(item)
                elif isinstance(item, Ping):
                    await self.client.answer(item)
                elif isinstance(item, Closed):
                    self._closed(item)
                    return

    def _closed(self, item: Closed) -> None:
        self.responses.left(State.ABORTED, Ending.CLIENT_GONE.value)
        self.provider.close(GOING_AWAY if item.fault else item.code, item.reason)
        self.client.goodbye(item.code, item.reason if item.fault else "")

    async def _heard(self, message: Message) -> None:
        """One message of the client's."""
        try:
            if is_large(message.data):
                frame = await asyncio.to_thread(self._read, message)
            else:
                frame = self._read(message)
            if frame.get("type") == realtime.CREATE:
                await self._create(message, frame)
            else:
                await self._forward(message, frame)
        except Fault as fault:
            await self.client.refuse(fault, *_names(message))

    def _read(self, message: Message) -> dict[str, Any]:
        """The JSON of a message; empty for what is passed on whatever it is. Raises ClientFault."""
        bound = self.provider.bound
        if bound is not None and bound.passed:
            return realtime.peek_frame(message.data)
        if not message.text:
            # A provider might read JSON in a binary message too; sound that begins with a brace is none.
            begins = message.data.lstrip().startswith(b"{")
            return realtime.peek_frame(message.data) if begins else {}
        return realtime.read_frame(message.data, self.books.current.limits.json_depth)

    async def _forward(self, message: Message, frame: dict[str, Any]) -> None:
        bound = self.provider.bound
        if bound is None:
            raise ClientFault(
                "Send a response.create with a model first: it decides which provider is asked.",
                code="no_model_yet",
            )
        data = message.data
        if frame and not bound.passed and self.responses.operation is Operation.REALTIME:
            data = realtime.with_model(data, frame, bound.target.model)
        await self.provider.pass_on(bound, message, data)

    async def _create(self, message: Message, frame: dict[str, Any]) -> None:
        """A response is asked for: decide, take slots, write the row, send. Raises Fault."""
        self.responses.check_room()
        body, bound = message.data, self.provider.bound
        if bound is not None and self.responses.operation is Operation.REALTIME:
            body = realtime.call_body(bound.exchange.call.model, frame)
        exchange = await self.responses.exchange(body)
        if exchange.plan.deny is not None:
            raise refusal(exchange)
        bound = await self.binding.bind(exchange)
        asked = (exchange, bound, message.data, frame)
        if is_large(message.data):
            data = await asyncio.to_thread(_written, *asked)
        else:
            data = _written(*asked)
        turn = await self.responses.turn(exchange, bound.target)
        self.responses.asked(turn, *_names(message))
        await self.provider.pass_on(bound, message, data)


def _written(exchange: Exchange, bound: Bound, data: bytes, frame: dict[str, Any]) -> bytes:
    """The message for the target."""
    if bound.passed:
        return data
    plan, target = exchange.plan, bound.target
    if exchange.call.operation is Operation.REALTIME:
        return realtime.with_model(data, frame, target.model)
    defaults = {**target.provider.defaults, **plan.defaults}
    return exchange.dialect.write_body(data, exchange.call, target.model, defaults, plan.overrides)


def _names(message: Message) -> tuple[str | None, str | None]:
    """What an error that answers this message is found by: `event_id`, and `stream_id`."""
    frame = realtime.peek_frame(message.data)
    return realtime.identity(frame.get("event_id")), realtime.identity(frame.get("stream_id"))
