"""Every key that can be used now, by the hash of its secret: who calls, without asking a file.

A key is looked up by its full SHA-256. How long a lookup takes says something about the hash at most, and
nobody can choose a secret by what its hash should begin with: so no comparison in constant time is needed,
and two secrets with a common beginning have nothing in common here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from wattline.base.clock import Clock
from wattline.base.origin import Origin
from wattline.rules.globs import Patterns
from wattline.store.accounts import SqliteAccounts
from wattline.store.people import Key, User
from wattline.wire.call import Principal, Role

MAX_FORMER: Final = 10_000

type Find = Callable[[str], Principal | None]
"""The principal of a secret's hash at this moment; None when it may not call."""

type Read = Callable[[str], Principal | None]
"""The principal of a token at this moment; None when it is no valid one."""

type Owned = Callable[[str], frozenset[tuple[str, Origin]]]
"""The providers that a user has keys of its own for."""

type Current = Callable[[Principal], Principal | None]
"""A principal that was let in, as it is at this moment; None when it may not call any more."""


def nobody(_: str) -> None:
    """A directory without keys."""


def ownerless(_: str) -> frozenset[tuple[str, Origin]]:
    """Where nobody has keys of its own for providers."""
    return frozenset()


def unchanged(caller: Principal) -> Principal:
    """Where there are no keys but those of rules.yaml."""
    return caller


class Directory:
    """The keys of an account store, kept up with it. `clock` says which have expired, `owned` what users
    have keys of their own for.
    """

    def __init__(self, accounts: SqliteAccounts, clock: Clock, owned: Owned = ownerless) -> None:
        self._accounts, self._clock, self._owned = accounts, clock, owned
        self._by_hash: dict[str, Principal] = {}
        self._by_key: dict[str, Principal] = {}
        self._hashes: dict[str, list[str]] = {}
        self._former: dict[str, None] = {}
        """Of keys that were taken back since the start, the oldest first."""
        for user in accounts.users():
            self.refresh(user.id)
        accounts.changed = self.refresh

    def __len__(self) -> int:
        return len(self._by_hash)

    def find(self, hashed: str) -> Principal | None:
        """Who has the secret with this hash; None: nobody, or its key is expired or disabled."""
        return self._valid(self._by_hash.get(hashed))

    def issued(self, hashed: str) -> bool:
        """The secret with this hash is or was a key's: one that was rotated or deleted before the start is forgotten."""
        return hashed in self._former or self._accounts.key_by_hash(hashed) is not None

    def principal(self, key: str) -> Principal | None:
        """As `find`, by the id of the key."""
        return self._valid(self._by_key.get(key))

    def current(self, caller: Principal) -> Principal | None:
        """Who was let in a while ago, as it is now: connections last longer than keys. None: the key that
        was sent is expired, disabled, deleted or rotated, or the token has ended.
        """
        if caller.session is not None:
            return self.session(
                caller.id, caller.session, expires=caller.expires, hashed=caller.hashed
            )
        if caller.key is None:
            return caller
        found = self.principal(caller.key)
        if found is None or caller.hashed not in (None, found.hashed):
            return None
        return found

    def session(
        self, user: str, session: int, *, expires: int | None, hashed: str | None
    ) -> Principal | None:
        """The user of a token; None when all its tokens of that session were ended, or this one has.
        `expires` is milliseconds since 1970 UTC.
        """
        owner = self._accounts.user(user)
        if owner is None or owner.disabled is not None or owner.session != session:
            return None
        found = Principal(
            owner.id,
            tier=owner.tier,
            user=owner.id,
            role=owner.role,
            hashed=hashed,
            expires=expires,
            session=session,
            providers=self._owned(owner.id),
        )
        return self._valid(found)

    def _valid(self, found: Principal | None) -> Principal | None:
        if found is None or found.expires is None or self._clock.wall() * 1000 < found.expires:
            return found
        return None

    @property
    def tiers(self) -> Mapping[str, str]:
        """The tier of each key that has one, by the key's id, and of each user by the user's."""
        found = {user.id: user.tier for user in self._accounts.users() if user.tier is not None}
        found |= {key: p.tier for key, p in self._by_key.items() if p.tier is not None}
        return MappingProxyType(found)

    def refresh(self, user: str) -> None:
        """A user or one of its keys is another now."""
        for hashed in self._hashes.pop(user, ()):
            gone = self._by_hash.pop(hashed)
            self._by_key.pop(gone.key or "", None)
            if self._accounts.key_by_hash(hashed) is None:
                self._former[hashed] = None
        while len(self._former) > MAX_FORMER:
            del self._former[next(iter(self._former))]
        owner = self._accounts.user(user)
        if owner is None or owner.disabled is not None:
            return
        active = [key for key in self._accounts.keys_of(user) if key.disabled is None]
        self._hashes[user] = [key.hash for key in active]
        for key in active:
            found = principal_of(owner, key, self._owned(user))
            self._by_hash[key.hash] = self._by_key[key.id] = found


def principal_of(
    user: User, key: Key, providers: frozenset[tuple[str, Origin]] = frozenset()
) -> Principal:
    """Who calls with a key. It is an admin's only as long as its user is one."""
    admin = key.role is Role.ADMIN and user.role is Role.ADMIN
    return Principal(
        user.id,
        tier=key.tier or user.tier,
        user=user.id,
        role=Role.ADMIN if admin else Role.USER,
        key=key.id,
        hashed=key.hash,
        expires=key.expires,
        models=None if key.models is None else Patterns.of(key.models),
        budgets=None if key.budgets.none else key.budgets,
        providers=providers,
    )
