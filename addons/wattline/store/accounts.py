"""The verbs on users and keys, beside those of the ledger: the same file, the same writing connection.

Rules of this file. Each verb is one statement, so it happens whole or not at all. Everybody is also kept
in memory, changed in the order of the commits and never before one: what is read here is what the file
says. A verb that was written counts, whether its caller still waits for it or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from wattline.store.base import BadRow
from wattline.store.people import KEY, USER, Key, People, User, key_values, user_values
from wattline.store.rows import Values, credit_values

type Submit = Callable[[str, Values], asyncio.Future[bool]]
"""Queue a statement: the future is True at its commit when it changed a row."""

_ADD_USER = (
    f"INSERT INTO users ({', '.join(USER)}) VALUES ({', '.join('?' * len(USER))}) RETURNING id"  # noqa: S608 - constants
)
_ADD_KEY = (
    f"INSERT INTO keys ({', '.join(KEY)}) VALUES ({', '.join('?' * len(KEY))}) RETURNING user"  # noqa: S608 - constants
)
_BOTH = (
    *(f"user_{name}" for name in USER),
    *(f"key_{name}" for name in KEY if name != "user"),
)
_ADD_BOTH = (
    f"INSERT INTO users_with_keys ({', '.join(_BOTH)}) VALUES ({', '.join('?' * len(_BOTH))})"  # noqa: S608 - constants
    " RETURNING user_id"
)
_DROP_KEY = "DELETE FROM keys WHERE id = ? RETURNING user"
_TAKE = (
    "INSERT INTO entries (at, kind, principal, micro, reason) SELECT ?1, 'credit', ?2, -?3, ?4"
    " FROM accounts WHERE principal = ?2 AND limited = 1 AND balance - held >= ?3 RETURNING principal"
)
_REHASH = "UPDATE users SET password = ? WHERE id = ? AND password = ? RETURNING id"
_ENDS_SESSIONS = frozenset({"password", "disabled"})
"""What ends all tokens of a user when it changes."""
_OF_USER = frozenset({"name", "email", "password", "role", "disabled", "tier"})
_OF_KEY = frozenset(
    {"hash", "mask", "role", "tier", "expires", "disabled", "models", "label", "budgets", "salt"}
)
_BUDGETS = ("hour", "day", "month")


class Taken(Exception):
    """An id, an e-mail address or a key is somebody's already. The message says which column."""


class SqliteAccounts:
    """Users and keys in the ledger's file. Made by `SqliteLedger`."""

    def __init__(self, submit: Submit, people: People) -> None:
        self.changed: Callable[[str], None] = lambda _: None
        """Called with a user's id when it or one of its keys is another now."""
        self._submit = submit
        self._users, self._keys = people.users, people.keys
        self._hashes = {key.hash: key.id for key in people.keys.values()}
        self._emails = {u.email.lower(): u.id for u in people.users.values() if u.email}
        self._of: dict[str, dict[str, None]] = {}
        """The ids of each user's keys, in the order in which they were made."""
        for key in sorted(people.keys.values(), key=lambda key: (key.created, key.id)):
            self._of.setdefault(key.user, {})[key.id] = None

    def user(self, user: str) -> User | None:
        """A user by id."""
        return self._users.get(user)

    def user_by_email(self, email: str) -> User | None:
        """A user by e-mail address; case does not count."""
        return self._users.get(self._emails.get(email.lower(), ""))

    def users(self) -> Iterator[User]:
        """All of them."""
        return iter(list(self._users.values()))

    def key(self, key: str) -> Key | None:
        """A key by its id."""
        return self._keys.get(key)

    def key_by_hash(self, hashed: str) -> Key | None:
        """A key by the full hash of its secret, whatever its state."""
        return self._keys.get(self._hashes.get(hashed, ""))

    def keys_of(self, user: str) -> list[Key]:
        """A user's keys, oldest first."""
        return [self._keys[key] for key in self._of.get(user, ())]

    def all_keys(self) -> list[Key]:
        """Everybody's, oldest first."""
        return sorted(self._keys.values(), key=lambda key: (key.created, key.id))

    async def create_user(self, user: User) -> None:
        """Add a user, with the credit of its start balance. Raises Taken, LedgerDown, BadRow."""
        await self._write(_ADD_USER, user_values(user), partial(self._put_user, user))

    async def change_user(self, user: str, **changes: object) -> bool:
        """Set some of name, email, password, role, disabled, tier; False when there is no such user. Another
        password, and being disabled or enabled, end all its tokens.

        Raises Taken, LedgerDown, BadRow.
        """
        found = self._users.get(user)
        if found is None:
            return False
        _known(changes, _OF_USER)
        values = dict(zip(USER, user_values(replace(found, **changes)), strict=True))  # type: ignore[arg-type]
        sql = _update("users", changes, "id", ends=not _ENDS_SESSIONS.isdisjoint(changes))
        place = (*(values[name] for name in changes), user)
        return await self._write(sql, place, partial(self._renew_user, user, changes))

    async def rehash(self, user: str, before: str, after: str) -> bool:
        """The same password with another hash, which ends no token; False when it is another by now.

        Raises LedgerDown, BadRow.
        """
        return await self._write(
            _REHASH, (after, user, before), partial(self._change_user, user, {"password": after})
        )

    async def create_key(self, key: Key) -> None:
        """Add a key. Raises Taken (id or secret), LedgerDown, BadRow (no such user too)."""
        await self._write(_ADD_KEY, key_values(key), partial(self._put_key, key))

    async def create_user_with_key(self, user: User, key: Key) -> None:
        """Add a user, with the credit of its start balance, and a key of it: both or neither. Raises Taken (id,
        e-mail address or secret), LedgerDown, BadRow.
        """
        if key.user != user.id:
            raise BadRow("the key is another user's")
        place = KEY.index("user")
        of_key = key_values(key)
        values = (*user_values(user), *of_key[:place], *of_key[place + 1 :])

        def done() -> None:
            self._put_user(user)
            self._put_key(key)

        await self._write(_ADD_BOTH, values, done)

    async def change_key(self, key: str, **changes: object) -> bool:
        """Set some of hash, mask, role, tier, expires, disabled, models, label, budgets, salt; False when
        there is no such key.

        Raises Taken, LedgerDown, BadRow.
        """
        found = self._keys.get(key)
        if found is None or not changes:
            return found is not None
        _known(changes, _OF_KEY)
        values = dict(zip(KEY, key_values(replace(found, **changes)), strict=True))  # type: ignore[arg-type]
        names = [n for name in changes for n in (_BUDGETS if name == "budgets" else (name,))]
        sql = _update("keys", names, "user")
        place = (*(values[name] for name in names), key)
        return await self._write(sql, place, partial(self._change_key, key, changes))

    async def delete_key(self, key: str) -> bool:
        """Forget a key; False when there is none. What it used stays in the books. Raises LedgerDown."""
        return await self._write(_DROP_KEY, (key,), partial(self._drop_key, key))

    async def take(self, principal: str, micro: int, reason: str, at: int) -> bool:
        """Book a negative credit, if the free balance has that much; else False, as for a principal
        without a balance. Raises LedgerDown, BadRow.
        """
        time, name, amount, text = credit_values(principal, micro, reason, at)
        if not isinstance(amount, int) or amount <= 0:
            raise BadRow("what is taken must be more than 0")
        return await self._write(_TAKE, (time, name, amount, text), lambda: None)

    async def _write(self, sql: str, values: Values, done: Callable[[], None]) -> bool:
        """Commit one statement, then `done` if it changed a row, in the order of the commits."""
        written = self._submit(sql, values)

        def committed(future: asyncio.Future[bool]) -> None:
            if not future.cancelled() and future.exception() is None and future.result():
                done()

        written.add_done_callback(committed)
        try:
            # A caller that leaves must not take the note of a commit with it.
            return await asyncio.shield(written)
        except BadRow as error:
            if "UNIQUE" in str(error):
                raise Taken(str(error).rpartition(": ")[2]) from None
            raise

    def _put_user(self, user: User) -> None:
        before = self._users.get(user.id)
        if before is not None and before.email:
            self._emails.pop(before.email.lower(), None)
        self._users[user.id] = user
        if user.email:
            self._emails[user.email.lower()] = user.id
        self.changed(user.id)

    def _renew_user(self, user: str, changes: dict[str, object]) -> None:
        ends = not _ENDS_SESSIONS.isdisjoint(changes)
        self._change_user(user, {**changes, "session": self._users[user].session + ends})

    def _change_user(self, user: str, changes: dict[str, object]) -> None:
        self._put_user(replace(self._users[user], **changes))  # type: ignore[arg-type]

    def _put_key(self, key: Key) -> None:
        before = self._keys.get(key.id)
        if before is not None:
            self._hashes.pop(before.hash, None)
        self._keys[key.id] = key
        self._hashes[key.hash] = key.id
        self._of.setdefault(key.user, {})[key.id] = None
        self.changed(key.user)

    def _change_key(self, key: str, changes: dict[str, object]) -> None:
        found = self._keys.get(key)
        if found is not None:
            self._put_key(replace(found, **changes))  # type: ignore[arg-type]

    def _drop_key(self, key: str) -> None:
        found = self._keys.pop(key)
        self._hashes.pop(found.hash, None)
        self._of[found.user].pop(key, None)
        self.changed(found.user)


def _known(changes: dict[str, object], names: frozenset[str]) -> None:
    strange = changes.keys() - names
    if strange:
        raise BadRow(f"{', '.join(sorted(strange))}: can't be changed")


def _update(
    table: str, names: list[str] | dict[str, object], owner: str, *, ends: bool = False
) -> str:
    columns = ", ".join(f"{name} = ?" for name in names)
    columns += ", session = session + 1" if ends else ""
    return f"UPDATE {table} SET {columns} WHERE id = ? RETURNING {owner}"  # noqa: S608 - checked names
