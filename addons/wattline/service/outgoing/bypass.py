"""A call that goes on as it came, since our own code failed: only to hosts for which the operator chose that. Or since
it is only watched, and we can't read it.

Rules of this file. Nothing is sent twice: whoever asks has sent nothing. The request goes to the host that the
client named and to no other, with the client's own key and none of ours. No rule, no window, no ledger.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from wattline.base.errors import UpstreamFault
from wattline.base.origin import Origin
from wattline.rules.book import Book
from wattline.rules.compiled.provider import Timeouts
from wattline.service.exchange import Exchange
from wattline.service.metering.counts import Counts
from wattline.upstream.base import Broken, Incoming, Outgoing, Upstream
from wattline.upstream.credentials import passed_headers
from wattline.wire.http import Head, Headers, Items, Request, Truncated, Use

log = logging.getLogger(__name__)

HOP: Final = frozenset(
    {
        *("alt-svc", "connection", "content-length", "keep-alive", "proxy-authenticate", "te"),
        *("proxy-connection", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Of the connection, or about another origin."""

DEFAULT: Final = Timeouts()


@dataclass(slots=True)
class Bypass:
    """The way around us."""

    upstream: Upstream
    pseudonym: str
    counts: Counts
    watching: bool = False
    """Nothing is changed, whatever a client sends."""

    def must(self, request: Request, exchange: Exchange | None) -> bool:
        """It is watched, and we would refuse it before anything was sent."""
        return self.watching and request.use is Use.FORWARD and _unsent(exchange)

    def may(self, request: Request, exchange: Exchange | None, book: Book) -> bool:
        """The operator chose this host to fail open, its client named it, and nothing was sent yet."""
        if request.use is not Use.FORWARD or not book.fails_open(request.host):
            return False
        return _unsent(exchange)

    async def answer(self, request: Request, timeouts: Timeouts = DEFAULT) -> Items:
        """The host's answer as it comes. Raises UpstreamFault where there is none, Truncated."""
        if not self.watching:
            self.counts.failed_open += 1
            log.error(
                "%s goes to %s as it came, unmetered (on_error: pass)", request.id, request.host
            )
        try:
            incoming = await self.upstream.send(self._outgoing(request), timeouts)
        except Broken as broken:
            raise UpstreamFault(
                f"{request.host} could not be asked ({broken.code}).", code="upstream_unreachable"
            ) from broken
        try:
            yield Head(incoming.status, _kept(incoming))
            async for data in incoming.pieces():
                yield data
        except Broken as broken:
            raise Truncated from broken
        finally:
            incoming.close()

    def _outgoing(self, request: Request) -> Outgoing:
        origin = Origin(request.scheme, request.host, request.port)
        if request.spool is not None:
            request.spool.seek(0)
        return Outgoing(
            origin=origin,
            method=request.method,
            path=request.path,
            headers=passed_headers(request.headers, origin, pseudonym=self.pseudonym),
            body=request.body if request.spool is None else request.spool,
            credential=None,
        )


def _unsent(exchange: Exchange | None) -> bool:
    return exchange is None or not (exchange.attempts or exchange.delivered)


def _kept(incoming: Incoming) -> Headers:
    named = {
        option.strip().lower()
        for name, value in incoming.headers
        if name == "connection"
        for option in value.split(",")
    }
    return tuple(pair for pair in incoming.headers if pair[0] not in HOP | named)
