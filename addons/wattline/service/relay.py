"""One streamed answer between an upstream and its client: start-up hold, pieces, held tail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from wattline.dialects.base import Dialect, Energy, StreamReader
from wattline.engine.failover import StartupHold
from wattline.engine.meter import Meter
from wattline.upstream.base import Broken, Incoming
from wattline.wire.call import Call
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import EventTooLarge
from wattline.wire.usage import Usage

SLICE = 16_384
"""Bytes of a stream that are read in one turn of the loop."""
DRAIN_SECONDS = 0.05
"""After the end marker: how long to wait for the upstream's own end, so that its connection can be
used again. The ledger's commit runs meanwhile."""


class InBand(Exception):
    """The upstream reported an error inside its 200. `word` says which."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word

    @property
    def code(self) -> str:
        """As the ledger has it."""
        return f"inband_{self.word}"


@dataclass(frozen=True, slots=True)
class Held:
    """What a stream's tail is made of: the event with its usage, an earlier event that a new one can be made
    like, and the end marker.
    """

    usage: Piece | None
    like: Piece | None
    end: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes in it."""
        pieces = (self.usage, self.like)
        return len(self.end) + sum(len(piece.raw) for piece in pieces if piece is not None)

    @property
    def raw(self) -> bytes:
        """The tail as the upstream sent it."""
        usage = self.usage
        return (usage.raw if usage and usage.mark is not Mark.OUTPUT else b"") + self.end

    def tail(self, dialect: Dialect, call: Call, usage: Usage, energy: Energy | None) -> bytes:
        """The usage event with its energy, and the end marker as the upstream sent it. Without an
        energy (a call that is only passed on) all of it as it came.
        """
        if energy is None:
            return self.raw
        return dialect.write_usage(call, self.usage, usage, energy, self.like) + self.end


class StreamRelay:
    """Reads pieces, lets the meter see each, and holds back what the rules hold back: start-up events
    until the first output, and the usage and the end marker until the ledger has committed.
    """

    __slots__ = (
        "_data",
        "_end",
        "_failed",
        "_finished",
        "_held",
        "_like",
        "_reader",
        "_unread",
        "_usage",
        "call",
        "dialect",
        "ended",
        "fault",
        "meter",
        "passed",
        "shown",
    )

    def __init__(
        self,
        dialect: Dialect,
        call: Call,
        incoming: Incoming,
        meter: Meter,
        reader: StreamReader | None = None,
        *,
        passed: bool = False,
    ) -> None:
        """`reader` where the upstream speaks another dialect than the client. `passed`: errors and an end without its
        mark are the host's word, and go on as they are.
        """
        self.passed = passed
        self.fault: str | None = None
        """The code of what was wrong and went on."""
        self.dialect = dialect
        self.call = call
        self.meter = meter
        self.ended = False
        """The answer came to its own end."""
        self.shown = False
        """Something of the answer came, or its end."""
        self._reader: StreamReader = reader or dialect.reader(call)
        self._data = aiter(incoming.pieces())
        self._finished = False
        self._failed: InBand | None = None
        self._held: list[bytes] = []
        self._unread = b""
        self._usage: Piece | None = None
        self._like: Piece | None = None
        self._end: list[bytes] = []

    async def start(self, seconds: float) -> None:
        """Read until the first output, or until the hold's bounds are reached.

        Raises Broken (`first_byte_timeout`, `cut`, `bad_answer` or the upstream's own), InBand.
        """
        hold = StartupHold()
        try:
            async with asyncio.timeout(seconds):
                while not self._open(await self._next(), hold):
                    pass
        except TimeoutError as error:
            raise Broken("first_byte_timeout", "no output in time", sent=True) from error
        except StopAsyncIteration as error:
            if self.passed:
                return
            if not self._finished and not self.ended:
                raise Broken("cut", "the stream ended before any output", sent=True) from error

    def _open(self, pieces: Sequence[Piece], hold: StartupHold) -> bool:
        release = False
        for piece in pieces:
            if piece.mark is Mark.ERROR:
                error = InBand(piece.error or "server_error")
                if not self.passed:
                    raise error
                self.fault = error.code
            self._keep(piece, self._held)
            release = hold.add(piece) or release
        self.shown = self.ended or _some_output(pieces)
        return release or self.ended

    async def _next(self) -> Sequence[Piece]:
        if not self._unread:
            try:
                self._unread = await anext(self._data)
            except StopAsyncIteration:
                if pieces := self._reader.end():
                    return pieces
                raise
        elif len(self._unread) >= SLICE:
            await asyncio.sleep(0)  # a flood of small events must not stop the other calls
        data, self._unread = self._unread[:SLICE], self._unread[SLICE:]
        try:
            return self._reader.feed(data)
        except EventTooLarge as error:
            raise Broken("bad_answer", "one event is too large", sent=True) from error

    def _keep(self, piece: Piece, passing: list[bytes]) -> None:
        """Meter a piece and put it where it belongs."""
        self.meter.see(piece)
        self._finished = self._finished or piece.finish
        if piece.mark is Mark.END:
            self.ended = True
            if piece.finish:  # a last event that carries the usage, not a bare marker
                self._usage = piece
            else:
                self._end.append(piece.raw)
        elif piece.mark is Mark.USAGE:
            self._usage = piece
        elif not self.ended:
            passing.append(piece.raw)
            if self._like is None and piece.model is not None:
                self._like = piece
            if piece.usage is not None and piece.mark is Mark.OUTPUT:
                self._usage = piece

    @property
    def held(self) -> Held:
        """What the tail is made of, as far as it came."""
        return Held(self._usage, self._like, b"".join(self._end))

    @property
    def begun(self) -> bytes | None:
        """The event that said which answer has begun; None before it."""
        return None if self._like is None else self._like.raw

    async def next(self) -> bytes:
        """What comes next for the client, the held start first; empty when only the tail is left.

        Raises Broken when the upstream breaks off, InBand for an error event.
        """
        passing, self._held = self._held, []
        while not passing and not self.ended:
            if self._failed is not None:
                raise self._failed
            try:
                pieces = await self._next()
            except StopAsyncIteration:
                break
            for piece in pieces:
                if piece.mark is Mark.ERROR:  # told after what came before it
                    error = InBand(piece.error or "server_error")
                    if not self.passed:
                        self._failed = error
                        break
                    self.fault = error.code
                self._keep(piece, passing)
            if not self.shown:  # it was too much to be held until the first output
                self.shown = _some_output(pieces)
        if not passing and not self.ended:
            self._end_here()
        return b"".join(passing)

    def _end_here(self) -> None:
        """The upstream sent all. Raises Broken where that was not an end."""
        if not self._finished:
            if not self.passed:
                raise Broken("cut", "the stream ended without its end", sent=True)
            self.fault = self.fault or "cut"
        self.ended = True

    async def drain(self) -> None:
        """After the end marker: read what little the upstream still sends."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while True:
                    await anext(self._data)
        except (StopAsyncIteration, TimeoutError, Broken):
            return

    def tail(self, usage: Usage, energy: Energy | None) -> bytes:
        """See `Held.tail`."""
        return self.held.tail(self.dialect, self.call, usage, energy)


def _some_output(pieces: Sequence[Piece]) -> bool:
    return any(piece.mark is Mark.OUTPUT for piece in pieces)
