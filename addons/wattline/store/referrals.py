"""Who brought whom, and the bonus that both got for it in the same statement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wattline.store.accounts import Taken
from wattline.store.base import BadRow
from wattline.store.reading import reading
from wattline.store.rows import MAX_MICRO, Values

type Submit = Callable[[str, Values], asyncio.Future[bool]]
"""Queue a statement: the future is True at its commit when it changed a row."""

_ADD = (
    "INSERT INTO referrals (referred, referrer, at, bonus) SELECT ?1, ?2, ?3, ?4"
    " WHERE NOT EXISTS (SELECT 1 FROM referrals WHERE referred = ?2 AND referrer = ?1)"
    " RETURNING referred, referrer"
)
_COUNT = "SELECT count(*) FROM referrals WHERE referrer = ?"
_REFERRER = "SELECT referrer FROM referrals WHERE referred = ?"


@dataclass(frozen=True, slots=True)
class Referral:
    """`referrer` brought `referred`; both got `bonus` micro-units of energy, if they have a balance. `at` is
    milliseconds since 1970 UTC.
    """

    referrer: str
    referred: str
    at: int
    bonus: int = 0


class SqliteReferrals:
    """The verbs. Each raises LedgerDown."""

    def __init__(self, submit: Submit, path: Path) -> None:
        self._submit, self._path = submit, path

    async def add(self, referral: Referral) -> bool:
        """Keep a referral and credit its bonus; False where it is the other way round: the one brought the
        other. Raises Taken when somebody brought that user already, and BadRow for a user that brings itself,
        or is unknown.
        """
        if not 0 <= referral.bonus <= MAX_MICRO:
            raise BadRow(f"bonus: must be a whole number from 0 to {MAX_MICRO}")
        values = (referral.referred, referral.referrer, referral.at, referral.bonus)
        try:
            return await asyncio.shield(self._submit(_ADD, values))
        except BadRow as error:
            if "UNIQUE" in str(error):
                raise Taken("referrals.referred") from None
            raise

    def count(self, referrer: str) -> int:
        """How many users somebody brought. Blocking."""
        with reading(self._path) as connection:
            (count,) = connection.execute(_COUNT, (referrer,)).fetchone()
        return int(count)

    def referrer_of(self, referred: str) -> str | None:
        """Who brought a user. Blocking."""
        with reading(self._path) as connection:
            row = connection.execute(_REFERRER, (referred,)).fetchone()
        return None if row is None else str(row[0])
