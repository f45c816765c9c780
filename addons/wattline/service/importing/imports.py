"""Rows of other gateways into the ledger: twice is the same as once.

Rules of this file. What is here already is left as it is: a user's balance is what it began with, so only a
new user gets one. Each row is by itself: one that can't be taken over keeps no other back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wattline.base.errors import ClientFault, Fault
from wattline.base.ids import hash_secret
from wattline.rules.book import Book
from wattline.service.accounts.account_checks import check_user_id
from wattline.service.accounts.account_faults import ledger_told
from wattline.service.accounts.accounts import Accounts
from wattline.service.importing.rows import (
    DialogRow,
    Done,
    KeyRow,
    Outcome,
    PersonRow,
    ReferralRow,
    Row,
    SystemRow,
)
from wattline.store.accounts import Taken
from wattline.store.dialogs import Message, SqliteDialogs
from wattline.store.people import User
from wattline.store.referrals import Referral, SqliteReferrals
from wattline.wire.call import LOCAL, Role

LABEL = "imported"
"""Of the keys that are made here."""
FAILED_FOR_ALL = 500
"""From this status on it is not the row's fault: nothing more can be taken over now."""

_THERE = Outcome(Done.THERE)
_MADE = Outcome(Done.MADE)


@dataclass(slots=True)
class Imports:
    """`book` gives the rules of the moment."""

    accounts: Accounts
    dialogs: SqliteDialogs
    referrals: SqliteReferrals
    book: Callable[[], Book]

    async def take(self, rows: Sequence[Row], *, dry: bool) -> list[Outcome]:
        """What became of each row; with `dry`, what would. No two rows are of one user. Raises OurFault when
        the ledger can't be written: what was taken over until then is done.
        """
        return list(await asyncio.gather(*(self._take(row, dry=dry) for row in rows)))

    async def _take(self, row: Row, *, dry: bool) -> Outcome:
        try:
            match row:
                case PersonRow():
                    return await self._person(row, dry=dry)
                case SystemRow():
                    return await self._system(row, dry=dry)
                case DialogRow():
                    return await self._dialog(row, dry=dry)
                case ReferralRow():
                    return await self._referral(row, dry=dry)
        except Fault as fault:
            if fault.status >= FAILED_FOR_ALL:
                raise
            return Outcome(Done.REFUSED, (_sentence(fault),))

    async def _person(self, row: PersonRow, *, dry: bool) -> Outcome:
        owner, told, left, made = self.accounts.store.user(row.user), [], [], False
        if owner is None:
            self._check_new(row.user)
            made = True
            if not dry:
                role = Role.ADMIN if row.admin else Role.USER
                owner = await self.accounts.create_user(row.user, role=role, start=row.start)
        elif row.start is not None and row.start != owner.start:
            told.append("the user is here already: its balance stays as it is")
        for key in row.keys:
            try:
                made = await self._key(row, key, owner, dry=dry) or made
            except ClientFault as fault:
                left.append(_sentence(fault))
        if not made and left and not self._has(row):
            return Outcome(Done.REFUSED, (*told, *left))
        before = "user made, key not taken: " if made else "key not taken: "
        left = [before + reason for reason in left]
        return Outcome(Done.MADE if made else Done.THERE, tuple(told), tuple(left))

    def _has(self, row: PersonRow) -> bool:
        """The user has one of the keys."""
        found = (self.accounts.store.key_by_hash(hash_secret(key.secret)) for key in row.keys)
        return any(key is not None and key.user == row.user for key in found)

    async def _key(self, row: PersonRow, key: KeyRow, owner: User | None, *, dry: bool) -> bool:
        """Whether the key is new. Raises Fault."""
        hashed = hash_secret(key.secret)
        found = self.accounts.store.key_by_hash(hashed)
        if found is not None and found.user == row.user:
            return False
        if found is not None or hashed in self.book().auth.keys:
            raise ClientFault("its key is somebody else's here", status=409, code="key_exists")
        self.accounts.check_tier(key.tier)
        if row.admin and owner is not None and owner.role is not Role.ADMIN:
            raise ClientFault(
                "its key is an admin's, and the user here is none", code="not_an_admin"
            )
        if not dry:
            role = Role.ADMIN if row.admin else Role.USER
            await self.accounts.create_key(
                row.user, role=role, tier=key.tier, secret=key.secret, label=LABEL
            )
        return True

    def _check_new(self, user: str) -> None:
        check_user_id(user)
        if user == LOCAL.id or user in self.book().auth.keys.values():
            raise ClientFault("a caller of rules.yaml has this name", code="user_exists")

    async def _system(self, row: SystemRow, *, dry: bool) -> Outcome:
        user = self._known(row.user, coming=row.coming)
        async with ledger_told():
            kept = (await asyncio.to_thread(self.dialogs.read, user)).system
            if kept is not None:
                other = ("the user has another system message here, which stays",)
                return _THERE if kept == row.content else Outcome(Done.REFUSED, other)
            if not dry:
                await self.dialogs.set_system(user, row.content, self.accounts.now_ms())
        return _MADE

    async def _dialog(self, row: DialogRow, *, dry: bool) -> Outcome:
        user = self._known(row.user, coming=row.coming)
        messages = [
            Message("assistant" if role == "assistant" else "user", content)
            for role, content in row.messages
        ]
        async with ledger_told():
            kept = (await asyncio.to_thread(self.dialogs.read, user)).messages
            if kept:
                return _THERE
            if not dry:
                await self.dialogs.add(user, messages, self.accounts.now_ms())
        return _MADE

    async def _referral(self, row: ReferralRow, *, dry: bool) -> Outcome:
        """Without a bonus: what it was is in the balances that were taken over."""
        referrer = self._known(row.referrer, coming=row.coming)
        referred = self._known(row.referred, coming=row.coming)
        if referrer == referred:
            return Outcome(Done.REFUSED, ("a user referred itself",))
        async with ledger_told():
            before = await asyncio.to_thread(self.referrals.referrer_of, referred)
            if before is None and not dry:
                at = self.accounts.now_ms()
                try:
                    if not await self.referrals.add(Referral(referrer, referred, at)):
                        return Outcome(Done.REFUSED, ("the one referred the other here",))
                except Taken:
                    before = await asyncio.to_thread(self.referrals.referrer_of, referred)
        if before is None:
            return _MADE
        other = ("somebody else referred the user here",)
        return _THERE if before == referrer else Outcome(Done.REFUSED, other)

    def _known(self, name: str, *, coming: bool) -> str:
        """The user that is meant: by its id, or by a key of it. Raises ClientFault."""
        if self.accounts.store.user(name) is not None:
            return name
        key = self.accounts.store.key_by_hash(hash_secret(name))
        if key is not None:
            return key.user
        if not coming:
            raise ClientFault(
                "there is no such user: import the users first", code="user_not_found"
            )
        return name


def _sentence(fault: Fault) -> str:
    return fault.message.rstrip(".")
