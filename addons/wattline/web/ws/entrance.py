"""Who may open a WebSocket at `/ws`: so many at one time, so many a minute from each address."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from wattline.base.errors import ClientFault, Fault, Kind, OurFault
from wattline.engine.windows import Claim, Refusal, Windows
from wattline.rules.compiled.window import Over, Scope, Window
from wattline.service.entrance.addresses import counted_as
from wattline.service.entrance.styles import Styles
from wattline.service.entrance.visitor import Visitor
from wattline.web.door import VISITOR
from wattline.web.sockets import KEY, OpenSocket
from wattline.web.ws.inside import Inside
from wattline.web.ws.parts import ChatParts
from wattline.web.ws.session import Session
from wattline.wire.http import Whole

STYLE = "inference"
"""The shape of refusals: D-080 is of the inference service."""
USUAL_PER_MINUTE = 5
"""New connections of an address, where neither rules.yaml nor the environment says otherwise (D-080)."""
_MINUTE = 60.0


class Entrance:
    """The ASGI app of the path; `pages` are asked by its messages. The web face has refused strangers and foreign
    origins already.
    """

    def __init__(self, parts: ChatParts, styles: Styles, pages: ASGIApp) -> None:
        self._parts = parts
        self._styles = styles
        self._inside = Inside(pages)
        self._windows = Windows()
        per_minute = parts.policy.per_minute or USUAL_PER_MINUTE
        self._window = Window("websockets", _MINUTE, calls=per_minute, scope=Scope.ADDRESS)
        self._open = 0

    def __len__(self) -> int:
        return self._open

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """One connection, from its handshake to its end."""
        socket: OpenSocket = scope[KEY]
        visitor: Visitor = scope[VISITOR]
        await receive()  # that it wants to connect
        refused = self.refusal(visitor.peer)
        if refused is not None:
            await _reject(send, self._styles.render(STYLE, refused, visitor.id))
            return
        self._open += 1
        try:
            await socket.send({"type": "websocket.accept"})
            session = Session(self._parts, socket, visitor, scope["headers"], self._inside)
            await session.run()
        finally:
            self._open -= 1

    def refusal(self, peer: str) -> Fault | None:
        """Why an address may not connect now; a place in its window is taken when it may."""
        if self._open >= self._parts.policy.connections:
            return OurFault(
                f"{self._open} WebSockets are open, which is all that WS_MAX_CONNECTIONS allows.",
                status=503,
                code="too_many_connections",
                kind=Kind.UNAVAILABLE,
                retry_after=1,
            )
        if self._is_counted_elsewhere():
            return None
        claim, now = Claim(self._window, counted_as(peer)), self._parts.clock.monotonic()
        taken = self._windows.take([claim], now)
        if not isinstance(taken, Refusal):
            self._windows.settle(taken, 0, now)
            return None
        return ClientFault(
            f"An address may open {self._window.calls} WebSockets a minute "
            "(WS_CONNECTIONS_PER_MINUTE).",
            status=429,
            code="rate_limit_exceeded",
            kind=Kind.RATE_LIMIT,
            retry_after=taken.retry_after,
        )

    def _is_counted_elsewhere(self) -> bool:
        """rules.yaml has a window over sockets, and the environment says nothing else."""
        if self._parts.policy.per_minute is not None:
            return False
        return any(window.over is Over.SOCKETS for window in self._parts.book().doors)


async def _reject(send: Send, answer: Whole) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    start = {"type": "websocket.http.response.start", "status": answer.status}
    await send({**start, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": answer.body})
