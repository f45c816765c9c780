"""What the gate decided about one flow: the only thing of ours in `flow.metadata`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import IO

from mitmproxy import http

from wattline.base.errors import Fault
from wattline.dialects.base import Route
from wattline.proxy.messages import tell
from wattline.service.entrance.visitor import Visitor
from wattline.wire.call import Principal
from wattline.wire.http import Departure, Headers, Request, Use
from wattline.wire.notice import Notice

KEY = "wattline"


class Mark(Enum):
    """Whether and how a flow may go on. Nothing goes anywhere without another mark."""

    REFUSED = auto()
    CALL = auto()
    """An LLM call: answered by the service."""
    SOCKET = auto()
    """An upgrade to a WebSocket of calls: accepted or refused by the service."""
    LOCAL = auto()
    """A page of ours: mitmproxy carries it to the web face."""
    PASS = auto()
    """Not ours: mitmproxy carries it to the host that the client named, untouched."""


@dataclass(slots=True)
class Admission:
    """One flow's record: made refused with the flow itself, filled in by the gate."""

    use: Use
    id: str = ""
    headers: Headers = ()
    mark: Mark = Mark.REFUSED
    route: Route | None = None
    body_limit: int = 0
    too_large: Fault | None = None
    """What to say when the body passes `body_limit`."""
    style: str = ""
    """The shape of errors on a page of ours."""
    received: int = 0
    spool: IO[bytes] | None = None
    """An upload is written here instead of being held in memory."""
    principal: Principal | None = None
    peer: str = ""
    """The client's address."""
    notice: Notice | None = None
    """What the head of the answer tells beside the answer itself."""
    visitor: Visitor | None = None
    """Who asks for a page of ours: known to the web face for as long as it is here."""
    departure: Departure = field(default_factory=Departure)

    def request(self, flow: http.HTTPFlow) -> Request:
        """The complete request, once the body is in."""
        if self.spool is not None:
            self.spool.seek(0)
        return Request(
            id=self.id,
            method=flow.request.method,
            scheme=flow.request.scheme,
            host=flow.request.host,
            port=flow.request.port,
            path=flow.request.path,
            headers=self.headers,
            body=flow.request.raw_content or b"",
            peer=self.peer,
            use=self.use,
            spool=self.spool,
            principal=self.principal,
            departure=self.departure,
            notice=self.notice,
        )

    def visit(self) -> Visitor:
        """The visitor, made at its first use."""
        if self.visitor is None:
            self.visitor = Visitor(self.id, self.peer, self.principal)
        return self.visitor

    def dress(self, response: http.Response | None) -> None:
        """Write on an answer's head what it should tell."""
        if self.notice is not None and response is not None:
            tell(response, self.notice)


def admission_of(flow: http.HTTPFlow) -> Admission | None:
    """The gate's record; None when the gate never saw the flow."""
    admission = flow.metadata.get(KEY)
    return admission if isinstance(admission, Admission) else None
