"""What is written down, or counted, of calls that have ended and of what was passed on."""

from __future__ import annotations

from dataclasses import dataclass

from wattline.app.ground import Ground
from wattline.app.memory import Memory
from wattline.service.line_log import LineLog
from wattline.service.metering.error_log import MAX_BYTES, OLDER, ErrorLog, error_log_path
from wattline.service.metering.exclusions import NAME as EXCLUSIONS
from wattline.service.metering.exclusions import ExclusionsFile
from wattline.service.metering.settlement import Settlement
from wattline.service.reload import Books
from wattline.service.watching.carried import Carried
from wattline.service.watching.census import Census
from wattline.service.watching.proofs import Proofs, proof_file
from wattline.store.json_lines import JsonLines


@dataclass(frozen=True, slots=True, repr=False)
class Records:
    """`census` is who watches instead of the log of errors, if anybody does."""

    books: Books
    settlement: Settlement
    errors: ErrorLog
    proofs: Proofs
    census: Census | None

    def watched(self) -> tuple[bool, bool]:
        """Whether a new tunnel is counted, and whether proved."""
        proving = self.books.current.proof.tunnels
        return proving or self.census is not None, proving

    def prove(self, id: str, host: str, port: int) -> Carried | None:  # noqa: A002  (its name)
        """The record of a request that is passed on, where that is wanted."""
        if not self.books.current.proof.passed:
            return None
        return Carried.begun("request", id, host, port, proving=True)

    def carried(self, carried: Carried) -> None:
        """What was passed on is over."""
        if carried.proving:
            self.proofs.add(carried)
        if self.census is not None and carried.kind == "tunnel":
            self.census.carried(carried)


def make_records(ground: Ground, memory: Memory, census: Census | None) -> Records:
    """Their files are written to their end when all is closed."""
    errors = _error_log(ground)
    settlement = _settlement(ground, memory, errors.exclusions)
    proofs = Proofs(proof_file(ground.settings.state), ground.clock, settlement.counts)
    ground.exit.push_async_callback(proofs.written)
    settlement.counts.note = errors.note if census is None else census.note
    return Records(ground.books, settlement, errors, proofs, census)


def _settlement(ground: Ground, memory: Memory, exclusions: ExclusionsFile) -> Settlement:
    return Settlement(
        ground.ledger,
        memory.windows,
        memory.rests,
        ground.clock,
        health=memory.health,
        affinity=memory.affinity,
        diagnosis=memory.diagnosis,
        excluded=exclusions.match,
    )


def _error_log(ground: Ground) -> ErrorLog:
    """A line for each call that failed, without any key that we know."""
    state = ground.settings.state
    lines = LineLog(JsonLines(error_log_path(state), MAX_BYTES, OLDER), ground.secrets)
    ground.exit.push_async_callback(lines.written)
    ignores = lambda code: ground.book().health.ignores(code)  # noqa: E731, PLW0108  (other rules may come)
    return ErrorLog(lines, ExclusionsFile(state / EXCLUSIONS), ground.clock, ignores)
