"""The demo provider's own count of what it was asked and what it sent.

Tests compare a ledger with it, so nothing of the sidecar's metering is used here. With a path, each
request is two lines of JSON: `received` once its body is read, `ended` when it is over. A line is in
the file before the request goes on, so it outlives a kill of the process; the fsync, for a power
cut, follows in a thread.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

KEEP = 10_000
"""Requests kept in memory; older ones are forgotten."""


class Ended(StrEnum):
    """How an answer ended."""

    COMPLETE = "complete"
    """All of it was handed to the connection."""
    CLIENT_GONE = "client_gone"
    """The client closed the connection first."""
    FAULT = "fault"
    """A fault took the answer's place or broke it off."""
    STOPPED = "stopped"
    """The provider was stopped."""


@dataclass(slots=True)
class Entry:
    """One request. Times: `at` is the wall's, `started` and `ended_at` are monotonic seconds."""

    number: int
    """1 for the first request."""
    at: float
    started: float
    method: str
    path: str
    attempt: str | None = None
    """The `x-wattline-attempt` header."""
    authorization_sha256: str | None = None
    """Hex SHA-256 of the whole `Authorization` header's value."""
    model: str | None = None
    fault: str | None = None
    status: int | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Tokens of output handed to the connection so far."""
    usage: Mapping[str, Any] | None = None
    """The usage it claimed, just as it was sent; None: it claimed none."""
    events: int = 0
    """Server-sent events handed to the connection so far."""
    body_bytes: int = 0
    """Bytes of the answer's body, before chunked framing."""
    stalled: bool = False
    """It waits for `DemoProvider.release` now."""
    ended: Ended | None = None
    ended_at: float | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """All request headers, names in lower case; only in a journal that keeps contents."""
    body: bytes = field(default=b"", repr=False)
    """The request's body; only in a journal that keeps contents."""

    def header(self, name: str) -> str | None:
        """The first value of a kept header, by its lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


type Predicate = Callable[[Entry], bool]


class Journal:
    """All requests in the order they came. `contents` keeps headers and bodies, in memory only."""

    def __init__(
        self, path: Path | None = None, *, contents: bool = False, keep: int = KEEP
    ) -> None:
        self.contents = contents
        self._path = path
        self._entries: deque[Entry] = deque(maxlen=keep)
        self._count = 0
        self._waiting: dict[asyncio.Future[Entry], tuple[Predicate, int]] = {}
        self._file: int | None = None
        self._sync: ThreadPoolExecutor | None = None

    @property
    def requests(self) -> list[Entry]:
        """The requests that are still kept, oldest first."""
        return list(self._entries)

    @property
    def count(self) -> int:
        """How many requests came, the forgotten ones too."""
        return self._count

    def open(self, *, at: float, started: float, method: str, path: str) -> Entry:
        """A new request's entry, as its head arrives."""
        self._count += 1
        entry = Entry(self._count, at, started, method, path)
        self._entries.append(entry)
        self.changed()
        return entry

    def received(self, entry: Entry) -> None:
        """Its body is read: write the first line."""
        if entry.ended is None:
            self._write(entry, "received")
            self.changed()

    def end(self, entry: Entry, ended: Ended, at: float) -> None:
        """The request is over; only the first call for an entry counts."""
        if entry.ended is None:
            entry.ended, entry.ended_at = ended, at
            self._write(entry, "ended")
            self.changed()

    async def wait_for(
        self, predicate: Predicate, *, count: int = 1, deadline: float = 30.0
    ) -> Entry:
        """The `count`-th request for which `predicate` holds, now or as soon as there is one.

        Asked again after each change of any entry. Raises TimeoutError after `deadline` seconds.
        """
        if found := self._find(predicate, count):
            return found
        arrival: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._waiting[arrival] = (predicate, count)
        try:
            return await asyncio.wait_for(arrival, deadline)
        finally:
            del self._waiting[arrival]

    def changed(self) -> None:
        """An entry was changed: wake those whose wait is over."""
        for arrival, (predicate, count) in list(self._waiting.items()):
            if not arrival.done() and (found := self._find(predicate, count)):
                arrival.set_result(found)

    def close(self) -> None:
        """Sync and close the file; a later request opens it again. Raises OSError."""
        if self._file is not None and self._sync is not None:
            self._sync.shutdown()
            os.fsync(self._file)
            os.close(self._file)
            self._file = self._sync = None

    def _find(self, predicate: Predicate, count: int) -> Entry | None:
        for entry in self._entries:
            if predicate(entry):
                count -= 1
                if count <= 0:
                    return entry
        return None

    def _write(self, entry: Entry, event: str) -> None:
        if self._path is None:
            return
        if self._file is None or self._sync is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._sync = ThreadPoolExecutor(1, thread_name_prefix="demo-journal")
        os.write(self._file, _line(entry, event))
        self._sync.submit(os.fsync, self._file)


_FIELDS = tuple(name for name in Entry.__slots__ if name not in ("stalled", "headers", "body"))


def _line(entry: Entry, event: str) -> bytes:
    record = {"event": event} | {name: getattr(entry, name) for name in _FIELDS}
    if entry.usage is not None:
        record["usage"] = {name: _plain(value) for name, value in entry.usage.items()}
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _plain(value: object) -> object:
    """NaN is no JSON: a strict reader would stop there."""
    return "NaN" if isinstance(value, float) and math.isnan(value) else value
