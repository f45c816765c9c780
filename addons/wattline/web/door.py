"""What every request to the web face passes first: nothing is answered without the secret."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wattline.base.errors import OurFault
from wattline.base.logs import note_request
from wattline.service.entrance.headers import shown_id
from wattline.service.entrance.safety import SAFE
from wattline.service.entrance.styles import Styles
from wattline.service.entrance.visitor import PREFIX, SECRET, VISIT, Visitor, Visits
from wattline.web.style import style_of
from wattline.wire.http import Whole

log = logging.getLogger(__name__)
requests_log = logging.getLogger("wattline.requests")

VISITOR: Final = "wattline.visitor"
"""Where a scope has its `Visitor`."""
_CLOSED: Final = frozenset({b"connection", b"server", b"x-request-id", b"x-wattline-call"})
"""Headers of answers that this layer alone writes, or nobody."""
_SAFE: Final = tuple((name.encode(), value.encode()) for name, value in SAFE)

_QUIET: Final = frozenset({"/metrics"})
"""Pages that programs ask again and again: their lines are for those who look for a fault."""
_LONGEST: Final = 100
"""Characters of a path."""
_LINE: Final = "%(request_id)s %(method)s %(path)s: status %(status)s, %(ms).0f ms"

type Raw = list[tuple[bytes, bytes]]


class Door:
    """An ASGI layer. Below it a scope has its `Visitor`, and no internal header."""

    def __init__(self, app: ASGIApp, secret: str, styles: Styles, visits: Visits) -> None:
        self._app = app
        self._secret = secret.encode()
        self._styles = styles
        self._visits = visits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404 to strangers; hand the others on."""
        raw: Raw = scope.get("headers", [])
        visitor = self._visitor(raw) if self._knows(raw) else None
        if visitor is None:
            await _turn_away(scope, send)
            return
        note_request(visitor.id)
        kept = [pair for pair in raw if not pair[0].startswith(PREFIX.encode())]
        inner = {**scope, "headers": kept, VISITOR: visitor}
        if scope["type"] == "http" and scope["method"] == "HEAD":
            inner["method"] = "GET"  # the server leaves the body out
        answer = _Answer(send, _ours(visitor, kept))
        began = asyncio.get_running_loop().time()
        try:
            await self._app(inner, receive, answer.send)
        except Exception:
            log.exception("%s: a page failed", visitor.id)
            if not answer.begun:
                await self._fail(inner, visitor, answer.send)
            elif not answer.ended and scope["type"] == "http":
                raise
            elif not answer.ended:
                await answer.send({"type": "websocket.close", "code": 1011})
        finally:
            seconds = asyncio.get_running_loop().time() - began
            _report(scope, visitor, answer.status, seconds)

    def _knows(self, raw: Raw) -> bool:
        said = [value for name, value in raw if name == SECRET.encode()]
        return len(said) == 1 and hmac.compare_digest(said[0], self._secret)

    def _visitor(self, raw: Raw) -> Visitor | None:
        said = [value.decode("latin-1") for name, value in raw if name == VISIT.encode()]
        return self._visits.find(said[0]) if len(said) == 1 else None

    async def _fail(self, scope: Scope, visitor: Visitor, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1011})
            return
        fault = OurFault("wattline failed on this request.")
        path = scope["raw_path"].decode("latin-1")
        style = style_of(path, _text(scope["headers"]))
        await send_whole(send, self._styles.render(style, fault, visitor.id))


class _Answer:
    """An answer on its way out: our headers are added to its head."""

    def __init__(self, send: Send, ours: Raw) -> None:
        self._send = send
        self._ours = ours
        self.begun = False
        self.ended = False
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in {"http.response.start", "websocket.http.response.start"}:
            message = {**message, "headers": self._headed(message.get("headers", []))}
            self.status = message["status"]
        elif kind == "websocket.accept":
            message = {**message, "headers": [*message.get("headers", []), *self._ours]}
            self.status = 101
        self.begun = True
        if kind == "http.response.body":
            self.ended = not message.get("more_body", False)
        elif kind == "websocket.close":
            self.ended = True
        await self._send(message)

    def _headed(self, headers: Iterable[tuple[bytes, bytes]]) -> Raw:
        kept = [pair for pair in headers if pair[0].lower() not in _CLOSED]
        names = {name.lower() for name, _ in kept}
        return [*kept, *(pair for pair in _SAFE if pair[0] not in names), *self._ours]


def _report(scope: Scope, visitor: Visitor, status: int | None, seconds: float) -> None:
    """A line for each request for a page, without its query: there may be a token in it."""
    path = scope["raw_path"].decode("latin-1")
    told = {
        "request_id": visitor.id,
        "method": scope.get("method", "GET"),
        "path": path[:_LONGEST],
        "status": "-" if status is None else status,
        "ms": round(seconds * 1000, 1),
    }
    requests_log.log(logging.DEBUG if path in _QUIET else logging.INFO, _LINE, told)


def _ours(visitor: Visitor, raw: Raw) -> Raw:
    asked = next((value.decode("latin-1") for name, value in raw if name == b"x-request-id"), None)
    shown = shown_id(asked, visitor.id)
    return [(b"x-request-id", shown.encode()), (b"x-wattline-call", visitor.id.encode())]


def _text(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}


async def _turn_away(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def send_whole(send: Callable[[Any], Any], answer: Whole) -> None:
    """One of our own answers as ASGI messages."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
