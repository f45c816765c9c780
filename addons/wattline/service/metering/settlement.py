"""The end of an attempt, exactly once: ledger, windows, rests."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from wattline.base.clock import Clock
from wattline.dialects.base import Energy
from wattline.engine.affinity import Affinity
from wattline.engine.audio import speech_energy, transcription_energy
from wattline.engine.energy import energy as energy_of
from wattline.engine.failover import Verdict
from wattline.engine.health import Health
from wattline.engine.rest import Resting
from wattline.engine.summary import Failure
from wattline.engine.windows import Windows
from wattline.rules.book import Book
from wattline.rules.compiled.provider import FROM_CACHE
from wattline.rules.compiled.target import Target
from wattline.service.exchange import Attempt, Exchange, Sound
from wattline.service.metering.counts import Counts
from wattline.service.metering.prompt_caches import Diagnosis
from wattline.service.metering.rests import Rests
from wattline.store.base import Ledger, LedgerDown, Settled, State
from wattline.wire.http import Ending
from wattline.wire.usage import Usage

log = logging.getLogger("wattline.attempts")


@dataclass(slots=True)
class Settlement:
    """Closes attempts. Every way out of an attempt comes here, and only the first counts."""

    ledger: Ledger
    windows: Windows
    rests: Rests
    clock: Clock
    counts: Counts = field(default_factory=Counts)
    """What `/metrics` tells."""
    health: Health = field(default_factory=Health)
    affinity: Affinity = field(default_factory=Affinity)
    diagnosis: Diagnosis | None = None
    excluded: Callable[[str, str], bool] = lambda _code, _said: False
    """Says of an error's code and words that it counts against no target."""

    @property
    def resting(self) -> Resting:
        """The accounts that rest."""
        return self.rests.resting

    def failed(
        self,
        exchange: Exchange,
        attempt: Attempt,
        verdict: Verdict,
        why: str = "",
        said: str = "",
    ) -> Failure:
        """The upstream failed before any output: nothing is owed and its slot is given back. `why` is for the
        log, `said` is what the provider answered: it is compared with the exclusions and goes nowhere.
        """
        now = self.clock.monotonic()
        self.windows.release(attempt.ticket, now)
        wait = verdict.retry_after
        if attempt.drill is None:
            wait = self.rests.after(verdict, attempt.target, exchange.book, attempt.began) or wait
        counted = attempt.drill is None and verdict.next
        flags = (EXCLUDED,) if counted and self.excluded(verdict.code, said) else ()
        if counted and not flags:
            self.health.bad(
                attempt.target.place,
                verdict.code,
                now,
                began=attempt.began,
                permit=attempt.permit,
            )
        else:  # made up, the call's own fault, or one that an operator expects
            self.health.release(attempt.target.place, attempt.permit)
        self._queue(attempt, State.FAILED, None, None, verdict.code, flags)
        self.counts.failed(attempt, exchange.book, verdict.code)
        failure = Failure(str(attempt.target), verdict.code, wait)
        exchange.failures.append(failure)
        log.warning(
            "%s attempt %d: %s failed: %s%s%s",
            exchange.call.id,
            attempt.number,
            attempt.target.label,
            verdict.code,
            f" ({why})" if why else "",
            "" if attempt.drill is None else f" (drill: {attempt.drill})",
        )
        return failure

    def over(
        self,
        exchange: Exchange,
        attempt: Attempt,
        state: State,
        usage: Usage,
        flags: tuple[str, ...] = (),
        error: str | None = None,
        energy: Energy | None = None,
    ) -> Awaitable[bool]:
        """The attempt used tokens: they are owed, whether the client saw the end or not. `energy` where
        their price is another than the target's.
        """
        now = self.clock.monotonic()
        self.windows.settle(attempt.ticket, usage.total, now)
        if exchange.caller_ticket is not None:
            self.windows.settle(exchange.caller_ticket, _sum(exchange, usage).total, now)
        if energy is None:
            energy = price(usage, attempt.target, exchange.book, exchange.sound)
        if free_of_charge(attempt.target, exchange.book):
            energy = Energy(0)
        if energy.micro and self._is_bonus(exchange, attempt):
            energy, flags = Energy(0), (*flags, BONUS)
        exchange.usage, exchange.state = _sum(exchange, usage), state
        exchange.energy = energy if exchange.before is None else _both(exchange.before[1], energy)
        if state is State.COMPLETE:
            exchange.request.departure.paid = True
        self.counts.over(attempt, exchange.book, state, usage, energy.micro)
        if state is State.TRUNCATED and error is not None and self.excluded(error, ""):
            flags = (*flags, EXCLUDED)
        self._note(attempt, state, None if EXCLUDED in flags else error, now)
        if exchange.plan.kept is not None and state is not State.TRUNCATED:
            self._stick(exchange, attempt, now)
        if exchange.prompted is not None and self.diagnosis is not None:
            asked, wall = exchange.prompted, self.clock.wall()
            self.diagnosis.answered(exchange.call, asked, attempt.target, usage, now, wall)
        log.debug(
            "%s attempt %d: %s %s in %.0f ms, %d tokens",
            exchange.call.id,
            attempt.number,
            attempt.target,
            state,
            (now - attempt.began) * 1000,
            usage.total,
        )
        return self._queue(attempt, state, usage, energy.micro, error, flags)

    def _note(self, attempt: Attempt, state: State, error: str | None, now: float) -> None:
        """What the end of an attempt says of its target: a stream that broke off is a failure of its
        provider's, one that its client or we ended says nothing.
        """
        place, began, permit = attempt.target.place, attempt.began, attempt.permit
        if attempt.target.provider.name == FROM_CACHE:
            return
        if attempt.drill is not None:
            self.health.release(place, permit)
        elif state is State.COMPLETE:
            first = attempt.first_output
            first_ms = None if first is None else (first - began) * 1000
            total_ms = (now - began) * 1000
            self.health.good(place, now, first_ms, total_ms, began=began, permit=permit)
            if self.rests.backing_off:
                self.rests.answered(attempt.target.account, began)
        elif state is State.TRUNCATED and error is not None and error != Ending.SHUTDOWN:
            self.health.bad(place, error, now, began=began, permit=permit)
        else:
            self.health.release(place, permit)

    def _stick(self, exchange: Exchange, attempt: Attempt, now: float) -> None:
        """The next call of this conversation goes there first. An answer that was kept says nothing."""
        place = attempt.target.provider.name, attempt.target.model
        if any((t.provider.name, t.model) == place for t in exchange.plan.targets):
            self.affinity.stick(exchange.call, place, now)

    def _is_bonus(self, exchange: Exchange, attempt: Attempt) -> bool:
        """The caller is the account whose calls are free while its balance is high (A-119). What its other
        open calls hold is not counted.
        """
        rules, caller = exchange.book.accounts, exchange.call.principal.id
        if rules.bonus_user is None or caller != rules.bonus_user:
            return False
        balance = self.ledger.balance(caller)
        return balance is not None and balance + attempt.hold > rules.bonus_above

    def not_sent(self, attempt: Attempt) -> None:
        """The call was ended between its row and its first byte: nothing is owed."""
        self._queue(attempt, State.ABORTED, None, None, "not_sent", ("not_sent",))

    def ended(self, exchange: Exchange, now: float) -> None:
        """The call is over. Where no attempt used tokens, its caller's windows get back what they had reserved
        of them; that it was made still counts.
        """
        if exchange.caller_ticket is not None:
            self.windows.settle(exchange.caller_ticket, 0, now)

    async def committed(self, exchange: Exchange, settled: Awaitable[bool]) -> None:
        """Wait until a settlement is durable. A ledger that went down meanwhile keeps it in memory
        and writes it first when it is back; the client has its answer and gets its end.
        """
        try:
            await settled
        except LedgerDown as error:
            log.error("%s settled in memory only: %s", exchange.call.id, error)  # noqa: TRY400

    def _queue(
        self,
        attempt: Attempt,
        state: State,
        usage: Usage | None,
        micro: int | None,
        error: str | None,
        flags: tuple[str, ...],
    ) -> Awaitable[bool]:
        attempt.settled = True
        if attempt.target.owner is not None:
            flags = (*flags, OWN_KEY)
        if attempt.drill is not None:
            flags = (*flags, DRILL)
        if attempt.marks:
            flags = (*flags, *attempt.marks)
        now = self.clock.monotonic()
        if attempt.reserved is not None:
            attempt.reserved.settle(micro or 0, now)
        first = attempt.first_output
        return self.ledger.settle(
            Settled(
                attempt=attempt.id,
                at=int(self.clock.wall() * 1000),
                state=state,
                status=attempt.status,
                usage=usage,
                energy=micro,
                error=error,
                flags=flags,
                first_byte_ms=None if first is None else int((first - attempt.began) * 1000),
                total_ms=int((now - attempt.began) * 1000),
                made=attempt.made,
            )
        )


BONUS = "bonus"
"""The flag of an attempt that was free for its caller."""
DRILL = "drill"
"""The flag of an attempt that met a drill's fault."""
EXCLUDED = "excluded"
"""The flag of an attempt whose error counts against no target: a pattern of the exclusions has it (B-083)."""
OWN_KEY = "own_key"
"""The flag of an attempt with its caller's own key for the provider."""


def free_of_charge(target: Target, book: Book) -> bool:
    """The caller pays the provider itself, and by the rules nobody else."""
    return target.owner is not None and book.accounts.own_keys == "free"


def _sum(exchange: Exchange, usage: Usage) -> Usage:
    """With that of the attempts that this one goes on with."""
    return usage if exchange.before is None else exchange.before[0] + usage


def _both(one: Energy, other: Energy) -> Energy:
    if one.micro is None or other.micro is None:
        return Energy(None)
    return Energy(one.micro + other.micro)


def price(usage: Usage, target: Target, book: Book, sound: Sound | None = None) -> Energy:
    """What an answer costs at the rate of the model that gave it: sound by its length, all else by its
    tokens, sound of unknown length too.
    """
    micro = _sound_price(sound, target, book) if sound is not None else None
    if micro is not None:
        return Energy(micro)
    rate = target.rate if target.rate is not None else book.default_rate
    return Energy(energy_of(usage.total, rate, book.margin))


def _sound_price(sound: Sound, target: Target, book: Book) -> int | None:
    if sound.characters is not None:
        rate = target.per_character
        return speech_energy(sound.characters, book.audio.per_character if rate is None else rate)
    rate = target.per_second
    return transcription_energy(sound.seconds, book.audio.per_second if rate is None else rate)
