"""Bytes that were carried and not looked at: how many came in and went out each way, and their digests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from wattline.wire.websocket_count import MessageCount

DIGEST: Final = "sha256"
"""The fastest where the processor has instructions for it: about 0.6 ms for a MB."""


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class Side:
    """One end of one way: bytes, and their digest where it is wanted. `framed`: they are a WebSocket's."""

    __slots__ = ("_count", "_hash", "_messages", "bytes")

    def __init__(self, *, proving: bool, framed: bool = False) -> None:
        self.bytes = 0
        self._messages = 0
        self._count = MessageCount() if framed else None
        self._hash: _Hash | None = hashlib.new(DIGEST) if proving else None

    @property
    def messages(self) -> int:
        """Messages of a WebSocket; 0 for everything else."""
        return self._messages if self._count is None else self._count.messages

    def add(self, data: bytes) -> None:
        """More of them."""
        self.bytes += len(data)
        if self._hash is not None:
            self._hash.update(data)
        if self._count is not None:
            self._count.feed(data)

    def add_message(self, data: bytes, *, text: bool) -> None:
        """One whole message. Its kind and length are digested before it (`t5:hello`, `b` for a binary one), so that
        the digest tells where each begins.
        """
        self.bytes += len(data)
        self._messages += 1
        if self._hash is not None:
            self._hash.update(b"%c%d:" % (b"t" if text else b"b", len(data)))
            self._hash.update(data)

    @property
    def digest(self) -> str | None:
        """In hexadecimal; None where none was wanted."""
        return None if self._hash is None else self._hash.hexdigest()


class Way:
    """What came in from one end and what went out to the other."""

    __slots__ = ("came", "went")

    def __init__(self, *, proving: bool, framed: bool = False) -> None:
        self.came = Side(proving=proving, framed=framed)
        self.went = Side(proving=proving, framed=framed)

    @property
    def untouched(self) -> bool:
        """The same bytes went out as came in, in as many messages."""
        came, went = self.came, self.went
        same = (came.bytes, came.messages) == (went.bytes, went.messages)
        return same and came.digest == went.digest

    @property
    def short(self) -> bool:
        """Less went out than came in, and nothing more."""
        came = (self.came.bytes, self.came.messages)
        return is_short(came, (self.went.bytes, self.went.messages))

    def record(self) -> dict[str, Any]:
        """As JSON values; messages only of what has any."""
        found = self._figures()
        if self.came.messages or self.went.messages:
            found |= {"messages_in": self.came.messages, "messages_out": self.went.messages}
        return found

    def _figures(self) -> dict[str, Any]:
        return {
            "bytes_in": self.came.bytes,
            "bytes_out": self.went.bytes,
            "digest_in": self.came.digest,
            "digest_out": self.went.digest,
        }


def is_short(came: tuple[int, int], went: tuple[int, int]) -> bool:
    """Of bytes and messages no more went out than came in, and of one of them less."""
    return came != went and came[0] >= went[0] and came[1] >= went[1]


@dataclass(slots=True)
class Carried:
    """One tunnel, request, call or WebSocket that was passed on; `up` is towards the host. `kind`: `tunnel`,
    `request`, `call`, `socket` (of calls: message by message) or `upgrade` (any other: byte by byte).
    """

    kind: str
    id: str
    host: str
    port: int
    up: Way
    down: Way
    proving: bool = True
    cut: bool = False
    """One side left before the end: what it would still have had was dropped."""
    over: bool = field(default=False, repr=False)

    @classmethod
    def begun(
        cls,
        kind: str,
        id: str,  # noqa: A002  (its name)
        host: str,
        port: int,
        *,
        proving: bool,
        framed: bool = False,
    ) -> Carried:
        """Nothing was carried yet. `framed`: it is a WebSocket's bytes, whose messages are counted."""
        ways = Way(proving=proving, framed=framed), Way(proving=proving, framed=framed)
        return cls(kind, id, host, port, *ways, proving=proving)

    @property
    def verdict(self) -> str:
        """`untouched`; `cut`, where less went out since a side left; or `changed`."""
        if self.up.untouched and self.down.untouched:
            return "untouched"
        ways = (way for way in (self.up, self.down) if not way.untouched)
        return "cut" if self.cut and all(way.short for way in ways) else "changed"

    def record(self, at: int) -> dict[str, Any]:
        """As JSON values; `at` is milliseconds since 1970 UTC. No path, no header, nothing of a body."""
        return {
            "at": at,
            "kind": self.kind,
            "id": self.id,
            "host": self.host[:255],
            "port": self.port,
            "cut": self.cut,
            "verdict": self.verdict,
            "up": self.up.record(),
            "down": self.down.record(),
        }
