"""Users' own keys for providers, beside the ledger: sealed text and what may be shown of it.

Rules of this file. It knows no secret: what is sealed is opened by whoever has the key for that. Each verb
is one statement. All rows are also kept in memory, changed in the order of the commits and never before one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Final

from wattline.base.origin import Origin
from wattline.store.base import BadRow
from wattline.store.rows import MAX_ID, MAX_TEXT, MAX_TIME, Value, Values

MAX_SEALED: Final = 4_096

type Submit = Callable[[str, Values], asyncio.Future[bool]]
"""Queue a statement: the future is True at its commit when it changed a row."""


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """One key. It is for the provider called `provider` as long as that is at `origin`, and for nobody but
    `user`. `created` is milliseconds since 1970 UTC.
    """

    id: str
    user: str
    provider: str
    scheme: str
    host: str
    port: int
    name: str
    mask: str
    """Its first and last characters, to recognise it by."""
    sealed: str = field(repr=False)
    """Base64."""
    created: int

    @property
    def origin(self) -> Origin:
        """Where it may be sent."""
        return Origin(self.scheme, self.host, self.port)


COLUMNS: Final = tuple(column.name for column in fields(ProviderKey))
_ADD = (
    f"INSERT INTO provider_keys ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - constants
    " RETURNING user"
)
_DROP = "DELETE FROM provider_keys WHERE id = ? AND user = ? RETURNING user"
_RESEAL = "UPDATE provider_keys SET sealed = ? WHERE id = ? AND sealed = ? RETURNING user"


def read_provider_keys(connection: sqlite3.Connection) -> list[ProviderKey]:
    """All of them, oldest first. Raises sqlite3.Error."""
    rows = connection.execute(
        f"SELECT {', '.join(COLUMNS)} FROM provider_keys ORDER BY created, id"  # noqa: S608 - constants
    )
    return [ProviderKey(*row) for row in rows]


class SqliteProviderKeys:
    """The verbs. Made by `SqliteLedger`."""

    def __init__(self, submit: Submit, keys: Iterable[ProviderKey]) -> None:
        self.changed: Callable[[str], None] = lambda _: None
        """Called with a user's id when it has other keys now."""
        self._submit = submit
        self._of: dict[str, dict[str, ProviderKey]] = {}
        for key in keys:
            self._of.setdefault(key.user, {})[key.id] = key

    def of(self, user: str) -> list[ProviderKey]:
        """A user's keys, oldest first."""
        return list(self._of.get(user, {}).values())

    def all(self) -> Iterator[ProviderKey]:
        """Everybody's."""
        return iter([key for keys in self._of.values() for key in keys.values()])

    def latest(self, user: str, provider: str, origin: Origin) -> ProviderKey | None:
        """The one that a call of the user to this provider takes: the newest that may go to `origin`."""
        for key in reversed(self._of.get(user, {}).values()):
            if key.provider == provider and key.origin == origin:
                return key
        return None

    async def add(self, key: ProviderKey) -> None:
        """Raises LedgerDown, BadRow (no such user, too many keys, the id is used)."""
        await self._write(_ADD, _values(key), lambda: self._put(key))

    async def drop(self, key: str, user: str) -> bool:
        """Forget a key of a user; False when the user has none with this id. Raises LedgerDown."""
        return await self._write(_DROP, (key, user), lambda: self._forget(key, user))

    async def reseal(self, key: ProviderKey, sealed: str) -> bool:
        """The same secret, sealed anew; False when the row is another by now. Raises LedgerDown, BadRow."""
        values = (_bounded(sealed, MAX_SEALED), key.id, key.sealed)
        return await self._write(_RESEAL, values, lambda: self._put(replace(key, sealed=sealed)))

    async def _write(self, sql: str, values: Values, done: Callable[[], None]) -> bool:
        written = self._submit(sql, values)

        def committed(future: asyncio.Future[bool]) -> None:
            if not future.cancelled() and future.exception() is None and future.result():
                done()

        written.add_done_callback(committed)
        # A caller that leaves must not take the note of a commit with it.
        return await asyncio.shield(written)

    def _put(self, key: ProviderKey) -> None:
        self._of.setdefault(key.user, {})[key.id] = key
        self.changed(key.user)

    def _forget(self, key: str, user: str) -> None:
        keys = self._of.get(user, {})
        keys.pop(key, None)
        if not keys:
            self._of.pop(user, None)
        self.changed(user)


def _values(key: ProviderKey) -> Values:
    bounds = {"id": MAX_ID, "user": MAX_ID, "sealed": MAX_SEALED}
    return tuple(_value(getattr(key, name), bounds.get(name, MAX_TEXT)) for name in COLUMNS)


def _value(value: str | int, most: int) -> Value:
    if type(value) is int:
        if not 0 <= value <= MAX_TIME:
            raise BadRow(f"must be a whole number from 0 to {MAX_TIME}")
        return value
    return _bounded(str(value), most)


def _bounded(text: str, most: int) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRow("a text must have valid characters") from None
    if len(text) > most:
        raise BadRow(f"a text must have at most {most} characters")
    return text
