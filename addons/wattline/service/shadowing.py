"""Shadow calls: a share of a rule's calls, asked of another target too once their client has its answer.

Rules of this file. A shadow call never delays, changes or bills the call that it is a copy of. It has an
account, a row and a call id of its own; of the caller's it takes no window, budget or balance. What can't be
asked at once is dropped, never queued.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final

from wattline.base.clock import Clock
from wattline.base.errors import Fault
from wattline.base.ids import new_id
from wattline.base.tasks import spawn
from wattline.engine.decide import obstacle_of
from wattline.engine.plan import Plan
from wattline.engine.targets import as_asked
from wattline.engine.view import View
from wattline.rules.compiled.provider import FROM_CACHE
from wattline.rules.compiled.target import Target
from wattline.service.exchange import Exchange
from wattline.service.large import LARGE
from wattline.service.metering.counts import Counts
from wattline.store.base import State
from wattline.wire.call import SHADOW, Operation
from wattline.wire.http import Departure, Ending, Items, Truncated

log = logging.getLogger("wattline.shadow")

MOST: Final = 8
"""Shadow calls under way at one time."""
_COPIED: Final = frozenset({Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDINGS})
"""Operations that leave nothing behind at the provider."""


@dataclass(slots=True)
class Shadows:
    """Copies calls. `ask` makes the attempts of an exchange."""

    view: View
    clock: Clock
    counts: Counts
    ask: Callable[[Exchange], Items]
    most: int = MOST
    _open: dict[asyncio.Task[None], Exchange] = field(default_factory=dict, repr=False)
    _closed: bool = False

    async def around(self, exchange: Exchange, items: Items) -> Items:
        """The items of a call's answer, and its copy begun after them."""
        copy = self.copy(exchange)
        try:
            async with aclosing(items):
                async for item in items:
                    yield item
        finally:
            if copy is not None:
                self.begin(copy, exchange)

    def copy(self, exchange: Exchange) -> Exchange | None:
        """The exchange of a shadow call, while the call still has its body; None where it may have none."""
        shadow = exchange.plan.shadow
        if shadow is None or not may_be_copied(exchange):
            return None
        target = as_asked(shadow.target, exchange.call, exchange.book)
        if not _allowed(exchange, target):
            return None
        plan = exchange.plan
        asked = Plan(
            rule=plan.rule,
            position=plan.position,
            targets=(target,),
            defaults=plan.defaults,
            overrides=plan.overrides,
            adapt=plan.adapt,
            drop=plan.drop,
            version=plan.version,
        )
        request = replace(exchange.request, id=new_id("shadow"), departure=Departure(), notice=None)
        call = replace(exchange.call, id=request.id, principal=SHADOW)
        return Exchange(
            request=request,
            route=exchange.route,
            dialect=exchange.dialect,
            call=call,
            book=exchange.book,
            plan=asked,
            body=exchange.body,
            value=exchange.value,
            began=exchange.began,
            shadow_of=exchange.call.id,
        )

    def begin(self, copy: Exchange, original: Exchange) -> None:
        """The original has ended: ask the copy, if that was answered and there is room."""
        if self._closed or original.state is not State.COMPLETE or not _by_operator(original):
            return
        if len(self._open) >= self.most:
            self._drop(copy, "too many under way")
            return
        now = self.clock.monotonic()
        skip = obstacle_of(copy.plan.targets[0], copy.call, self.view, now)
        if skip is not None:
            self._drop(copy, skip.code)
            return
        copy.began = now
        task = spawn(self._run(copy), name="shadow call")
        if not task.done():
            self._open[task] = copy
            task.add_done_callback(self._open.pop)

    async def close(self) -> None:
        """End those under way; each is settled on return."""
        self._closed = True
        for task, copy in list(self._open.items()):
            copy.request.departure.reason = Ending.SHUTDOWN
            task.cancel()
        if self._open:
            await asyncio.wait(list(self._open))

    async def _run(self, copy: Exchange) -> None:
        await asyncio.sleep(0)  # a new task runs at once up to here: the client's end goes first
        outcome = "answered"
        try:
            async with aclosing(self.ask(copy)) as items:
                async for _ in items:
                    pass
        except Fault as fault:
            outcome = str(fault.code or "failed")
        except (Truncated, asyncio.CancelledError):
            outcome = "broken_off"
        except Exception:
            log.exception("%s failed", copy.call.id)
            outcome = "failed"
        if not copy.attempts:
            self._drop(copy, outcome)
            return
        self.counts.shadow("sent")
        log.info("%s copy of %s: %s", copy.call.id, copy.shadow_of, outcome)

    def _drop(self, copy: Exchange, why: str) -> None:
        self.counts.shadow("dropped")
        log.debug("%s is not asked at %s: %s", copy.shadow_of, copy.plan.targets[0], why)


def may_be_copied(exchange: Exchange) -> bool:
    """Asking it twice changes nothing: no key that says once, no upload, nothing that the provider keeps."""
    body, value = exchange.body, exchange.value
    if exchange.call.operation not in _COPIED or not isinstance(body, bytes) or len(body) > LARGE:
        return False
    if value.get("store") or exchange.plan.fault is not None:
        return False
    return exchange.request.header("idempotency-key") is None


def _allowed(exchange: Exchange, target: Target) -> bool:
    """A caller's key that is for some models only is for those only, whoever asks."""
    allowed = exchange.call.principal.models
    if allowed is None:
        return True
    return allowed.matches(target.entry) or allowed.matches(str(target))


def _by_operator(original: Exchange) -> bool:
    """Answered by a provider, with the operator's key: whoever has a contract of its own with a provider
    did not choose another one's.
    """
    last = original.attempts[-1].target
    return last.owner is None and last.provider.name != FROM_CACHE
