"""The choice of the provider that a client's messages go to, and the change to another.

A conversation stays with its provider, and with the key that its connection was opened with, since what it is about
lies there. It moves between responses only: to the provider of another model; or, in the Responses API, to another
key of the same provider, when its own is refused or full, or made nothing of what the next response goes on from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from wattline.base.errors import ClientFault, Fault
from wattline.rules.compiled.target import Target
from wattline.service.exchange import Exchange
from wattline.service.parting import ending
from wattline.service.passing import passing_target
from wattline.service.sockets.bound import Bound, Services
from wattline.service.sockets.provider_end import ProviderEnd
from wattline.service.sockets.responses import Responses
from wattline.service.sockets.upgrades import INCAPABLE, Answered, speaks
from wattline.wire.call import Operation
from wattline.wire.websocket import NORMAL

type Listen = Callable[[Bound], asyncio.Task[None]]


@dataclass(slots=True, repr=False)
class Binding:
    """`listen` begins to hear a provider; `incapable` is called when no provider of a model has WebSockets."""

    services: Services
    provider: ProviderEnd
    responses: Responses
    listen: Listen
    incapable: Callable[[], None]
    _relay: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Listen to the provider that the upgrade led to, if it named a model."""
        if self.provider.bound is not None:
            self._relay = self.listen(self.provider.bound)

    async def bind(self, exchange: Exchange) -> Bound:
        """The provider of this response: the one that is there, unless another must be asked. Raises Fault."""
        bound = self.provider.bound
        if bound is not None and self._stays(exchange, bound):
            exchange.plan = bound.exchange.plan
            return bound
        if bound is not None:
            same = _same_provider(exchange, bound)
            if same is not None:
                bound = Bound(exchange, same, bound.socket, bound.witness)
                self.provider.bound = bound
                return bound
            await self._leave(bound)
        return await self._reach(exchange)

    def _stays(self, exchange: Exchange, bound: Bound) -> bool:
        """The response is of the same model, and no other key is to be used for it."""
        if exchange.call.operation is Operation.REALTIME:
            return True
        if exchange.call.model != bound.exchange.call.model:
            return False
        return len(self.responses) > 0 or not _wants_other_key(exchange, bound)

    async def _leave(self, bound: Bound) -> None:
        """Once its last message is with the client. Raises ClientFault while a response is under way."""
        async with self.provider.telling:
            if len(self.responses):
                raise ClientFault(
                    "The model is served by another provider. Wait for the response under way, or use a "
                    "connection of its own.",
                    code="other_provider",
                    param="model",
                )
            if self.provider.lost:
                raise ending()
            await self._unbind(bound)

    async def _unbind(self, bound: Bound) -> None:
        """The relay holds nothing: it reads, or waits for the lock that its caller has."""
        self.provider.over()
        self.provider.bound = None
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
        witness = self.services.witnesses.witness(exchange, target)
        bound = self.provider.bound = Bound(exchange, target, socket, witness)
        self._relay = self.listen(bound)
        return bound


def _same_provider(exchange: Exchange, bound: Bound) -> Target | None:
    """The first choice for another model, if that is the provider at the other end."""
    plan = exchange.plan
    if plan.passed != bound.passed:
        return None
    if plan.passed:
        return passing_target(exchange.request, exchange.call, exchange.book.limits)
    first = next((target for target in plan.targets if speaks(target, exchange)), None)
    if first is None:
        return None
    wanted = (target for target in plan.targets if str(target) == str(first))
    return next((target for target in wanted if target.provider == bound.target.provider), None)


def _wants_other_key(exchange: Exchange, bound: Bound) -> bool:
    """The plan has the provider's model with other keys alone."""
    if not bound.target.provider.key:
        return False
    keys = [target for target in exchange.plan.targets if str(target) == str(bound.target)]
    return bool(keys) and all(target.account != bound.target.account for target in keys)
