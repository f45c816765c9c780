"""Answers kept and given again, between the opening of a call and its attempts.

Rules of this file. An answer is given again only to the caller that it was made for. A hit is an attempt
with a row of its own, which says so, and its last bytes wait for the commit as any other's. Two equal calls
at the same time both go upstream: none waits for another that may fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final

from wattline.base.ids import new_id
from wattline.dialects.base import Energy
from wattline.engine.windows import Ticket
from wattline.rules.compiled.provider import FROM_CACHE
from wattline.rules.compiled.target import Target
from wattline.service.attempts import Attempts
from wattline.service.caching.cache import Cache, Entry, Key, digest_of
from wattline.service.caching.cacheable import Wish, deterministic, sound, wanted, wish_of
from wattline.service.caching.replay import as_asked, stream_of, whole_of
from wattline.service.entrance.headers import kept_headers
from wattline.service.entrance.redaction import redacted
from wattline.service.exchange import Attempt, Exchange
from wattline.service.metering.settlement import Settlement
from wattline.service.parting import uncancel
from wattline.store.base import State
from wattline.wire.call import Call
from wattline.wire.http import Ending, Head, Items, Whole

CACHED_ANSWER: Final = "cached_answer"
"""The flag of a hit's row in the ledger."""
IN_THREAD: Final = 65_536
"""Bytes of a request or an answer above which it is looked at in a thread."""

type Ask = Callable[[Exchange], Items]


@dataclass(slots=True)
class Caching:
    """Answers calls from the cache, or keeps what their attempts bring."""

    cache: Cache
    attempts: Attempts
    settlement: Settlement

    def answer(self, exchange: Exchange, ask: Ask) -> Items:
        """The items of a kept answer, or those of `ask`. Raises what they raise."""
        self.cache.follow(exchange.book)
        if not wanted(exchange):
            return ask(exchange)
        wish = wish_of(exchange.request)
        if wish is Wish.NONE or not deterministic(exchange):
            return ask(exchange)
        return self._answer(exchange, ask, wish)

    async def _answer(self, exchange: Exchange, ask: Ask, wish: Wish) -> Items:
        key = await _key(exchange)
        entry = self._found(exchange, key) if wish is Wish.ANY else None
        exchange.cache = "miss" if entry is None else "hit"
        items = self._kept(exchange, ask, key) if entry is None else self._hit(exchange, entry)
        async with aclosing(items):
            async for item in items:
                yield item

    def _found(self, exchange: Exchange, key: Key) -> Entry | None:
        """The entry that fits, made to the way in which the answer is wanted where that can be done."""
        call = exchange.call
        for place in (key, *_other_ways(key)):
            entry = self.cache.find(place)
            if entry is not None and (fits := as_asked(entry, call, exchange.dialect)) is not None:
                return fits
        return None

    async def _hit(self, exchange: Exchange, entry: Entry) -> Items:
        began = self.attempts.clock.monotonic()
        attempt = Attempt(new_id("att"), 1, _stand_in(entry.target), Ticket(()), began)
        energy = share_of(entry.energy, exchange.book.cache.hit_energy)
        row = replace(
            self.attempts.row(exchange, attempt),
            estimate=entry.usage.total,
            estimate_energy=energy.micro,
            hold=energy.micro or 0,
        )
        await self.attempts.write(exchange, attempt, row)
        settled = self.settlement.over(
            exchange, attempt, State.COMPLETE, entry.usage, (CACHED_ANSWER,), energy=energy
        )
        exchange.dropped = entry.dropped
        age = self.cache.clock.monotonic() - entry.at
        headers = kept_headers(exchange, entry.target, entry.content_type, age)
        if not entry.stream:
            body = whole_of(entry, exchange.call, exchange.dialect, energy)
            await self.settlement.committed(exchange, settled)
            exchange.delivered = True
            yield Whole(200, headers, redacted(body, entry.target))
            return
        await self.settlement.committed(exchange, settled)
        exchange.delivered = True
        exchange.forget()
        yield Head(200, headers)
        for block in stream_of(entry, exchange.call, exchange.dialect, energy):
            yield redacted(block, entry.target)

    async def _kept(self, exchange: Exchange, ask: Ask, key: Key) -> Items:
        """The items of `ask`; what they are is kept once they have come to a good end."""
        filling = Filling(self.cache)
        try:
            async with aclosing(ask(exchange)) as items:
                async for item in items:
                    filling.see(item)
                    yield item
            await self._keep(exchange, key, filling)
        finally:
            filling.close()

    async def _keep(self, exchange: Exchange, key: Key, filling: Filling) -> None:
        usage, energy = exchange.usage, exchange.energy
        body = filling.body(exchange)
        if exchange.state is not State.COMPLETE or usage is None or energy is None or body is None:
            return
        entry = Entry(
            at=self.cache.clock.monotonic(),
            target=exchange.attempts[-1].target,
            body=body,
            content_type=filling.content_type,
            usage=usage,
            energy=energy,
            dropped=exchange.dropped,
            held=exchange.held,
        )
        try:
            good = await _sound(entry, exchange.call)
        except asyncio.CancelledError:
            if exchange.request.departure.reason is not Ending.SHUTDOWN:
                raise
            uncancel()  # its client has all of it: a stop of ours must not break it off
            return
        if good:
            self.cache.keep(key, entry, exchange.book.version)


@dataclass(slots=True)
class Filling:
    """An answer under way, as long as there is room for it."""

    cache: Cache
    content_type: str = ""
    _parts: list[bytes] = field(default_factory=list, repr=False)
    _size: int = 0
    _full: bool = False

    def see(self, item: Head | Whole | bytes) -> None:
        """Note one item."""
        if isinstance(item, bytes):
            self._add(item)
            return
        self._full = self._full or item.status != 200
        self.content_type = next((v for n, v in item.headers if n == "content-type"), "")
        if isinstance(item, Whole):
            self._add(item.body)

    def _add(self, data: bytes) -> None:
        if self._full or not self.cache.admits(self._size, len(data)):
            self.close()
            self._full = True
            return
        self._parts.append(data)
        self._size += len(data)
        self.cache.filling += len(data)

    def body(self, exchange: Exchange) -> bytes | None:
        """The answer, a stream's without its tail (the last item); None where it can't be kept."""
        if self._full or not self._parts or exchange.call.stream != (exchange.held is not None):
            return None
        return b"".join(self._parts[:-1] if exchange.call.stream else self._parts)

    def close(self) -> None:
        """Give back the room. Idempotent."""
        self.cache.filling -= self._size
        self._parts, self._size = [], 0


async def _key(exchange: Exchange) -> Key:
    call, body, rule = exchange.call, exchange.body, exchange.plan.rule or ""
    assert isinstance(body, bytes)  # noqa: S101  (`wanted` has seen to it)
    args = call, exchange.request.headers, body, rule, exchange.book.version
    if len(body) > IN_THREAD:
        digest = await asyncio.to_thread(digest_of, *args)
    else:
        digest = digest_of(*args)
    return Key(digest, call.stream, call.stream and call.wants_usage)


async def _sound(entry: Entry, call: Call) -> bool:
    if entry.size > IN_THREAD:
        return await asyncio.to_thread(sound, entry, call)
    return sound(entry, call)


def _other_ways(key: Key) -> tuple[Key, ...]:
    """Where the same answer may be that came in another way. A whole one before a stream."""
    ways = ((False, False), (True, True), (True, False))
    found = (Key(key.digest, *way) for way in ways if way[0] != key.stream)
    return tuple(found)


def _stand_in(target: Target) -> Target:
    """The target as the ledger names it: who answers this time is the cache."""
    provider = replace(target.provider, name=FROM_CACHE, credential=None, windows=())
    return replace(target, provider=provider)


def share_of(energy: Energy, share: Fraction) -> Energy:
    """What a hit costs, rounded half to even. Nothing of what is unknown is nothing."""
    if not share:
        return Energy(0)
    return Energy(None if energy.micro is None else round(energy.micro * share))
