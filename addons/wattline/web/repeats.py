"""Our own pages with an Idempotency-Key: what changes something changes it once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wattline.base.clock import Clock
from wattline.base.errors import Fault
from wattline.service.accounts.master import MasterToken
from wattline.service.entrance.local_paths import local_path
from wattline.service.entrance.styles import Styles
from wattline.service.idempotency.calls import IN_THREAD, SAFE
from wattline.service.idempotency.kept import Answer
from wattline.service.idempotency.key import (
    HEADER,
    key_digest,
    key_of,
    request_digest,
    scope_of,
    shown_secrets,
)
from wattline.service.idempotency.once import Claim, Once
from wattline.service.idempotency.taking import MARK, Taking
from wattline.web.door import VISITOR, send_whole
from wattline.web.gateway.pace import Pace
from wattline.web.style import style_of
from wattline.wire.http import Head

_HEADER: Final = HEADER.encode()
_READING: Final = frozenset(
    {"/api/show", "/v5/api/show", "/api/v1/auth/login", "/api/v1/auth/refresh"}
)
"""Pages that change nothing by a POST."""
_OPEN: Final = frozenset({"/api/v1/auth/register"})
"""Pages that change something for strangers."""


class Repeats:
    """An ASGI layer below the door. A request without the header passes as it is, and so does a stranger's:
    nothing here asks for a credential, but whoever has none that is right makes no claim. Registering is for
    strangers, so that claims, as often as the page takes it.
    """

    def __init__(
        self, app: ASGIApp, once: Once, styles: Styles, master: MasterToken | None, clock: Clock
    ) -> None:
        self._app = app
        self._once = once
        self._styles = styles
        self._master = master
        self._pace = Pace("Idempotency-Keys of strangers", clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or give its answer again."""
        if scope["type"] != "http" or not _has_key(scope) or not self._counts_once(scope):
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        headers = _text(scope)
        try:
            found = await self._begin(scope, headers, body)
        except Fault as fault:
            path, visitor = scope["raw_path"].decode("latin-1"), scope[VISITOR]
            style = style_of(path, dict(headers))
            await send_whole(send, self._styles.render(style, fault, visitor.id))
            return
        if isinstance(found, Answer):
            await _again(send, found)
            return
        await self._first(found, scope, _Received(body, receive), send)

    def _counts_once(self, scope: Scope) -> bool:
        """It changes something, and comes from somebody who may: strangers cost no row in the ledger."""
        if scope["method"] in SAFE or _is(scope, _READING):
            return False
        if scope[VISITOR].principal is not None or self._has_master(_shown(scope)):
            return True
        return _is(scope, _OPEN)

    def _has_master(self, secrets: list[str]) -> bool:
        return self._master is not None and any(map(self._master.matches, secrets))

    async def _begin(
        self, scope: Scope, headers: list[tuple[str, str]], body: bytes
    ) -> Claim | Answer:
        """Raises Fault."""
        key = key_of([value for name, value in headers if name == HEADER]) or ""
        visitor, secrets = scope[VISITOR], _shown(scope)
        master = self._has_master(secrets)
        if visitor.principal is None and not master:
            self._pace.take_address(visitor.peer)
        kind = next((value for name, value in headers if name == "content-type"), "")
        asked = (scope["method"], _target(scope), kind, body)
        if len(body) > IN_THREAD:
            digest = await asyncio.to_thread(request_digest, *asked)
        else:
            digest = request_digest(*asked)
        whose = scope_of(visitor.principal, secrets, visitor.peer, master=master)
        return await self._once.begin(whose, key_digest(key), digest)

    async def _first(self, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
        taking = Taking(claim)

        async def taken(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = tuple(_decoded(message.get("headers", ())))
                taking.see(Head(message["status"], headers))
            elif message["type"] == "http.response.body":
                taking.see(bytes(message.get("body", b"")))
                if not message.get("more_body", False):
                    taking.end()
            await send(message)

        failed = True
        try:
            await self._app(scope, receive, taken)
            failed = False
        except Exception:
            failed = False  # a page changes all that it changes in one step, or nothing
            raise
        finally:
            taking.close(unknown=failed)


class _Received:
    """The body that was read already, then whatever comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            return await self._receive()
        return {"type": "http.request", "body": body, "more_body": False}


def _has_key(scope: Scope) -> bool:
    return any(name == _HEADER for name, _ in scope["headers"])


async def _body(receive: Receive) -> bytes | None:
    """All of it, which the gate has bounded; None when the client left."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _is(scope: Scope, pages: frozenset[str]) -> bool:
    found = local_path(scope["raw_path"].decode("latin-1"))
    return found is not None and found[0] in pages


def _shown(scope: Scope) -> list[str]:
    return shown_secrets(_decoded(scope["headers"]), _target(scope))


def _target(scope: Scope) -> str:
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _text(scope: Scope) -> list[tuple[str, str]]:
    return list(_decoded(scope["headers"]))


def _decoded(raw: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[str, str]]:
    return ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw)


async def _again(send: Send, answer: Answer) -> None:
    pairs = (*answer.headers, MARK)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
