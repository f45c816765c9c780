"""Why the ledger can't be written, in words, and when it is worth another try. No I/O, no clock."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

FIRST_WAIT = 0.25
LONGEST_WAIT = 15.0

_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space",
    sqlite3.SQLITE_BUSY: "another program holds its lock: close whatever else has it open for"
    " writing",
    sqlite3.SQLITE_READONLY: "it is read-only: give wattline's user write access to the file and its"
    " folder",
    sqlite3.SQLITE_PERM: "no permission: give wattline's user access to the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it can't be opened: check that its folder exists and that wattline's"
    " user may write there",
    sqlite3.SQLITE_IOERR: "the disk answers with an error: check the disk and the system's log",
    sqlite3.SQLITE_CORRUPT: "it is damaged: stop wattline, keep a copy of the file with its -wal, and"
    " restore a backup or move it away",
    sqlite3.SQLITE_NOTADB: "it is damaged or no SQLite database: keep a copy, and restore a backup or"
    " move it away; wattline has not changed it",
    sqlite3.SQLITE_NOMEM: "out of memory",
}
_WORDS[sqlite3.SQLITE_LOCKED] = _WORDS[sqlite3.SQLITE_BUSY]
_PASSING = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FINAL = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_AS_SQLITE = {
    errno.ENOSPC: sqlite3.SQLITE_FULL,
    errno.EDQUOT: sqlite3.SQLITE_FULL,
    errno.EROFS: sqlite3.SQLITE_READONLY,
    errno.EACCES: sqlite3.SQLITE_PERM,
    errno.EPERM: sqlite3.SQLITE_PERM,
    errno.EIO: sqlite3.SQLITE_IOERR,
}


def explain(error: BaseException, path: Path, *, again: bool = False) -> str:
    """What is wrong with the ledger at `path`, and what to do. `again`: it is tried again until it works."""
    if isinstance(error, IsADirectoryError):
        return f"ledger {path}: a folder stands where its file belongs: move it away, or name another place (WATTLINE_STATE)"
    words = _WORDS.get(_code(error)) or f"{type(error).__name__}: {error}"
    then = "; wattline goes on by itself" if again and _code(error) in _PASSING else ""
    return f"ledger {path}: {words}{then}"


def is_final(error: BaseException) -> bool:
    """True when trying again could do more harm: the file is damaged."""
    return _code(error) in _FINAL


def _code(error: BaseException) -> int:
    """SQLite's primary result code (the low byte: https://www.sqlite.org/rescode.html)."""
    if isinstance(error, OSError):
        return _AS_SQLITE.get(error.errno or 0, 0)
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


class Outage:
    """One outage after the other. `now` is a monotonic reading in seconds."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.final = False
        self.since = 0.0
        self._wait = FIRST_WAIT
        self._next = 0.0

    def begin(self, reason: str, now: float, *, final: bool = False) -> bool:
        """A write failed. True when this is news, False when an outage just goes on."""
        news = self.reason is None
        self._wait = FIRST_WAIT if news else min(self._wait * 2, LONGEST_WAIT)
        self._next = now + self._wait
        self.since = now if news else self.since
        self.reason, self.final = reason, final or self.final
        return news

    def may_write(self, now: float) -> bool:
        """No outage, or time for a probe."""
        return self.reason is None or (not self.final and now >= self._next)

    def end(self) -> bool:
        """A write went through. True when that ends an outage; a final one does not end: the group
        was on its way when it began.
        """
        if self.reason is None or self.final:
            return False
        self.reason = None
        return True
