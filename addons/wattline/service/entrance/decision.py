"""A request before its body, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from wattline.base.errors import Fault
from wattline.dialects.base import Route
from wattline.rules.compiled.window import Over
from wattline.wire.call import Principal
from wattline.wire.http import Headers, Use, Whole
from wattline.wire.notice import Notice


class Verdict(Enum):
    """What becomes of a request."""

    ANSWER = auto()
    CALL = auto()
    SOCKET = auto()
    """An upgrade to a WebSocket whose messages are calls."""
    LOCAL = auto()
    """A page of the web face."""
    PASS = auto()


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request before its body. `host` is lower-case; for a CONNECT it is the destination. `peer` is the
    client's address.
    """

    id: str
    method: str
    host: str
    port: int
    path: str
    headers: Headers
    peer: str
    use: Use
    principal: Principal | None

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]

    def upgrades(self) -> bool:
        """It asks for a WebSocket."""
        return any("websocket" in value.lower() for value in self.all("upgrade"))


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict and what goes with it."""

    verdict: Verdict
    answer: Whole | None = None
    route: Route | None = None
    principal: Principal | None = None
    body_limit: int = 0
    too_large: Fault | None = None
    """What to say when the body passes `body_limit`."""
    style: str = ""
    """The shape of errors on a page of ours (`service.entrance.styles`)."""
    spool: bool = False
    ours: bool = False
    """For a CONNECT: an intercepted host, or the sidecar itself."""
    over: frozenset[Over] = frozenset()
    """The kinds of windows that count it, beside those over calls."""
    notice: Notice | None = None
    """What the head of its answer tells; None where nothing is to be told."""
