"""One request for each Idempotency-Key: who is first, and what the others are told.

Rules of this file. A key is claimed in memory at once and in the ledger's file before the request has any
effect. What failed before it cost or changed anything gives its key back. All else uses it up: its answer is
given again as long as it is here, and is never made a second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Kind, OurFault
from wattline.rules.book import Book
from wattline.service.idempotency.kept import Answer, Kept, Place
from wattline.store.base import LedgerDown
from wattline.store.repeats import CLEANED, Earlier, Repeat

CLEAN_SECONDS: Final = 60.0
"""Between two looks for rows that are too old."""
LOOSE: Final = 10_000
"""Most keys that are remembered as free although their rows could not be deleted."""
WAIT_SECONDS: Final = 1.0


class Rows(Protocol):
    """The ledger's side (`store.repeats.Repeats`)."""

    def claim(self, repeat: Repeat, expired: int, *, again: bool = False) -> asyncio.Future[bool]:
        """Write the row; False when another request has the key."""
        ...

    def done(self, repeat: Repeat) -> asyncio.Future[bool]:
        """The request is over and counts."""
        ...

    def free(self, repeat: Repeat) -> asyncio.Future[bool]:
        """The request came to nothing."""
        ...

    def clean(self, expired: int) -> asyncio.Future[bool]:
        """Delete old rows."""
        ...

    def find(self, repeat: Repeat, expired: int) -> Earlier | None:
        """The row under a key. Blocking."""
        ...


class Claim:
    """The first request with a key, until one of `keep`, `free` and `use_up`; only the first counts."""

    def __init__(self, once: Once, repeat: Repeat) -> None:
        self._once = once
        self._repeat = repeat
        self._over = False

    def __repr__(self) -> str:
        return f"<Claim {'over' if self._over else 'running'}>"

    @property
    def kept(self) -> Kept:
        """Where its answer goes."""
        return self._once.kept

    def keep(self, answer: Answer) -> None:
        """It came to this answer, which is given again."""
        self._end(answer, free=False)

    def use_up(self) -> None:
        """It cost or changed something, and there is no whole answer."""
        self._end(None, free=False)

    def free(self) -> None:
        """It came to nothing: the next request with the key is the first."""
        self._end(None, free=True)

    def _end(self, answer: Answer | None, *, free: bool) -> None:
        if not self._over:
            self._over = True
            self._once.ended(self._repeat, answer, free=free)


class Once:
    """`book` gives the rules of the moment."""

    def __init__(self, rows: Rows, clock: Clock, book: Callable[[], Book]) -> None:
        self.kept = Kept(clock)
        self._rows, self._clock, self._book = rows, clock, book
        self._running: dict[Place, str] = {}
        self._loose: dict[Place, None] = {}
        self._cleaned = -CLEAN_SECONDS
        self._claims = 0

    async def begin(self, scope: str, key: str, request: str) -> Claim | Answer:
        """The claim of a first request, or the answer that it had. All three are digests.

        Raises ClientFault 409 (running, or its answer is gone), 422 (another request); OurFault 503.
        """
        place = Place(scope, key)
        self.kept.follow(self._book().limits)
        running = self._running.get(place)
        if running is not None:
            raise _busy() if running == request else _other()
        entry = self.kept.find(place)
        if entry is not None:
            if entry.request != request:
                raise _other()
            if entry.answer is None:
                raise _gone()
            return entry.answer
        self._running[place] = request
        return await self._claim(place, Repeat(scope, key, request, self._now()))

    async def _claim(self, place: Place, repeat: Repeat) -> Claim:
        self._clean()
        claim, expired = Claim(self, repeat), self._expired()
        done = self._rows.claim(repeat, expired, again=place in self._loose)
        try:
            won = await asyncio.shield(done)
        except asyncio.CancelledError:
            done.add_done_callback(lambda written: self._left(claim, place, written))
            raise
        except LedgerDown as error:
            if self._book().ledger.down == "allow":
                return claim
            del self._running[place]
            raise _down() from error
        except BaseException:
            del self._running[place]
            raise
        if won:
            self._loose.pop(place, None)
            return claim
        del self._running[place]
        raise await self._why(repeat, expired)

    async def _why(self, repeat: Repeat, expired: int) -> ClientFault:
        """What stands in the way of a request whose key is in the file. Raises OurFault."""
        try:
            earlier = await asyncio.to_thread(self._rows.find, repeat, expired)
        except LedgerDown as error:
            raise _down() from error
        if earlier is None:  # it has just become too old
            return _busy()
        return _gone() if earlier.request == repeat.request else _other()

    def _left(self, claim: Claim, place: Place, written: asyncio.Future[bool]) -> None:
        """The client left before its claim was written."""
        failed = written.cancelled() or written.exception() is not None
        if failed or not written.result():
            self._running.pop(place, None)
        else:
            claim.free()

    def ended(self, repeat: Repeat, answer: Answer | None, *, free: bool) -> None:
        """What a claim came to."""
        place = Place(repeat.scope, repeat.key)
        self._running.pop(place, None)
        if not free:
            self.kept.put(place, repeat.request, answer)
            self._rows.done(repeat)
            return
        freed = self._rows.free(repeat)
        freed.add_done_callback(lambda done: self._freed(place, done))

    def _freed(self, place: Place, done: asyncio.Future[bool]) -> None:
        if done.cancelled() or done.exception() is not None:
            while len(self._loose) >= LOOSE:
                del self._loose[next(iter(self._loose))]
            self._loose[place] = None

    def _clean(self) -> None:
        now = self._clock.monotonic()
        self._claims += 1
        if now - self._cleaned >= CLEAN_SECONDS or self._claims * 2 >= CLEANED:
            self._cleaned, self._claims = now, 0
            self._rows.clean(self._expired())

    def _now(self) -> int:
        return int(self._clock.wall() * 1000)

    def _expired(self) -> int:
        """Milliseconds since 1970: what is of then or before counts no more."""
        return self._now() - int(self._book().limits.idempotency_seconds * 1000)


def _busy() -> ClientFault:
    return ClientFault(
        "The first request with this Idempotency-Key is still running. Wait, then send the same again: you get "
        "its answer.",
        status=409,
        code="idempotency_key_in_use",
        retry_after=WAIT_SECONDS,
        should_retry=True,
    )


def _other() -> ClientFault:
    return ClientFault(
        "This Idempotency-Key came with another request before (method, path or body differ). Send a new key "
        "with each request that is to count by itself.",
        status=422,
        code="idempotency_key_reused",
        param="Idempotency-Key",
        should_retry=False,
    )


def _gone() -> ClientFault:
    return ClientFault(
        "The first request with this Idempotency-Key was served, so it is not made again; its answer is not "
        "here any more (broken off, too large, too long ago, or before a restart). To ask anew, send a new key.",
        status=409,
        code="idempotency_answer_gone",
        should_retry=False,
    )


def _down() -> OurFault:
    return OurFault(
        "The ledger can't be written, so nobody can tell whether this Idempotency-Key is new. The log says why.",
        status=503,
        code="ledger_down",
        kind=Kind.UNAVAILABLE,
        retry_after=5,
    )
