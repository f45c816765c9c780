"""Pages that are asked for with GET, compressed for whoever takes that (D-007)."""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

LEAST: Final = 1_024
"""Bytes of a body that is worth it."""
_NEVER = re.compile(r"q=0(?:\.0*)?")


class Compression:
    """Answers to other methods stay as they are: they may be kept, and given again to somebody else, and some hold
    a secret beside what its client sent.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressing = GZipMiddleware(app, minimum_size=LEAST, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI app like the one it stands before."""
        wanted = scope["type"] == "http" and scope["method"] == "GET" and _takes_gzip(scope)
        app = self._compressing if wanted else self._plain
        await app(scope, receive, send)


def _takes_gzip(scope: Scope) -> bool:
    said = Headers(scope=scope).get("accept-encoding", "").lower().replace(" ", "")
    codings = [item.partition(";") for item in said.split(",")]
    return any(name == "gzip" and not _NEVER.fullmatch(weight) for name, _, weight in codings)
