"""What users said and were answered, and the system message of each: beside the ledger, in the same file.

Rules of this file. The messages of one turn are one statement, so both are kept or none; what is too old
then is forgotten in that statement. Deleted text is overwritten with zeros (`secure_delete`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from wattline.store.base import BadRow
from wattline.store.reading import reading
from wattline.store.rows import MAX_ID, Values

type Submit = Callable[[str, Values], asyncio.Future[bool]]
"""Queue a statement: the future is True at its commit when it changed a row."""

type Speaker = Literal["user", "assistant"]

MAX_CONTENT: Final = 8 * 1024 * 1024
"""Characters of one message."""
MAX_ADDED: Final = 1_000
"""Messages in one statement."""

_ADD = "INSERT INTO messages (dialog, at, role, content, first) VALUES {rows} RETURNING dialog"
_CLEAR = "DELETE FROM messages WHERE dialog = ? RETURNING dialog"
_READ = "SELECT seq, role, content FROM messages WHERE dialog = ? ORDER BY seq"
_SET_SYSTEM = (
    "INSERT INTO system_messages (user, at, content) VALUES (?1, ?2, ?3)"
    " ON CONFLICT (user) DO UPDATE SET at = ?2, content = ?3 RETURNING user"
)
_DROP_SYSTEM = "DELETE FROM system_messages WHERE user = ? RETURNING user"
_SYSTEM = "SELECT content FROM system_messages WHERE user = ?"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `seq` is its place; 0 before it is kept."""

    role: Speaker
    content: str = field(repr=False)
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Dialog:
    """A user's conversation, oldest message first, and its own system message."""

    messages: tuple[Message, ...] = ()
    system: str | None = field(default=None, repr=False)


class SqliteDialogs:
    """The verbs. Each raises LedgerDown; those that write also BadRow."""

    def __init__(self, submit: Submit, path: Path) -> None:
        self._submit, self._path = submit, path

    def read(self, user: str) -> Dialog:
        """All that is kept of a user. Blocking."""
        with reading(self._path) as connection:
            rows = connection.execute(_READ, (user,)).fetchall()
            system = connection.execute(_SYSTEM, (user,)).fetchone()
        messages = tuple(Message(role, content, seq) for seq, role, content in rows)
        return Dialog(messages, None if system is None else system[0])

    async def add(self, user: str, messages: Sequence[Message], at: int, first: int = 0) -> None:
        """Append messages, all or none, and forget the user's older than place `first`."""
        _check_id(user)
        if not 0 < len(messages) <= MAX_ADDED:
            raise BadRow(f"messages: 1 to {MAX_ADDED} at a time")
        values = [part for m in messages for part in (user, at, m.role, _checked(m.content), first)]
        rows = ", ".join(["(?, ?, ?, ?, ?)"] * len(messages))
        await self._write(_ADD.format(rows=rows), tuple(values))

    async def clear(self, user: str) -> bool:
        """Forget a user's messages; False when there were none."""
        return await self._write(_CLEAR, (user,))

    async def set_system(self, user: str, content: str, at: int) -> None:
        """Keep a user's system message."""
        _check_id(user)
        await self._write(_SET_SYSTEM, (user, at, _checked(content)))

    async def drop_system(self, user: str) -> bool:
        """Forget it; False when there was none."""
        return await self._write(_DROP_SYSTEM, (user,))

    async def _write(self, sql: str, values: Values) -> bool:
        # A caller that leaves takes nothing back.
        return await asyncio.shield(self._submit(sql, values))


def _check_id(user: str) -> None:
    if not 0 < len(user) <= MAX_ID:
        raise BadRow(f"user: must have 1 to {MAX_ID} characters")


def _checked(content: str) -> str:
    if len(content) > MAX_CONTENT:
        raise BadRow(f"a message has at most {MAX_CONTENT} characters")
    return content
