"""The small interface between attempts and whatever carries bytes to a provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wattline.base.origin import Credential, Origin
from wattline.rules.compiled.provider import Timeouts
from wattline.wire.http import Headers


class File(Protocol):
    """A body that is read in blocks. An open file is one."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, none only at the end."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As a file's `seek`, for whence 0 (the start) and 2 (the end)."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to one origin. `headers` hold no credential: the sender adds it after checking that
    the credential's origin is this one. `body` may be a file, sent from its start.
    """

    origin: Origin
    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes | File = field(repr=False)
    credential: Credential | None


class Incoming(Protocol):
    """An upstream's answer. Leave it with `close`, always: an answer not read to its end drops its
    connection, one read to its end gives it back to the pool.
    """

    status: int
    headers: Headers

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises `Broken` (`idle_timeout`, `total_timeout`, `reset`, `cut`)."""
        ...

    def close(self) -> None:
        """Idempotent. A task that waits for a piece gets `Broken`."""
        ...


class Broken(Exception):
    """The upstream could not be asked, or broke off.

    `code` is one of `refused`, `unreachable`, `dns`, `tls`, `connect_timeout`, `first_byte_timeout`,
    `idle_timeout`, `total_timeout`, `reset` (before an answer), `cut` (an answer that ended before its
    end, by a reset too), `bad_answer` (not HTTP, head too large), `own_listener`, `forbidden_address`, `credential_origin`, `unsendable` (a header, path or
    body of our own that can't be written; nothing was sent but parts of an unreadable body).
    `sent` tells whether request bytes may have reached the upstream; `reused` whether the connection
    came from the pool.
    """

    def __init__(
        self, code: str, message: str, *, sent: bool = False, reused: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.sent = sent
        self.reused = reused


class Unsent(asyncio.CancelledError):
    """Who asked was cancelled before a byte of its request was written."""


class Upstream(Protocol):
    """A pool of connections to all providers."""

    async def send(self, outgoing: Outgoing, timeouts: Timeouts) -> Incoming:
        """Up to the answer's head. Raises `Broken`; `Unsent` for a cancellation that came before the
        connection was there. A pooled connection that turns out to be closed
        before any answer byte is replaced once by a fresh one, within the same timeouts.
        """
        ...

    async def close(self) -> None:
        """Close all connections; answers still being read break off. Idempotent."""
        ...
