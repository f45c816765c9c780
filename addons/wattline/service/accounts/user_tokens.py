"""A user's token as clients of the first gateway know it: one for each user, made when it is asked for (A-133).

It is the oldest key of the user. Keys are stored as hashes, and those clients ask for the key again and
again. So a token that was made for the master token's holder is not drawn but derived: from the master token
and a salt that is kept. Whoever shows the master token gets it again; nobody else can, not with this
process's memory of keys and not with its files. All other keys are shown once, and by their id afterwards.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field, replace
from typing import Final

from wattline.base.errors import ClientFault, Kind
from wattline.base.ids import hash_secret, mask
from wattline.service.accounts.account_checks import check_user_id
from wattline.service.accounts.accounts import Accounts, new_secret
from wattline.service.accounts.directory import principal_of
from wattline.store.people import Key, User
from wattline.wire.call import Principal, Role

LABEL: Final = "token"
"""Of the keys that are made here."""
_DIGITS: Final = 32
"""Of a key (A-131)."""


@dataclass(frozen=True, slots=True)
class UserToken:
    """`id` is the key itself where it is new or the asker can have it again, else the key's id."""

    id: str = field(repr=False)
    user: str
    balance: int | None
    """Free micro-units; None: no limit."""


class UserTokens:
    """The verbs. `master` is the master token, if the asker showed it. Each raises Fault."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def has(self, user: str) -> bool:
        """There is such a user (A-024)."""
        check_user_id(user)
        return self._accounts.store.user(user) is not None

    async def get(self, user: str, master: str | None) -> UserToken:
        """A user's token; user and token are made if need be (A-023, A-133)."""
        await self.ensure(user)
        found = self._key(user)
        if found is None:
            return await self._make(user, master)
        return self._told(found.user, _shown(found, master))

    async def renew(self, user: str, master: str | None) -> UserToken:
        """Another token: the one before is refused from the next call on (A-026)."""
        await self.ensure(user)
        found = self._key(user)
        if found is None:
            return await self._make(user, master)
        secret, salt = _drawn(found.id, master)
        await self._accounts.change_key(
            found.id, hash=hash_secret(secret), mask=mask(secret), salt=salt
        )
        return self._told(user, secret)

    async def ensure(self, user: str) -> User:
        """The user, made with the start balance if it is not there (A-120)."""
        check_user_id(user)
        found = self._accounts.store.user(user)
        if found is not None:
            return found
        try:
            return await self._accounts.create_user(user)
        except ClientFault as fault:
            made = self._accounts.store.user(user)
            if fault.code == "user_exists" and made is not None:
                return made  # by another request, meanwhile
            raise

    async def principal(self, user: str, master: str | None) -> Principal:
        """Who calls when a call is made in the user's name: with its token's bounds, and whatever the token is
        changed to meanwhile. Raises ClientFault 403 for a user or a token that was disabled.
        """
        owner = await self.ensure(user)
        if self._key(user) is None:
            await self._make(user, master)
        key = self._key(user)
        usable = key is not None and key.active(self._accounts.now_ms())
        if key is None or not usable or owner.disabled is not None:
            raise ClientFault(
                f"{user} may not call: the user or its key is disabled or expired.",
                status=403,
                code="user_disabled",
                kind=Kind.PERMISSION,
                param="userId",
            )
        # No secret was shown, so another one changes nothing.
        return replace(principal_of(owner, key), hashed=None)

    def _key(self, user: str) -> Key | None:
        """The oldest key that is a user's, one that can be used before one that can't."""
        keys = [k for k in self._accounts.store.keys_of(user) if k.role is Role.USER]
        now = self._accounts.now_ms()
        return next((key for key in keys if key.active(now)), keys[0] if keys else None)

    async def _make(self, user: str, master: str | None) -> UserToken:
        name = _name(user)
        secret, salt = _drawn(name, master)
        try:
            made = await self._accounts.create_key(
                user, label=LABEL, secret=secret, key=name, salt=salt
            )
        except ClientFault as fault:
            there = self._key(user)
            if fault.code != "key_exists" or there is None:
                raise
            return self._told(user, _shown(there, master))  # another request was faster
        return self._told(user, made.secret)

    def _told(self, user: str, shown: str) -> UserToken:
        return UserToken(shown, user, self._accounts.balance(user))


def _name(user: str) -> str:
    """The id of a user's token: always the same, so that of two requests one makes it."""
    return f"key_{hashlib.sha256(f'token of {user}'.encode()).hexdigest()[:16]}"


def _drawn(key: str, master: str | None) -> tuple[str, str | None]:
    """A new secret, and its salt where it is derived."""
    if master is None:
        return new_secret(), None
    salt = secrets.token_hex(16)
    return _derived(key, master, salt), salt


def _derived(key: str, master: str, salt: str) -> str:
    text = f"wattline token\0{key}\0{salt}"
    return hmac.new(master.encode(), text.encode(), hashlib.sha256).hexdigest()[:_DIGITS]


def _shown(key: Key, master: str | None) -> str:
    """The secret if it can be had again, else the key's id."""
    if master is not None and key.salt is not None:
        secret = _derived(key.id, master, key.salt)
        if hmac.compare_digest(hash_secret(secret), key.hash):
            return secret
    return key.id
