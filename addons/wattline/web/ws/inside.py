"""Pages of ours, asked by a message: each answers as it would a request over HTTP of the same caller."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from starlette.types import ASGIApp, Message

from wattline.dialects.json_text import dumps
from wattline.service.entrance.visitor import Visitor
from wattline.web.door import VISITOR
from wattline.wire.http import Whole

log = logging.getLogger(__name__)

_HEADERS: Final = ((b"host", b"wattline"), (b"content-type", b"application/json"))


class Inside:
    """`app` has the pages. What the gate does for requests, such as switches of routes, is the asker's to do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def ask(
        self, visitor: Visitor, method: str, *path: str, body: Mapping[str, Any] | None = None
    ) -> Whole:
        """The page's answer, a refusal too. `path` in its segments."""
        exchange = _Exchange(b"" if body is None else dumps(body))
        raw = "/" + "/".join(quote(segment, safe="") for segment in path)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": "/" + "/".join(path),
            "raw_path": raw.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": list(_HEADERS),
            "client": None,
            "server": None,
            VISITOR: visitor,
        }
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            # The page's own answer to it, a 500, is there all the same; the connection goes on.
            log.exception("%s: a page that a message asked failed", visitor.id)
        return exchange.answer()


class _Exchange:
    """A request's body on its way in, its answer on the way out."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._status = 500
        self._headers: tuple[tuple[str, str], ...] = ()
        self._pieces: list[bytes] = []

    async def receive(self) -> Message:
        if self._body is None:
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            raw = message.get("headers", ())
            self._headers = tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in raw)
        else:
            self._pieces.append(message.get("body", b""))

    def answer(self) -> Whole:
        return Whole(self._status, self._headers, b"".join(self._pieces))
