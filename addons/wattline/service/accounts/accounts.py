"""Users, keys and balances: what an operator, a command or a page does with them.

Every method says what was wrong as a `Fault` with a status, so that a page can pass it on: 404 for what
does not exist, 409 for what is somebody's already, 400 for a value that can't be, 503 while the ledger
can't be written.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypedDict, Unpack

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault
from wattline.base.ids import hash_secret, mask
from wattline.dialects.base import Energy
from wattline.engine.spending import Spending, Spent
from wattline.rules.book import Book
from wattline.service.accounts.account_checks import check_email, check_role, check_user_id
from wattline.service.accounts.account_faults import accounts_told, bad_value, missing
from wattline.store.accounts import SqliteAccounts
from wattline.store.base import Ledger
from wattline.store.people import Key, User
from wattline.wire.call import LOCAL, Budgets, Role

log = logging.getLogger("wattline.tokens")


class _AsConfigured:
    """Stands for the start balance of rules.yaml."""


AS_CONFIGURED: Final = _AsConfigured()


class Bounds(TypedDict, total=False):
    """What a key is for; what is left out bounds nothing. `expires` is milliseconds since 1970 UTC."""

    tier: str | None
    expires: int | None
    budgets: Budgets
    models: tuple[str, ...] | None
    label: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A key with its secret, which is shown this once and kept nowhere."""

    key: Key
    secret: str = field(repr=False)


class Accounts:
    """One for the process, beside its ledger."""

    def __init__(
        self,
        store: SqliteAccounts,
        ledger: Ledger,
        clock: Clock,
        book: Callable[[], Book],
        spending: Spending,
    ) -> None:
        self.store = store
        self._ledger, self._clock, self._book, self._spending = ledger, clock, book, spending

    def user(self, user: str) -> User:
        """A user by id. Raises ClientFault 404."""
        found = self.store.user(user)
        if found is None:
            raise missing("user", user)
        return found

    def key(self, key: str) -> Key:
        """A key by its id. Raises ClientFault 404."""
        found = self.store.key(key)
        if found is None:
            raise missing("key", key)
        return found

    def balance(self, user: str) -> int | None:
        """Free micro-units; None: no limit."""
        return self._ledger.balance(user)

    def spent(self, key: str) -> Spent:
        """What a key spent in the last hour, day and 30 days."""
        return self._spending.spent(key, self._clock.monotonic())

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""
        return int(self._clock.wall() * 1000)

    def notes(self, key: Key | User) -> list[str]:
        """What of a key's bounds, or of a user's tier, has no effect by the rules of the moment, most likely by
        mistake.
        """
        book, notes = self._book(), []
        if book.auth.mode == "open":
            notes.append("rules.yaml says `auth: {mode: open}`: calls without a key are let in too")
        if key.tier is not None and key.tier not in book.tiers:
            told = tiers_text(book)
            notes.append(
                f"rules.yaml has no tier {key.tier!r} any more, so it bounds nothing; {told}"
            )
        return notes

    def check_tier(self, tier: str | None) -> None:
        """A key may have this tier. Raises ClientFault 400 for one that rules.yaml does not have."""
        book = self._book()
        if tier is not None and tier not in book.tiers:
            raise ClientFault(
                f"There is no tier {tier[:100]!r}: {tiers_text(book)}.",
                code="unknown_tier",
                param="tier",
            )

    def check_expiry(self, expires: int | None) -> None:
        """A new key ends later than now. Raises ClientFault 400."""
        if expires is not None and expires <= self.now_ms():
            raise bad_value("expires: is in the past: the key could never be used.", "expires")

    async def create_user(
        self,
        user: str | None = None,
        *,
        name: str = "",
        email: str | None = None,
        password: str | None = None,
        role: Role = Role.USER,
        start: int | _AsConfigured | None = AS_CONFIGURED,
        tier: str | None = None,
    ) -> User:
        """Add a user; without an id it gets one. `start` is micro-units, None for no limit; left out it is
        that of rules.yaml, and no limit for an admin. `password` is its hash. Raises Fault.
        """
        self.check_tier(tier)
        made = self._new_user(user, role, name, email, start)
        made = replace(made, password=password, tier=tier)
        async with accounts_told():
            await self.store.create_user(made)
        log.info("user %s (%s) was made", made.id, role)
        return made

    async def create_user_with_key(
        self,
        user: str | None = None,
        *,
        role: Role = Role.USER,
        name: str = "",
        email: str | None = None,
        start: int | _AsConfigured | None = AS_CONFIGURED,
        **bounds: Unpack[Bounds],
    ) -> Issued:
        """Add a user and its first key, of the same role, in one transaction. Raises Fault."""
        owner = self._new_user(user, role, name, email, start)
        issued = self._new_key(owner, role, bounds)
        async with accounts_told():
            await self.store.create_user_with_key(owner, issued.key)
        log.info("user %s (%s) was made, with key %s", owner.id, role, issued.key.id)
        return issued

    async def create_key(
        self,
        user: str,
        *,
        role: Role = Role.USER,
        secret: str | None = None,
        key: str | None = None,
        salt: str | None = None,
        **bounds: Unpack[Bounds],
    ) -> Issued:
        """A new key of a user: 32 hexadecimal digits (A-131), unless `secret` is given. `key` is its id, where
        there must be one such key only, `salt` what the secret was made of. Raises Fault.
        """
        issued = self._new_key(self.user(user), role, bounds, secret)
        made = replace(issued.key, id=key or issued.key.id, salt=salt)
        async with accounts_told():
            await self.store.create_key(made)
        log.info("key %s of %s (%s) was made", made.id, user, role)
        return Issued(made, issued.secret)

    async def rotate_key(self, key: str) -> Issued:
        """Another secret for a key: the old one is refused from the next call on (A-026). Raises Fault."""
        secret = new_secret()
        changed = await self.change_key(key, hash=hash_secret(secret), mask=mask(secret))
        return Issued(changed, secret)

    async def change_key(self, key: str, **changes: object) -> Key:
        """Set some of hash, mask, role, tier, expires, disabled, models, label, budgets, salt. Raises Fault."""
        if (role := changes.get("role")) is not None:
            check_role(self.user(self.key(key).user), Role(str(role)))
        if (tier := changes.get("tier")) is not None:
            self.check_tier(str(tier))
        async with accounts_told():
            if not await self.store.change_key(key, **changes):
                raise missing("key", key)
        log.info("key %s %s", key, _changed(changes))
        return self.key(key)

    async def disable_key(self, key: str) -> Key:
        """From the next call on it is refused. Raises Fault."""
        return await self.change_key(key, disabled=self.now_ms())

    async def enable_key(self, key: str) -> Key:
        """Raises Fault."""
        return await self.change_key(key, disabled=None)

    async def delete_key(self, key: str) -> None:
        """Forget a key; what it used stays in the books. Raises Fault."""
        async with accounts_told():
            if not await self.store.delete_key(key):
                raise missing("key", key)
        self._spending.forget(key)
        log.info("key %s was deleted", key)

    async def change_user(self, user: str, **changes: object) -> User:
        """Set some of name, email, password, role, disabled, tier. Raises Fault."""
        if (tier := changes.get("tier")) is not None:
            self.check_tier(str(tier))
        if isinstance(email := changes.get("email"), str):
            changes["email"] = check_email(email)
        async with accounts_told():
            if not await self.store.change_user(user, **changes):
                raise missing("user", user)
        log.info("user %s %s", user, _changed(changes))
        return self.user(user)

    async def disable_user(self, user: str) -> User:
        """From the next call on all its keys are refused. Raises Fault."""
        return await self.change_user(user, disabled=self.now_ms())

    async def enable_user(self, user: str) -> User:
        """Raises Fault."""
        return await self.change_user(user, disabled=None)

    async def credit(self, user: str, micro: int, reason: str = "credit") -> int | None:
        """Add to a balance; from then on the user is limited by it. The new balance. Raises Fault."""
        self.user(user)
        if micro <= 0:
            raise bad_value("What is added must be more than 0.", "energy")
        async with accounts_told():
            await self._ledger.credit(user, micro, reason)
        log.info("user %s: %s energy added", user, Energy(micro).json)
        return self.balance(user)

    async def subtract(self, user: str, micro: int, reason: str = "debit") -> int | None:
        """Take from a balance, as a negative credit: never more than is free. The new balance (A-025).

        Raises Fault: 409 when there is not so much.
        """
        self.user(user)
        if micro <= 0:
            raise bad_value("What is taken must be more than 0.", "energy")
        async with accounts_told():
            if not await self.store.take(user, micro, reason, self.now_ms()):
                raise ClientFault(
                    "The free balance is less than that, or the user has no limit.",
                    status=409,
                    code="balance_too_low",
                    param="energy",
                )
        log.info("user %s: %s energy taken", user, Energy(micro).json)
        return self.balance(user)

    def _new_user(
        self,
        user: str | None,
        role: Role,
        name: str,
        email: str | None,
        start: int | _AsConfigured | None,
    ) -> User:
        return User(
            id=self._new_id(user),
            name=name or user or "",
            role=role,
            created=self.now_ms(),
            email=None if email is None else check_email(email),
            start=self._start(role) if isinstance(start, _AsConfigured) else start,
        )

    def _new_key(
        self, owner: User, role: Role, bounds: Bounds, secret: str | None = None
    ) -> Issued:
        check_role(owner, role)
        self.check_tier(bounds.get("tier"))
        chosen = secret or new_secret()
        made = Key(
            id=f"key_{secrets.token_hex(8)}",
            user=owner.id,
            hash=hash_secret(chosen),
            mask=mask(chosen),
            role=role,
            created=self.now_ms(),
            **bounds,
        )
        return Issued(made, chosen)

    def _start(self, role: Role) -> int | None:
        return None if role is Role.ADMIN else self._book().accounts.start_balance

    def _new_id(self, wanted: str | None) -> str:
        if wanted is None:
            return f"usr_{secrets.token_hex(8)}"
        check_user_id(wanted)
        if wanted == LOCAL.id or wanted in self._book().auth.keys.values():
            raise ClientFault(
                f"{wanted!r} is a caller of rules.yaml: a user of that name would share its account.",
                status=409,
                code="user_exists",
                param="user",
            )
        return wanted


def _changed(changes: Mapping[str, object]) -> str:
    """What was done, in words for the log: never a value."""
    if set(changes) == {"disabled"}:
        return "was enabled" if changes["disabled"] is None else "was disabled"
    if "hash" in changes:
        return "got another secret"
    return f"was changed: {', '.join(changes)}"


def tiers_text(book: Book) -> str:
    """Which tiers there are, in words."""
    return f"rules.yaml has {', '.join(book.tiers)}" if book.tiers else "rules.yaml has none"


def new_secret() -> str:
    """A key: 128 random bits as 32 hexadecimal digits."""
    return secrets.token_hex(16)
