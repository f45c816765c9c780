"""The request of one attempt: the target's URL and credential, the call's body with its model."""

from __future__ import annotations

from wattline.service.exchange import Attempt, Exchange
from wattline.service.upload import Upload
from wattline.upstream.base import File, Outgoing
from wattline.upstream.credentials import outgoing_headers, passed_headers


def outgoing(exchange: Exchange, attempt: Attempt, pseudonym: str, *, mark: bool) -> Outgoing:
    """Built from nothing for each attempt: only what the target may see goes into it."""
    if exchange.plan.passed:
        return _passed(exchange, attempt, pseudonym)
    provider = attempt.target.provider
    return Outgoing(
        origin=provider.origin,
        method=exchange.request.method,
        path=provider.base_path
        + exchange.dialect.path(exchange.route, exchange.call, attempt.target.model),
        headers=outgoing_headers(
            exchange.request.headers,
            provider,
            pseudonym=pseudonym,
            attempt=attempt.id if mark else None,
        ),
        body=_body(exchange, attempt),
        credential=provider.credential,
    )


def _body(exchange: Exchange, attempt: Attempt) -> bytes | File:
    plan, target = exchange.plan, attempt.target
    if isinstance(exchange.body, Upload):
        return exchange.body.for_model(target.model)
    defaults = {**target.provider.defaults, **plan.defaults}
    return exchange.dialect.write_body(
        exchange.body, exchange.call, target.model, defaults, plan.overrides
    )


def _passed(exchange: Exchange, attempt: Attempt, pseudonym: str) -> Outgoing:
    """The client's own request, body and key untouched, to the host that it named."""
    request, origin = exchange.request, attempt.target.provider.origin
    spool = request.spool
    if spool is not None:
        spool.seek(0)
    return Outgoing(
        origin=origin,
        method=request.method,
        path=request.path,
        headers=passed_headers(request.headers, origin, pseudonym=pseudonym),
        body=request.body if spool is None else spool,
        credential=None,
    )
