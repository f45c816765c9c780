"""From the client to a provider: each response that is asked for is decided, written down and sent."""

from __future__ import annotations

import asyncio
from typing import Any

from wattline.base.errors import ClientFault, Fault
from wattline.base.errors import Kind as FaultKind
from wattline.dialects.openai import realtime
from wattline.rules.book import Target
from wattline.service.entrance.refusal import refusal
from wattline.service.exchange import Exchange
from wattline.service.large import is_large
from wattline.service.passing import passing_target
from wattline.service.sockets.bound import Bound
from wattline.service.sockets.hearing import Hearing
from wattline.service.sockets.line import MAX_TURNS
from wattline.service.sockets.parting import ending
from wattline.service.sockets.upgrades import INCAPABLE, Answered, speaks
from wattline.store.base import State
from wattline.wire.call import Operation
from wattline.wire.http import Ending
from wattline.wire.websocket import GOING_AWAY, NORMAL, Closed, Message, Ping


class Asking(Hearing):
    """The pump of the client's messages, and the choice of the provider that they go to."""

    async def _listen(self) -> None:
        while True:
            data = await self.inbox.read()
            self._last = self._loop.time()
            for item in self._frames.feed(data):
                if isinstance(item, Message):
                    await self._ask(item)
                elif isinstance(item, Ping):
                    await self._outbox.put(self._frames.pong(item))
                elif isinstance(item, Closed):
                    self._client_closed(item)
                    return

    def _client_closed(self, item: Closed) -> None:
        for turn in self._lanes.drain():
            self._ends.left(turn, State.ABORTED, Ending.CLIENT_GONE.value)
        if self.bound is not None:
            self.bound.socket.close(GOING_AWAY if item.fault else item.code, item.reason)
        self._end(item.code, item.reason if item.fault else "")

    async def _ask(self, message: Message) -> None:
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
            await self._outbox.put(self._error(fault, *_names(message)))

    def _read(self, message: Message) -> dict[str, Any]:
        """The JSON of a message; empty for what is passed on whatever it is. Raises ClientFault."""
        if self.bound is not None and self.bound.passed:
            return realtime.peek_frame(message.data)
        if not message.text:
            # A provider might read JSON in a binary message too; sound that begins with a brace is none.
            begins = message.data.lstrip().startswith(b"{")
            return realtime.peek_frame(message.data) if begins else {}
        depth = self.services.opening.books.current.limits.json_depth
        return realtime.read_frame(message.data, depth)

    async def _forward(self, message: Message, frame: dict[str, Any]) -> None:
        bound = self.bound
        if bound is None:
            raise ClientFault(
                "Send a response.create with a model first: it decides which provider is asked.",
                code="no_model_yet",
            )
        data = message.data
        if frame and not bound.passed and self.route.operation is Operation.REALTIME:
            data = realtime.with_model(data, frame, bound.target.model)
        await self._send(bound, Message(data, message.text))

    async def _create(self, message: Message, frame: dict[str, Any]) -> None:
        """A response is asked for: decide, take slots, write the row, send. Raises Fault."""
        if len(self._lanes) >= MAX_TURNS:
            raise ClientFault(
                f"{MAX_TURNS} responses are open on this connection; wait for one to end.",
                status=429,
                code="too_many_responses",
                kind=FaultKind.RATE_LIMIT,
            )
        body = message.data
        if self.bound is not None and self.route.operation is Operation.REALTIME:
            body = realtime.call_body(self.bound.exchange.call.model, frame)
        exchange = await self._exchange(body)
        if exchange.plan.deny is not None:
            raise refusal(exchange)
        bound = await self._bind(exchange)
        asked = (exchange, bound, message.data, frame)
        if is_large(message.data):
            data = await asyncio.to_thread(self._written, *asked)
        else:
            data = self._written(*asked)
        turn = await self._turn(exchange, bound.target)
        turn.asked_by, turn.lane = _names(message)
        self._lanes.ask(turn, turn.asked_by, turn.lane)
        self.inbox.busy = True
        self._stirred.set()
        await self._send(bound, Message(data, message.text))

    async def _bind(self, exchange: Exchange) -> Bound:
        """The provider of this response: the one that is there, unless another model needs another.

        Raises Fault.
        """
        bound = self.bound
        if bound is not None and (
            exchange.call.model == bound.exchange.call.model
            or self.route.operation is Operation.REALTIME
        ):
            exchange.plan = bound.exchange.plan
            return bound
        if bound is not None:
            same = self._same_provider(exchange, bound)
            if same is not None:
                self.bound = Bound(exchange, same, bound.socket)
                return self.bound
            await self._leave_provider(bound)
        return await self._reach(exchange)

    def _same_provider(self, exchange: Exchange, bound: Bound) -> Target | None:
        """The first choice for another model, if that is the provider at the other end."""
        plan = exchange.plan
        if plan.passed != bound.passed:
            return None
        if plan.passed:
            return passing_target(exchange.request, exchange.call)
        first = next((target for target in plan.targets if speaks(target, exchange)), None)
        if first is None or first.provider != bound.target.provider:
            return None
        return first

    async def _leave_provider(self, bound: Bound) -> None:
        """Once its last message is with the client. Raises ClientFault while a response is under way."""
        async with self._telling:
            if len(self._lanes):
                raise ClientFault(
                    "The model is served by another provider. Wait for the response under way, or use a "
                    "connection of its own.",
                    code="other_provider",
                    param="model",
                )
            if self._ending:
                raise ending()
            await self._unbind(bound)

    async def _unbind(self, bound: Bound) -> None:
        """The relay holds nothing: it reads, or waits for the lock that its caller has."""
        self.bound = None
        if self._relay is not None:
            self._relay.cancel()
            await asyncio.wait([self._relay])
        bound.socket.close(NORMAL)

    async def _reach(self, exchange: Exchange) -> Bound:
        try:
            target, socket = await self.services.upgrades.reach(exchange)
        except Answered as answered:
            raise answered.fault from None
        except Fault:
            if all(failure.code in INCAPABLE for failure in exchange.failures):
                self.incapable()
            raise
        exchange.failures.clear()
        self.bound = Bound(exchange, target, socket)
        self._relay = self._start(self._hear(self.bound), "listen to a provider")
        return self.bound

    def _written(
        self, exchange: Exchange, bound: Bound, data: bytes, frame: dict[str, Any]
    ) -> bytes:
        """The message for the target."""
        if bound.passed:
            return data
        plan, target = exchange.plan, bound.target
        if self.route.operation is Operation.REALTIME:
            return realtime.with_model(data, frame, target.model)
        defaults = {**target.provider.defaults, **plan.defaults}
        return exchange.dialect.write_body(
            data, exchange.call, target.model, defaults, plan.overrides
        )


def _names(message: Message) -> tuple[str | None, str | None]:
    """What an error that answers this message is found by: `event_id`, and `stream_id`."""
    frame = realtime.peek_frame(message.data)
    return realtime.identity(frame.get("event_id")), realtime.identity(frame.get("stream_id"))
