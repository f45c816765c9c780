"""Answers that are kept: under which key, for how long, and how many.

Rules of this file. A key is a whole SHA-256 over all that an answer depends on, its caller first: nothing
is cut, left to a delimiter or rounded, so no two calls share a key that are not the same call of the same
caller. What is kept stays in memory. Entries of one version of the rules are never found under another.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cachetools import LRUCache

from wattline.base.clock import Clock
from wattline.dialects.base import Energy
from wattline.dialects.gemini.paths import GENERATE, STREAM
from wattline.rules.book import Book
from wattline.rules.compiled.target import Target
from wattline.rules.compiled.upkeep import CacheRules
from wattline.service.relay import Held
from wattline.wire.call import Call
from wattline.wire.http import Headers
from wattline.wire.usage import Usage

MAX_BODY = 1024 * 1024
"""Bytes of a request above which no key is made of it: that would hold up other calls."""
ENTRY_COST = 2_048
"""About the bytes that an entry takes beside its answer."""
LARGEST = 8
"""An answer may take one part in so many of the whole cache."""

_ALTERING = ("anthropic-version", "anthropic-beta", "openai-beta")
"""Headers of a client that go upstream and change an answer."""
_NOT_ASKED = frozenset({"stream", "stream_options"})
"""Fields that change how an answer comes and not what it says."""


class Key(NamedTuple):
    """The call's digest, and how its answer comes: a stream of one client may have usage where another's
    has none.
    """

    digest: bytes
    stream: bool
    wants_usage: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer as the client got it. A stream's `body` ends before its tail, which is in `held`. `at` is
    monotonic seconds.
    """

    at: float
    target: Target
    body: bytes = field(repr=False)
    content_type: str
    usage: Usage
    energy: Energy
    dropped: tuple[str, ...] = ()
    held: Held | None = field(default=None, repr=False)

    @property
    def stream(self) -> bool:
        """It came as a stream."""
        return self.held is not None

    @property
    def size(self) -> int:
        """About the bytes that it takes."""
        return ENTRY_COST + len(self.body) + (self.held.size if self.held is not None else 0)


class Cache:
    """The answers kept under the rules in force. `filling` is the bytes of answers under way."""

    def __init__(self, clock: Clock) -> None:
        self.filling = 0
        self.clock = clock
        self._version: str | None = None
        self._rules = CacheRules()
        self._entries: LRUCache[Key, Entry] = self._empty()

    def __repr__(self) -> str:
        return f"<Cache {len(self._entries)} entries, {self.size} bytes>"

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """About the bytes that all entries take."""
        return int(self._entries.currsize)

    def admits(self, size: int, more: int) -> bool:
        """An answer under way of `size` bytes may have `more`: by itself, and with all others under way."""
        most = self._rules.max_bytes
        return ENTRY_COST + size + more <= most // LARGEST and self.filling + more <= most

    def follow(self, book: Book) -> None:
        """From now on these rules are in force: with others than before all entries go."""
        if book.version != self._version:
            self._version, self._rules = book.version, book.cache
            self._entries = self._empty()

    def find(self, key: Key) -> Entry | None:
        """The entry under a key, if it is not too old."""
        entry = self._entries.get(key)
        if entry is not None and self.clock.monotonic() - entry.at >= self._rules.ttl:
            del self._entries[key]
            return None
        return entry

    def keep(self, key: Key, entry: Entry, version: str) -> None:
        """Put an answer in the place of an older one. One that is too large, or was made under another
        version of the rules, is left out.
        """
        if version != self._version or entry.size > self._rules.max_bytes // LARGEST:
            return
        self._entries.pop(key, None)
        while len(self._entries) >= self._rules.max_entries:
            self._entries.popitem()
        self._entries[key] = entry

    def _empty(self) -> LRUCache[Key, Entry]:
        return LRUCache(self._rules.max_bytes, getsizeof=lambda entry: entry.size)


def digest_of(call: Call, headers: Headers, body: bytes, rule: str, version: str) -> bytes:
    """What a call's answer depends on, as one SHA-256. `body` was read as a JSON object before, `headers`
    are the client's, `rule` and `version` those that decide.
    """
    altering = [list(pair) for pair in headers if pair[0] in _ALTERING]
    path = call.path
    if path.endswith(STREAM):  # Gemini's path says whether the answer is a stream
        path = path[: -len(STREAM)] + GENERATE
    context = [
        call.principal.id,
        call.dialect,
        call.operation.value,
        call.host if call.forward else "",
        path,
        call.model,
        rule,
        version,
        altering,
    ]
    found = hashlib.sha256(json.dumps(context).encode())
    found.update(b"\n")
    found.update(canonical(body).encode())
    return found.digest()


class _Number(str):
    """A number as it was written: 0.1 and 0.10000000000000001 may be one float, and are two requests."""

    __slots__ = ()


def canonical(body: bytes) -> str:
    """A JSON object in one form: members by name at every level, no space, numbers as they were written.
    Whether the answer is to be a stream is left out. Raises ValueError for what is no JSON.
    """
    value = json.loads(body, parse_float=_Number, parse_int=_Number)
    if isinstance(value, dict):
        value = {name: item for name, item in value.items() if name not in _NOT_ASKED}
    return _canonical(value)


def _canonical(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name)}:{_canonical(value[name])}" for name in sorted(value))
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_canonical, value))}]"
    return json.dumps(value)
