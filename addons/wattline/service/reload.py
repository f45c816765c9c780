"""The rules in force: read again when the file changed, kept when the new ones are wrong."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from wattline.rules.book import Book
from wattline.rules.load import MAX_BYTES, RulesError, load

log = logging.getLogger(__name__)

RELOAD_SECONDS = 10.0
"""A file that takes longer to load is refused."""

type Stamp = tuple[int, int, int]
"""Inode, size and modification time: what tells one version of a file from another."""


class Books:
    """Holds the current Book. `fresh()` costs one `stat` when nothing changed, so a saved edit takes
    effect on the very next call; calls under way keep the Book that they began with.
    """

    def __init__(
        self,
        path: Path,
        env: Mapping[str, str],
        own: tuple[str, int] | None,
        book: Book,
        *,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self.env = env
        self.own = own
        self.current = book
        self.changed = changed
        """Called after other rules came into force."""
        self.error: str | None = None
        """Why the file as it is now is not in force; None when it is."""
        self._stamp = stamp(path)
        self._reading: asyncio.Lock = asyncio.Lock()

    async def fresh(self) -> Book:
        """The Book for a new call."""
        if stamp(self.path) != self._stamp:
            async with self._reading:
                await self._reload()
        return self.current

    def warn(self) -> None:
        """Log what is most likely a mistake in the rules in force, and the drills and shadows that are on."""
        for warning in self.current.warnings:
            log.warning("%s", warning)

    async def watch(self, seconds: float = 1.0) -> None:
        """Look at the file now and then, so that a mistake is reported without traffic too."""
        while True:
            await asyncio.sleep(seconds)
            await self.fresh()

    async def _reload(self) -> None:
        now = stamp(self.path)
        if now == self._stamp:
            return
        try:
            async with asyncio.timeout(RELOAD_SECONDS):
                book = await asyncio.to_thread(read_book, self.path, self.env, self.own)
        except Exception as error:  # whatever it was, the old rules stay
            self._stamp = now
            self.error = _told(error)
            known = isinstance(error, RulesError | OSError | TimeoutError)
            message = "rules not reloaded, the old ones stay in force:\n%s"
            log.error(message, self.error, exc_info=None if known else error)  # noqa: TRY400
            return
        self._stamp = now  # not before: a caller that leaves meanwhile must not lose the edit
        self.error = None
        if book.version == self.current.version:
            return
        self.current = book
        log.info("rules reloaded: %s, now version %s", self.path.name, book.version)
        self.warn()
        self.changed()


def _told(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{error.filename} is not there any more"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def read_book(path: Path, env: Mapping[str, str], own: tuple[str, int] | None) -> Book:
    """Load a rules file; `own` is where we listen when the file does not say. Raises RulesError,
    OSError.
    """
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    return load(raw, env=env, name=path.name, own=own)


def stamp(path: Path) -> Stamp | None:
    """The version of a file; None when there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  (half the cost of Path.stat, once per call)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
