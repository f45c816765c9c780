"""What answers calls: opening, attempts, answers, and conversations over sockets."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass

from wattline.app.callers import Callers
from wattline.app.ground import Ground
from wattline.app.memory import Memory
from wattline.app.records import Records
from wattline.base.tasks import spawn
from wattline.rules.book import Book
from wattline.rules.elsewhere import Elsewhere
from wattline.service.answers import Answers
from wattline.service.attempts import Attempts
from wattline.service.caching.cache import Cache
from wattline.service.caching.caching import Caching
from wattline.service.earlier import Earlier
from wattline.service.idempotency.calls import CallsOnce
from wattline.service.idempotency.once import Once
from wattline.service.metering.payloads import Payloads
from wattline.service.opening import Opening
from wattline.service.outgoing.bypass import Bypass
from wattline.service.outgoing.inlining import Inlining
from wattline.service.shadowing import Shadows
from wattline.service.sockets.bound import Services
from wattline.service.sockets.client_end import MAX_MESSAGE
from wattline.service.sockets.sockets import Sockets
from wattline.service.sockets.turns import OwedAttempts, TurnAttempts
from wattline.service.sockets.upgrades import Upgrades
from wattline.service.unsent import Unsent
from wattline.service.watching.conversed import Witnesses
from wattline.service.watching.passing import Proving
from wattline.store.books import BookRow
from wattline.store.made import was_made
from wattline.upstream.image_policy import ImagePolicy
from wattline.upstream.images import Images
from wattline.upstream.sockets import SocketConnector


@dataclass(frozen=True, slots=True, repr=False)
class Calls:
    """`repeatable` asks `answers` once for calls with an Idempotency-Key, `once` remembers those."""

    answers: Answers
    shadows: Shadows
    once: Once
    repeatable: CallsOnce
    sockets: Sockets


@dataclass(frozen=True, slots=True, repr=False)
class Calling:
    """Makes `Calls` out of what is there before them. `mark`: tell upstreams each attempt's id."""

    ground: Ground
    memory: Memory
    callers: Callers
    records: Records
    mark: bool

    def made(self) -> Calls:
        """All that answers calls. Raises SettingsError."""
        ground, settlement = self.ground, self.records.settlement
        opening = self._opening()
        answers = self._answers(opening)
        shadows = Shadows(self.memory.view, ground.clock, settlement.counts, answers.exchanged)
        answers.shadows = shadows
        ground.exit.push_async_callback(shadows.close)
        once = Once(ground.ledger.repeats, ground.clock, ground.book)
        return Calls(
            answers, shadows, once, self._repeatable(answers, once), self._sockets(opening)
        )

    def _opening(self) -> Opening:
        ground, memory, callers = self.ground, self.memory, self.callers
        return Opening(
            ground.books,
            ground.dialects,
            memory.windows,
            memory.view,
            ground.clock,
            random.Random(),  # noqa: S311  (no secret is drawn)
            memory.remembered,
            current=callers.directory.current,
            own_keys=callers.own_keys,
            earlier=self._earlier(),
            unsent=Unsent(ground.ledger.decisions, ground.clock),
            met=lambda book: _note_book(ground, book),
        )

    def _earlier(self) -> Earlier:
        file = self.ground.ledger_file
        return Earlier(
            self.memory.remembered,
            lambda caller, made: asyncio.to_thread(was_made, file, caller, made),
        )

    def _answers(self, opening: Opening) -> Answers:
        ground, settlement = self.ground, self.records.settlement
        attempts = self._attempts()
        caching = Caching(Cache(ground.clock), attempts, settlement)
        payloads = _payloads(ground)
        answers = Answers(opening, attempts, settlement, ground.clock, caching, payloads)
        answers.proving = Proving(self.records.carried)
        answers.bypass = Bypass(ground.upstream, ground.pseudonym, settlement.counts)
        answers.bypass.watching = self.records.census is not None
        return answers

    def _attempts(self) -> Attempts:
        ground = self.ground
        images = Images(listeners=ground.listeners)
        return Attempts(
            ground.upstream,
            ground.ledger,
            self.memory.windows,
            self.records.settlement,
            ground.clock,
            ground.pseudonym,
            Inlining(images, ImagePolicy.from_env(ground.settings.env)),
            spending=self.memory.spending,
            mark=self.mark,
        )

    def _repeatable(self, answers: Answers, once: Once) -> CallsOnce:
        return CallsOnce(
            answers,
            once,
            self.ground.books,
            self.ground.dialects,
            self.callers.directory.current,
            self.records.settlement.counts,
            permit=answers.opening.permit,
            watching=self.records.census is not None,
        )

    def _sockets(self, opening: Opening) -> Sockets:
        ground, memory, settlement = self.ground, self.memory, self.records.settlement
        common = (
            ground.upstream,
            ground.ledger,
            memory.windows,
            settlement,
            ground.clock,
            ground.pseudonym,
        )
        connector = SocketConnector(ground.listeners, max_bytes=MAX_MESSAGE)
        return Sockets(
            Services(
                opening,
                TurnAttempts(*common, spending=memory.spending),
                OwedAttempts(*common, spending=memory.spending),
                settlement,
                Upgrades(connector, settlement, ground.pseudonym),
                Witnesses(self.records.carried),
            )
        )


def _payloads(ground: Ground) -> Payloads | None:
    payloads = Payloads.from_env(ground.settings.env)
    if payloads is not None:
        warning = spawn(payloads.warn(), name="warn of payloads in the log")
        ground.exit.callback(warning.cancel)
    return payloads


def _note_book(ground: Ground, book: Book) -> None:
    """Past calls are explained by the rules that decided them. With the first of them, so that a start writes
    nothing.
    """
    at = int(ground.clock.wall() * 1000)
    with contextlib.suppress(OSError):
        text = ground.books.path.read_text("utf-8", "replace")
        ground.ledger.books.note(BookRow(book.version, at, text, Elsewhere.of(book).providers))
