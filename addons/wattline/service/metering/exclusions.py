"""Errors that an operator expects: they are logged, but count in no rate and against no target (B-083)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wattline.base.errors import ClientFault
from wattline.base.strict_json import read_object
from wattline.rules.globs import Glob, is_glob

log = logging.getLogger(__name__)

NAME = "excluded-errors.json"
MAX_BYTES = 256 * 1024
MAX_PATTERNS = 1_000
MAX_PATTERN = 200
MAX_TEXT = 1_000
"""Characters of an error that are looked at."""
_DEPTH = 4


class Exclusions:
    """Patterns, each a part of an error's code or message, or with `*` or `?` all of it. Case does not count."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        chosen = [pattern.casefold() for pattern in patterns]
        self._parts = [pattern for pattern in chosen if not is_glob(pattern)]
        self._globs = [Glob(pattern) for pattern in chosen if is_glob(pattern)]

    def __len__(self) -> int:
        return len(self._parts) + len(self._globs)

    def match(self, *texts: str) -> bool:
        """One of the texts is excluded. Linear in their length."""
        return any(self._matches(text[:MAX_TEXT].casefold()) for text in texts)

    def _matches(self, text: str) -> bool:
        if any(part in text for part in self._parts):
            return True
        return any(glob.matches(text) for glob in self._globs)


def read_exclusions(raw: bytes) -> Exclusions:
    """`{"patterns": ["…"]}`. Raises ValueError, whose message says what is wrong."""
    if len(raw) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    try:
        found = read_object(raw, max_depth=_DEPTH)
    except ClientFault as fault:
        raise ValueError(fault.message) from None
    patterns: Any = found.get("patterns")
    if not isinstance(patterns, list) or len(patterns) > MAX_PATTERNS:
        raise ValueError(f"it must be an object with a list `patterns` of at most {MAX_PATTERNS}")
    for index, pattern in enumerate(patterns):
        if not isinstance(pattern, str) or not 0 < len(pattern.strip()) <= MAX_PATTERN:
            raise ValueError(f"patterns[{index}] must be text of 1 to {MAX_PATTERN} characters")
    return Exclusions(patterns)


class ExclusionsFile:
    """The patterns of a file, read again when it changed. A file that is wrong leaves the last ones."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._known = Exclusions()
        self.error: str | None = None
        """Why the file as it is now is not in force."""

    def match(self, *texts: str) -> bool:
        """One of the texts is excluded now. It costs one `stat` while the file stays as it is."""
        return self.current().match(*texts)

    def current(self) -> Exclusions:
        """Blocking while it reads a file that changed. Never raises."""
        try:
            status = self._path.stat()
            stamp = status.st_ino, status.st_size, status.st_mtime_ns
        except OSError:
            self._stamp, self._known, self.error = None, Exclusions(), None
            return self._known
        if stamp != self._stamp:
            self._stamp = stamp
            self._read()
        return self._known

    def _read(self) -> None:
        try:
            with self._path.open("rb") as file:
                self._known = read_exclusions(file.read(MAX_BYTES + 1))
            self.error = None
        except (OSError, ValueError) as error:
            self.error = str(error)
            log.warning("%s is not in force: %s", self._path, error)
