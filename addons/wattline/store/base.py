"""The ledger's verbs. Every store (memory, SQLite, later Postgres) does these and no policy."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from wattline.wire.usage import Usage


class State(StrEnum):
    """Where an attempt stands. All but `SENT` are final."""

    SENT = "sent"
    COMPLETE = "complete"
    ABORTED = "aborted"
    """The client went away."""
    TRUNCATED = "truncated"
    """The upstream broke off after output."""
    FAILED = "failed"
    """The upstream failed before output: nothing is owed."""
    UNSETTLED = "unsettled"
    """We died in between; closed by the next start with an estimate."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An attempt about to be sent. Times are milliseconds since 1970 UTC; energy is micro-units."""

    attempt: str
    call: str
    number: int
    """1 for the first attempt of a call."""
    at: int
    principal: str
    provider: str
    model: str
    entry: str
    requested: str
    """The model that the client asked for."""
    rule: str
    dialect: str
    operation: str
    stream: bool
    estimate: int
    """Tokens expected in all."""
    estimate_energy: int | None
    hold: int
    """Micro-units taken from the principal's free balance until settled; 0 for none."""
    book: str
    features: Mapping[str, Any] = field(default_factory=dict)
    """Inputs of the decision (no bodies, no secrets), so that rules can be backtested."""
    key: str | None = None
    """Id of the principal's key, where it has several."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How an attempt ended. `energy` None: no rate is known, nothing is debited."""

    attempt: str
    at: int
    state: State
    status: int | None
    """HTTP status of the upstream; None when there was none."""
    usage: Usage | None
    energy: int | None
    error: str | None = None
    """Outcome code, for example `refused`, `first_byte_timeout`, `http_503`."""
    flags: tuple[str, ...] = ()
    """`bad_usage`, `no_usage`, `client_gone`, …"""
    first_byte_ms: int | None = None
    total_ms: int | None = None
    made: str | None = None
    """The provider's id of what the answer made, where that can be asked about later."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that no attempt was made of. `at` is milliseconds since 1970 UTC; `left_out` how many before it were
    not written.
    """

    call: str
    at: int
    principal: str
    requested: str
    rule: str
    dialect: str
    operation: str
    stream: bool
    book: str
    status: int
    """Of the answer."""
    code: str
    left_out: int = 0
    features: Mapping[str, Any] = field(default_factory=dict)
    """As `Opened.features`."""


class InsufficientBalance(Exception):
    """The hold is more than the principal's balance minus its other holds."""


class LedgerDown(Exception):
    """The ledger can't be written: disk full, locked, read-only, corrupt. The message says which."""


class BadRow(ValueError):
    """The row breaks the ledger's own rules (a field out of bounds, an id used twice): a fault of the
    code that made it. Nothing of the row was written; other rows are not affected.
    """


class Ledger(Protocol):
    """One writer. What a returned awaitable resolved is committed and survives the process."""

    def open(self, row: Opened) -> Future[bool]:
        """Queue the attempt and its hold, one transaction; the future resolves at its commit. A caller
        that is cancelled while it waits, or cancels the future, leaves no hold behind.

        The future raises InsufficientBalance, LedgerDown, BadRow.
        """
        ...

    def settle(self, row: Settled) -> Awaitable[bool]:
        """Queue the one transition out of `sent`, with its debit and the end of its hold. The
        awaitable resolves at the commit: True, or False when the attempt was settled before.

        The awaitable raises LedgerDown (the row is then kept in memory and written when the ledger
        works again) and BadRow.
        """
        ...

    async def credit(self, principal: str, micro: int, reason: str) -> None:
        """Add to a principal's balance; from then on the principal is limited by it. A negative
        credit takes back.

        Raises LedgerDown, BadRow.
        """
        ...

    def balance(self, principal: str) -> int | None:
        """Free micro-units as of the last commit; None when the principal has no limit."""
        ...

    @property
    def down(self) -> str | None:
        """Why the ledger can't be written right now; None when it can."""
        ...

    async def close(self) -> None:
        """Write what is queued, sync, release the lock."""
        ...
