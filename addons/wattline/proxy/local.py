"""The way from a client's connection to the web face, which listens on a loopback port of this process.

Three things keep all others from that port. The web face answers nothing without a secret that is drawn
for each process; it is added to the copy of a request that is written to the wire, so no flow holds it.
mitmproxy may open a connection there only when a request of ours asked for it (`expect`). And a request
that is passed on is refused if it names that address, since it could be given a connection that is open.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.proxy import commands
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import GetHttpConnection, RequestHeaders, SendHttp

from wattline.base.errors import Fault, Kind, OurFault
from wattline.service.entrance.visitor import PREFIX, SECRET, VISIT, Visitor, Visits
from wattline.wire.http import Whole

LOOPBACK = "127.0.0.1"
_KEPT_BACK = (b"proxy-", PREFIX.encode(), b"content-length", b"transfer-encoding")

type Render = Callable[[str, Fault, str], Whole]


class LocalConnection(GetHttpConnection):
    """Asks for a connection to the web face."""


class LocalFace:
    """Where the web face is. `render` makes a fault an answer, given its style and the request's id."""

    def __init__(self, render: Render, visits: Visits) -> None:
        self.render = render
        self._visits = visits
        self.address = ("", 0)
        self.stopping = False
        self._secret = ""
        self._expected: set[str] = set()

    def open(self, port: int, secret: str) -> None:
        """It listens."""
        self.address = (LOOPBACK, port)
        self._secret = secret

    def refusal(self, style: str, request_id: str) -> Whole:
        """The answer to what comes while the sidecar stops."""
        fault = OurFault(
            "The sidecar is shutting down.",
            status=503,
            code="shutting_down",
            kind=Kind.UNAVAILABLE,
            retry_after=1,
        )
        return self.render(style, fault, request_id)

    def connection(self) -> LocalConnection:
        """The command for a connection."""
        return LocalConnection(self.address, tls=False, via=None)

    def reach(
        self, style: str, request_id: str, failed: Callable[[], Whole]
    ) -> Generator[commands.Command, Any, Server | Whole]:
        """A connection, or what to say without one: a failure is ours, and does not say where the face listens."""
        if self.stopping:
            return self.refusal(style, request_id)
        connection, _ = yield self.connection()
        return failed() if connection is None else connection

    def watched(
        self, generator: CommandGenerator[None], event: GetHttpConnection
    ) -> CommandGenerator[None]:
        """Commands of the HTTP layer for `event`, the connection that it opens for us remembered."""
        ours = isinstance(event, LocalConnection)
        for command in generator:
            if ours and isinstance(command, commands.OpenConnection):
                self._expected.add(command.connection.id)
            yield command

    def expects(self, server: Server) -> bool:
        """Whether a request of ours asked for this connection; true once."""
        if server.id not in self._expected:
            return False
        self._expected.discard(server.id)
        return server.address == self.address

    def dressed(
        self, generator: CommandGenerator[None], visitor: Visitor
    ) -> Generator[commands.Command, Any]:
        """Commands of a stream, its request's head replaced by one with the secret."""
        self._visits.announce(visitor)
        reply: Any = None
        while True:
            try:
                command = generator.send(reply)
            except StopIteration:
                return
            if isinstance(command, SendHttp) and isinstance(command.event, RequestHeaders):
                event = command.event
                dressed = replace(event, request=self._dress(event.request, visitor))
                command = SendHttp(dressed, command.connection)
            reply = yield command

    def _dress(self, request: http.Request, visitor: Visitor) -> http.Request:
        request = request.copy()
        kept = [
            pair for pair in request.headers.fields if not pair[0].lower().startswith(_KEPT_BACK)
        ]
        told = [(SECRET, self._secret), (VISIT, visitor.id)]
        if (
            request.raw_content
        ):  # the body is here whole; a request of HTTP/2 may not tell its length
            told.append(("content-length", str(len(request.raw_content))))
        kept += [(name.encode(), value.encode()) for name, value in told]
        request.headers.fields = tuple(kept)
        return request
