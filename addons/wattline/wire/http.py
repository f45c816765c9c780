"""An HTTP message as the core sees it: no mitmproxy, no aiohttp."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO

from wattline.wire.call import Principal
from wattline.wire.notice import Notice

Headers = Sequence[tuple[str, str]]
"""Names in lower case, values stripped, in the order they came; duplicates kept."""


class Use(StrEnum):
    """How the request reached us."""

    REVERSE = "reverse"
    """Sent to the sidecar's own address."""
    FORWARD = "forward"
    """Sent to a provider's host, through the proxy port or an intercepted tunnel."""


class Ending(StrEnum):
    """Why a call is being ended before its answer is."""

    CLIENT_GONE = "client_gone"
    SHUTDOWN = "shutdown"


@dataclass(slots=True)
class Departure:
    """Set by the face to clients before it cancels a call, so that the call is settled for what
    really happened.
    """

    reason: Ending | None = None
    paid: bool = False
    """A provider's answer came to its end and is owed, whether the client still waits or not."""


@dataclass(slots=True)
class Request:
    """A client's request, complete. Only its body is ever changed: let go of when nobody needs it.

    `path` is the target as it came, query included. `host` and `port` are what the client wanted to
    reach (`scheme` too). A large upload is in `spool` (a file at position 0) and `body` is empty.
    """

    id: str
    method: str
    scheme: str
    host: str
    port: int
    path: str
    headers: Headers
    body: bytes = field(repr=False)
    peer: str
    use: Use
    spool: IO[bytes] | None = None
    principal: Principal | None = None
    """Known already when the client proved who it is at its CONNECT."""
    departure: Departure = field(default_factory=Departure)
    notice: Notice | None = None
    """Where what its answer's head should tell is written down; None when there is nothing to tell."""

    def header(self, name: str) -> str | None:
        """The first value of a header, by its lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Head:
    """The start of a streamed answer; pieces of `bytes` follow."""

    status: int
    headers: Headers


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete answer."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)


type Items = AsyncGenerator[Head | Whole | bytes]
"""An answer: one `Whole`, or a `Head` and the pieces of its body."""


class Truncated(Exception):
    """The answer broke off after its head: the connection must end without a clean end."""
