"""One client's WebSocket after its upgrade: messages to a provider and back, each response metered.

Rules of this file. Two pumps run, one for each direction, and a watch over idle times; `run` gives what
goes to the client. A `response.create` goes out only after its row is durable; the event that ends a
response goes to the client only after its settlement is, and nothing overtakes it. Whatever way the
conversation ends, each open response is settled once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from wattline.base.errors import ClientFault, Fault, OurFault, UpstreamFault
from wattline.base.errors import Kind as FaultKind
from wattline.base.ids import new_id
from wattline.base.tasks import spawn
from wattline.dialects.base import Route
from wattline.dialects.openai import realtime
from wattline.dialects.openai.lanes import Lanes
from wattline.dialects.openai.realtime import Kind, ServerEvent
from wattline.engine.meter import Meter
from wattline.rules.book import Target, Timeouts
from wattline.service.entrance.refusal import refusal
from wattline.service.exchange import Exchange
from wattline.service.metering.settlement import Settlement
from wattline.service.opening import Opening
from wattline.service.passing import passing_target
from wattline.service.sockets.inbox import Inbox
from wattline.service.sockets.outbox import Outbox
from wattline.service.sockets.turns import OwedAttempts, Turn, TurnAttempts, TurnSettlement
from wattline.service.sockets.upgrades import INCAPABLE, Answered, Upgrades, speaks
from wattline.store.base import State
from wattline.upstream.base import Broken
from wattline.upstream.scrub import scrub
from wattline.upstream.sockets import Socket
from wattline.wire.call import Operation
from wattline.wire.http import Ending, Request
from wattline.wire.websocket import (
    GOING_AWAY,
    INTERNAL_ERROR,
    NORMAL,
    SERVICE_RESTART,
    Closed,
    Frames,
    Message,
    Ping,
)

log = logging.getLogger(__name__)

MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes of one message, in either direction."""
MAX_TURNS = 64
"""Responses that may be open on one connection."""
IDLE = 570.0
"""Seconds without a message in either direction, and no response under way, after which a socket is
closed: less than mitmproxy's own 600, which would end it without a word."""


@dataclass(frozen=True, slots=True)
class Services:
    """What every conversation uses."""

    opening: Opening
    attempts: TurnAttempts
    owed: OwedAttempts
    settlement: Settlement
    upgrades: Upgrades


@dataclass(slots=True)
class Bound:
    """The provider at the other end, and the exchange that led there."""

    exchange: Exchange
    target: Target
    socket: Socket

    @property
    def passed(self) -> bool:
        """It is the host that the client itself named, with the client's own key."""
        return self.exchange.plan.passed

    def secrets(self) -> tuple[bytes, ...]:
        """Keys that the client must not see."""
        credential = self.target.provider.credential
        return () if credential is None else (credential.secret.encode("latin-1", "replace"),)


class Conversation:
    """See the module. `bound` is None until the first message says which model is wanted."""

    def __init__(
        self,
        services: Services,
        request: Request,
        route: Route,
        inbox: Inbox,
        bound: Bound | None = None,
        incapable: Callable[[], None] = lambda: None,
    ) -> None:
        """`incapable` is called when no provider of a model has WebSockets."""
        self.services = services
        self.request = request
        self.route = route
        self.inbox = inbox
        self.bound = bound
        self.incapable = incapable
        self._frames = Frames(client=False, max_bytes=MAX_MESSAGE)
        self._outbox = Outbox()
        self._lanes: Lanes[Turn] = Lanes()
        self._ends = TurnSettlement(services.settlement)
        self._loop = asyncio.get_running_loop()
        self._heard = self._last = self._loop.time()
        self._stirred = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._relay: asyncio.Task[None] | None = None
        self._ending = False
        self._context = 0
        """Tokens of the last response and what led to it: the next one reads at least these."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.request.id} {self.bound} {self._lanes!r}>"

    async def run(self) -> AsyncGenerator[bytes]:
        """What goes to the client. All is settled when it ends or is closed."""
        self._start(self._listen(), "listen to a client")
        self._start(self._watch(), "watch a socket")
        if self.bound is not None:
            self._relay = self._start(self._hear(self.bound), "listen to a provider")
        try:
            while data := await self._outbox.get():
                yield data
        except asyncio.CancelledError:
            if self.request.departure.reason is not Ending.SHUTDOWN:
                raise
            _uncancel()
            yield self._last_words()
        finally:
            await self._leave()

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = spawn(self._guarded(work), name=name)
        self._tasks = [*(other for other in self._tasks if not other.done()), task]
        return task

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s: a conversation failed", self.request.id)
            fault = OurFault("wattline failed on this connection. The log has the details.")
            self._outbox.put_now(self._error(fault))
            self._end(INTERNAL_ERROR)

    def _end(self, code: int, reason: str = "") -> None:
        """Say goodbye to the client; `run` ends after what is on its way."""
        self._outbox.put_now(self._frames.close(code, reason))
        self._outbox.end()

    def _last_words(self) -> bytes:
        """To a client that we leave since we stop."""
        words = b""
        if len(self._lanes):
            words = self._error(shutting_down())
        return words + self._frames.close(SERVICE_RESTART, "the sidecar stops")

    async def _leave(self) -> None:
        """Settle what is open, close the provider's end."""
        self._settle_left()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._settle_left()  # one whose row was written a moment ago
        if self.bound is not None:
            self.bound.socket.close(GOING_AWAY)

    def _settle_left(self) -> None:
        reason = self.request.departure.reason
        state = State.ABORTED if reason is Ending.CLIENT_GONE else State.TRUNCATED
        for turn in self._lanes.drain():
            self._ends.left(turn, state, "internal_error" if reason is None else reason.value)

    # From the client.

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
        data = self._written(exchange, bound, message.data, frame)
        turn = await self._turn(exchange, bound.target)
        turn.asked_by, turn.lane = _names(message)
        self._lanes.ask(turn, turn.asked_by, turn.lane)
        self.inbox.busy = True
        self._stirred.set()
        await self._send(bound, Message(data, message.text))

    async def _exchange(self, body: bytes) -> Exchange:
        """The exchange of one response, its caller's windows taken. Raises Fault."""
        request = replace(self.request, id=new_id("req"), body=body)
        exchange = await self.services.opening.open(request, self.route)
        tokens = exchange.call.tokens + self._context
        exchange.call = replace(exchange.call, stream=True, tokens=tokens)
        exchange.body, exchange.value = b"", {}
        return exchange

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
            if len(self._lanes):
                raise ClientFault(
                    "The model is served by another provider. Wait for the response under way, or use a "
                    "connection of its own.",
                    code="other_provider",
                    param="model",
                )
            await self._unbind(bound)
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

    async def _unbind(self, bound: Bound) -> None:
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

    async def _turn(self, exchange: Exchange, target: Target) -> Turn:
        """Slots taken, row durable. Raises Fault."""
        attempt = await self.services.attempts.begin(exchange, target)
        if attempt is None:
            raise refusal(exchange)
        return Turn(
            exchange, attempt, Meter(exchange.call, exchange.call.tokens), self._loop.time()
        )

    async def _send(self, bound: Bound, message: Message) -> None:
        patience = _timeouts(bound.target).idle
        try:
            async with asyncio.timeout(patience):
                await bound.socket.send(bound.socket.frames.message(message))
        except TimeoutError:
            await self._lost(bound, "idle_timeout")
        except Broken as broken:
            await self._lost(bound, broken.code)

    # From the provider.

    async def _hear(self, bound: Bound) -> None:
        socket = bound.socket
        while True:
            try:
                items = await socket.read()
            except Broken as broken:
                await self._lost(bound, broken.code)
                return
            self._heard = self._last = self._loop.time()
            for item in items:
                if isinstance(item, Message):
                    await self._told(bound, item)
                elif isinstance(item, Ping):
                    with contextlib.suppress(Broken):  # the next read says the same
                        await socket.send(socket.frames.pong(item))
                else:
                    await self._provider_closed(bound, item)
                    return

    async def _provider_closed(self, bound: Bound, item: Closed) -> None:
        bound.socket.close(item.code)
        if item.fault:
            await self._lost(bound, "bad_answer")
        else:
            await self._lost(bound, "cut", Closed(item.code, item.reason))

    async def _told(self, bound: Bound, message: Message) -> None:
        """One message of the provider's."""
        data = message.data
        event = realtime.read_event(data)
        if event.kind is Kind.LAST:
            data = await self._ended(bound, event, data)
        elif event.kind is Kind.CREATED:
            await self._created(bound, event)
        elif event.kind is Kind.OUTPUT:
            turn = self._lanes.speaking(event.response, event.lane)
            if turn is not None:
                turn.see(event)
        elif event.kind is Kind.ERROR:
            await self._refused(event)
        out = Message(scrub(data, bound.secrets()), message.text)
        await self._outbox.put(self._frames.message(out))
        self._heard = self._last = self._loop.time()
        self._quiet()

    async def _created(self, bound: Bound, event: ServerEvent) -> None:
        turn = self._lanes.created(event.response, event.lane)
        if turn is None:
            turn = await self._unasked(bound, event)
        if turn is not None:
            turn.began = True
            turn.attempt.status = 101
            turn.attempt.first_byte = self.services.settlement.clock.monotonic()

    async def _unasked(self, bound: Bound, event: ServerEvent) -> Turn | None:
        """The provider answers by itself, as on voice activity: a call like any other, with its row
        before the client sees of it. Where it may not be, the provider is told to stop.
        """
        try:
            if len(self._lanes) >= MAX_TURNS:
                return None
            model = bound.exchange.call.model
            body = realtime.unasked_body(model, self.route.operation)
            exchange = await self._exchange(body)
            exchange.plan = bound.exchange.plan
            turn = await self._turn(exchange, bound.target)
        except Fault as fault:
            await self._send(bound, Message(realtime.cancel_event(event.response)))
            await self._outbox.put(self._error(fault))
            return None
        self.inbox.busy = True
        self._stirred.set()
        self._lanes.begin(event.response or turn.attempt.id, turn, event.lane)
        return turn

    async def _ended(self, bound: Bound, event: ServerEvent, data: bytes) -> bytes:
        """The last event of a response, with its energy, after its settlement is durable."""
        if self._lanes.over(event.response):
            return data  # told twice: owed once
        turn = self._lanes.ended(event.response, event.lane)
        if turn is None:
            turn = await self._owed(bound)
        if turn is None:
            return data
        turn.see(event)
        if event.word is not None and event.count.usage is None:
            settled = self._ends.failed(turn, event.word)
        else:
            settled = self._ends.complete(turn)
        exchange = turn.exchange
        if settled is not None:
            await self.services.settlement.committed(exchange, settled)
        usage, energy = exchange.usage, exchange.energy
        if usage is None or energy is None:
            return data
        self._context = usage.total
        return data if bound.passed else realtime.with_energy(data, usage, energy)

    async def _owed(self, bound: Bound) -> Turn | None:
        """A turn for a response that was never seen to begin, or was not wanted: it is owed all the same."""
        call = replace(bound.exchange.call, id=new_id("req"))
        exchange = replace(
            bound.exchange,
            call=call,
            attempts=[],
            failures=[],
            caller_ticket=None,
            began=self.services.settlement.clock.monotonic(),
        )
        try:
            attempt = await self.services.owed.begin(exchange, bound.target)
        except Fault as fault:
            log.warning("%s: a response can't be recorded: %s", call.id, fault.code)
            return None
        if attempt is None:
            return None
        return Turn(exchange, attempt, Meter(call, call.tokens), self._loop.time())

    async def _refused(self, event: ServerEvent) -> None:
        """An error of the provider's: the end of a response, or about another message."""
        turn = self._lanes.refused(event.asked_by, event.lane)
        if turn is None and self.route.operation is Operation.RESPONSES:
            turn = self._lanes.failed(event.lane)
        if turn is not None:
            settled = self._ends.failed(turn, event.word or "server_error")
            await self._durable(turn, settled)

    async def _lost(self, bound: Bound, code: str, closed: Closed | None = None) -> None:
        """The provider's end is gone, and with it this conversation."""
        if self._ending or self.bound is None or bound.socket is not self.bound.socket:
            return
        self._ending = True
        bound.socket.close()
        turns = self._lanes.drain()
        for turn in turns:
            await self._durable(turn, self._ends.lost(turn, code))
        if turns:
            fault = UpstreamFault(
                f"The provider broke off in the middle of its answer ({code}).",
                code="upstream_broke_off",
                should_retry=False,
            )
            self._outbox.put_now(self._error(fault))
        if closed is not None:
            self._end(closed.code, scrub(closed.reason.encode(), bound.secrets()).decode())
        else:
            self._end(INTERNAL_ERROR, f"the provider's connection ended ({code})")

    async def _durable(self, turn: Turn, settled: Awaitable[bool] | None) -> None:
        if settled is not None:
            await self.services.settlement.committed(turn.exchange, settled)

    # Time.

    async def _watch(self) -> None:
        """End what is silent for too long. A message does not wake it: it looks when the last one was."""
        while (due := self._due()) > self._loop.time():
            self._stirred.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._stirred.wait()
        if len(self._lanes) and self.bound is not None:
            await self._lost(self.bound, "idle_timeout")
        else:
            self._end(GOING_AWAY, "nothing was said for too long")

    def _due(self) -> float:
        """When the provider has been silent for too long in a response; without one, when everybody has."""
        if not len(self._lanes) or self.bound is None:
            return self._last + IDLE
        timeouts = _timeouts(self.bound.target)
        if self._outbox.full:  # it is the client that we wait for
            return self._loop.time() + timeouts.idle
        asked = max(turn.asked for turn in self._lanes.turns())
        if self._heard < asked:
            return asked + timeouts.first_byte
        return self._heard + timeouts.idle

    def _quiet(self) -> None:
        """After each message: a sidecar that stops waits only for responses under way."""
        self.inbox.busy = len(self._lanes) > 0
        if self.inbox.retiring and not self.inbox.busy:
            self._end(SERVICE_RESTART, "the sidecar stops")

    def _error(self, fault: Fault, asked_by: str | None = None, lane: str | None = None) -> bytes:
        event = realtime.error_event(fault, self.route.operation, new_id("event"), asked_by, lane)
        return self._frames.message(Message(event))


def _names(message: Message) -> tuple[str | None, str | None]:
    """What an error that answers this message is found by: `event_id`, and `stream_id`."""
    frame = realtime.peek_frame(message.data)
    return realtime.identity(frame.get("event_id")), realtime.identity(frame.get("stream_id"))


def shutting_down() -> OurFault:
    """The fault of a call that meets the sidecar's end."""
    return OurFault(
        "The sidecar is shutting down.",
        status=503,
        code="shutting_down",
        kind=FaultKind.UNAVAILABLE,
        retry_after=1,
    )


def _timeouts(target: Target) -> Timeouts:
    return target.timeouts or target.provider.timeouts


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
