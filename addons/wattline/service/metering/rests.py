"""Rests of accounts at providers: begun by what providers say, kept over restarts."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from wattline.base.clock import Clock
from wattline.engine.backing_off import BackingOff
from wattline.engine.failover import Verdict
from wattline.engine.rest import Resting
from wattline.engine.summary import LIMITED
from wattline.rules.book import Book
from wattline.rules.compiled.provider import Provider
from wattline.rules.compiled.target import Target
from wattline.store.rests import RestRow, SqliteRests

REFUSED: Final = "its key was refused"
CREDENTIAL_REST: Final = 300.0
"""Seconds that a provider rests after it refused its key; a reload of the rules ends it."""
_MARK: Final = 4
"""Hexadecimal digits: enough to tell another key, and of no help to whoever guesses one."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Rests:
    """Writes each rest down when it begins. `resting` is what decisions look at."""

    resting: Resting
    store: SqliteRests
    clock: Clock
    backing_off: BackingOff = field(default_factory=BackingOff)
    """Accounts that are limited and do not say for how long."""

    def after(
        self, verdict: Verdict, target: Target, book: Book, began: float | None = None
    ) -> float | None:
        """What a failed attempt, which began then, means for later calls: a refused key, a wait that its provider
        asked for, or one of ours where it is limited and did not say how long. The seconds of this last one.
        """
        if verdict.rest_credential:
            self._begin(target, book, CREDENTIAL_REST, REFUSED, limited=False)
        elif verdict.retry_after:
            seconds = min(verdict.retry_after, book.limits.retry_after_cap)
            limited = verdict.code in LIMITED
            self._begin(target, book, seconds, "it asked to wait", limited=limited)
        elif verdict.code in LIMITED:
            now = self.clock.monotonic()
            wait = self.backing_off.limited(target.account, now if began is None else began, now)
            if wait is not None:
                # Not written down: it is short, and nobody said it.
                wait = min(wait, book.limits.retry_after_cap)
                self._suppose(target.account, now, wait)
            return wait
        return None

    def _suppose(self, account: str, now: float, seconds: float) -> None:
        known = self.resting.resting(account, now)
        if known is None or known.guessed:  # what was said counts for as long as it was said
            self.resting.rest(account, now + seconds, "it is limited", limited=True, guessed=True)

    def answered(self, account: str, began: float) -> None:
        """An attempt that began then was not limited: a rest that was only supposed is over."""
        if self.backing_off.answered(account, began):
            self.resting.answered(account)

    def clear(self) -> None:
        """Other rules are in force: a refused key may be another one now."""
        self.resting.clear()
        self.backing_off.clear()
        self.store.clear()

    def restore(self, rows: Iterable[RestRow], book: Book) -> int:
        """Go on with those of before a restart; how many that were. Those of other rules or another key are forgotten
        on disk too, where commands look.
        """
        found, now = list(rows), self.clock.monotonic()
        going = list(lasting(found, book, self.clock.wall()))
        for row, left in going:
            self.resting.rest(row.account, now + left, row.reason, limited=row.limited)
            log.info("%s rests for %.0f s more: %s", row.account, left, row.reason)
        for account in {row.account for row in found} - {row.account for row, _ in going}:
            self.store.forget(account)
        return len(going)

    def _begin(
        self, target: Target, book: Book, seconds: float, reason: str, *, limited: bool
    ) -> None:
        until = self.clock.monotonic() + seconds
        if not self.resting.rest(target.account, until, reason, limited=limited):
            return
        at = int(self.clock.wall() * 1000)
        ends = at + int(seconds * 1000)
        mark = "" if target.owner is not None else key_mark(target.provider)
        self.store.note(RestRow(target.account, at, ends, reason, limited, book.version, mark))


def lasting(
    rows: Iterable[RestRow], book: Book, wall: float, *, anew: bool = True
) -> Iterator[tuple[RestRow, float]]:
    """The rests that count with these rules, and the seconds that are left. `anew`: for a process that starts now with
    the keys of `book`; else for one that runs, whose keys are those that it noted.
    """
    longest = max(CREDENTIAL_REST, book.limits.retry_after_cap)
    accounts = {one.account: one for each in book.providers.values() for one in each.each}
    for row in rows:
        # A wall clock that was set back must not make a rest longer than it was.
        left = min(row.until / 1000 - wall, (row.until - row.at) / 1000, longest)
        if row.book == book.version and left > 0 and (not anew or _same(row, accounts, book)):
            yield row, left


def _same(row: RestRow, accounts: dict[str, Provider], book: Book) -> bool:
    """The account is still there, with the same key."""
    provider = accounts.get(row.account)
    if provider is not None:
        return key_mark(provider) == row.key
    return row.account.partition(" of ")[0] in book.providers and not row.key


def key_mark(provider: Provider) -> str:
    """Tells whether an account has the key that it had, at the same place."""
    credential = provider.credential
    secret = "" if credential is None else credential.secret
    text = f"{provider.account}\n{provider.origin}\n{secret}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_MARK]
