"""Who brought whom (A-036, A-037, A-136)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from wattline.base.errors import ClientFault
from wattline.rules.book import Book
from wattline.service.accounts.account_checks import check_user_id
from wattline.service.accounts.account_faults import ledger_told
from wattline.service.accounts.accounts import Accounts
from wattline.service.accounts.user_tokens import UserTokens
from wattline.store.accounts import Taken
from wattline.store.referrals import Referral, SqliteReferrals

log = logging.getLogger("wattline.tokens")


class Referrals:
    """Each user is brought once, by another. Each verb raises Fault."""

    def __init__(
        self,
        store: SqliteReferrals,
        accounts: Accounts,
        tokens: UserTokens,
        book: Callable[[], Book],
    ) -> None:
        self._store, self._accounts, self._tokens, self._book = store, accounts, tokens, book

    async def add(self, referrer: str, referred: str) -> Referral:
        """Keep it and credit the bonus to both, all or nothing. Users that are not there are made. Raises
        ClientFault 400 for a user that brings itself, 409 for one that was brought already, or that
        brought its referrer.
        """
        if referrer == referred:
            raise ClientFault("Nobody can refer itself.", code="self_referral", param="referredId")
        for user in (referrer, referred):
            await self._tokens.ensure(user)
        bonus = self._book().accounts.referral_bonus
        referral = Referral(referrer, referred, self._accounts.now_ms(), bonus)
        try:
            async with ledger_told():
                kept = await self._store.add(referral)
        except Taken:
            raise ClientFault(
                f"{referred} was referred already.",
                status=409,
                code="already_referred",
                param="referredId",
            ) from None
        if not kept:
            raise ClientFault(
                f"{referred} referred {referrer}: not the other way round too.",
                status=409,
                code="mutual_referral",
                param="referredId",
            )
        log.info("user %s was referred by %s", referred, referrer)
        return referral

    async def count(self, referrer: str) -> int:
        """How many users it brought."""
        check_user_id(referrer)
        async with ledger_told():
            return await asyncio.to_thread(self._store.count, referrer)
