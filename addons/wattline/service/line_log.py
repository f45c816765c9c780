"""Records on their way to a file of JSON lines: written in a thread, in their order, never waited for."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wattline.base.tasks import spawn
from wattline.dialects.json_text import dumps
from wattline.store.json_lines import JsonLines

log = logging.getLogger(__name__)

WAITING = 5_000
"""Records that wait for the disk; later ones are lost, and that is told."""
MIN_SECRET = 8
REDACTED = "[redacted]"


class LineLog:
    """`secrets` gives what no line may hold. To be used in one event loop."""

    def __init__(self, file: JsonLines, secrets: Callable[[], Iterable[str]] = tuple) -> None:
        self.file = file
        self._secrets = secrets
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._lost = 0
        self._failing = False

    def add(self, record: Mapping[str, Any]) -> None:
        """Queue a record. Its values are JSON and are not changed any more."""
        if len(self._waiting) >= WAITING:
            self._lost += 1
            return
        self._waiting.append(record)
        if self._writing is None or self._writing.done():
            self._writing = spawn(self._write(), name=f"write {self.file.path.name}")

    async def written(self) -> None:
        """Wait until all that came so far is in the file, or could not be."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # what comes in this turn goes along
            records = list(self._waiting)
            self._waiting.clear()
            secrets = [secret for secret in self._secrets() if len(secret) >= MIN_SECRET]
            try:
                await asyncio.to_thread(self._append, records, secrets)
            except OSError as error:
                self._lost += len(records)
                self._tell(error)
            else:
                self._failing = False
        if self._lost and not self._failing:
            log.warning("%s: %d lines were lost", self.file.path, self._lost)
            self._lost = 0

    def _append(self, records: list[Mapping[str, Any]], secrets: list[str]) -> None:
        self.file.append([_line(record, secrets) for record in records])

    def _tell(self, error: OSError) -> None:
        if not self._failing:
            log.error("%s can't be written: %s", self.file.path, error.strerror or error)
        self._failing = True


def _line(record: Mapping[str, Any], secrets: Iterable[str]) -> bytes:
    line = dumps({name: _clean(value, secrets) for name, value in record.items()})
    return line + b"\n"


def _clean(value: Any, secrets: Iterable[str]) -> Any:
    if not isinstance(value, str):
        return value
    for secret in secrets:
        value = value.replace(secret, REDACTED)
    # Half of a character would make the line one that strict readers refuse.
    return value if value.isascii() else value.encode("utf-8", "replace").decode()
