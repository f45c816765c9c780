"""The ledger's in-memory twin: the same verbs, checks and books, for tests and demos."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import NamedTuple

from wattline.base.clock import Clock
from wattline.store.base import BadRow, InsufficientBalance, LedgerDown, Opened, Settled
from wattline.store.rows import credit_values, opened_values, settled_values


class Entry(NamedTuple):
    """A line of the books; `attempt` None is a credit."""

    seq: int
    at: int
    principal: str
    attempt: str | None
    micro: int
    reason: str


@dataclass(slots=True)
class Account:
    """Micro-units of one principal."""

    balance: int = 0
    held: int = 0
    limited: bool = False


class MemoryLedger:
    """A `Ledger` that forgets everything with the process. `outage` can be set to make it fail."""

    def __init__(self, clock: Clock) -> None:
        self.outage: str | None = None
        self.opened: dict[str, Opened] = {}
        self.settled: dict[str, Settled] = {}
        self.entries: list[Entry] = []
        self.accounts: dict[str, Account] = {}
        self._clock = clock
        self._kept: dict[str, Settled] = {}

    def open(self, row: Opened) -> asyncio.Future[bool]:
        """See `Ledger.open`."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        try:
            self._open(row)
        except (BadRow, InsufficientBalance, LedgerDown) as error:
            done.set_exception(error)
            done.exception()  # nobody needs to await it
        else:
            done.set_result(True)
        return done

    def _open(self, row: Opened) -> None:
        opened_values(row)
        self._check_up()
        if row.attempt in self.opened:
            raise BadRow(f"attempt {row.attempt!r} was opened before")
        account = self.accounts.setdefault(row.principal, Account())
        if account.limited and account.balance - account.held < row.hold:
            raise InsufficientBalance("the hold is more than the principal's free balance")
        account.held += row.hold
        self.opened[row.attempt] = row

    def settle(self, row: Settled) -> Awaitable[bool]:
        """See `Ledger.settle`."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        try:
            settled_values(row)
            self._check_up()
            done.set_result(self._settle(row))
        except (BadRow, LedgerDown) as error:
            if isinstance(error, LedgerDown):
                self._kept.setdefault(row.attempt, row)
            done.set_exception(error)
            done.exception()
        return done

    async def credit(self, principal: str, micro: int, reason: str) -> None:
        """See `Ledger.credit`."""
        at = int(self._clock.wall() * 1000)
        credit_values(principal, micro, reason, at)
        self._check_up()
        account = self.accounts.setdefault(principal, Account())
        account.balance += micro
        account.limited = True
        self._book(at, principal, None, micro, reason)

    def balance(self, principal: str) -> int | None:
        """See `Ledger.balance`."""
        account = self.accounts.get(principal)
        return account.balance - account.held if account and account.limited else None

    @property
    def down(self) -> str | None:
        """See `Ledger.down`."""
        return self.outage

    async def close(self) -> None:
        """See `Ledger.close`."""
        self.outage = "ledger in memory: it is closed"

    def _check_up(self) -> None:
        if self.outage is not None:
            raise LedgerDown(self.outage)
        kept, self._kept = self._kept, {}
        for row in kept.values():
            self._settle(row)

    def _settle(self, row: Settled) -> bool:
        opened = self.opened.get(row.attempt)
        if opened is None or row.attempt in self.settled:
            return False
        self.settled[row.attempt] = row
        account = self.accounts[opened.principal]
        account.held -= opened.hold
        if row.energy is not None:
            account.balance -= row.energy
            self._book(row.at, opened.principal, row.attempt, row.energy, row.state.value)
        return True

    def _book(self, at: int, principal: str, attempt: str | None, micro: int, reason: str) -> None:
        self.entries.append(Entry(len(self.entries) + 1, at, principal, attempt, micro, reason))
