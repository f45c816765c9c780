"""Headers of answers: the upstream's harmless ones, and ours."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wattline.rules.compiled.target import Target
from wattline.service.exchange import Attempt, Exchange
from wattline.upstream.base import Incoming
from wattline.wire.http import Headers, Request, Whole

type Pairs = tuple[tuple[str, str], ...]

_DROPPED = frozenset(
    {
        "alt-svc",
        "clear-site-data",
        "connection",
        "content-encoding",
        "content-length",
        "date",
        "keep-alive",
        "location",
        "nel",
        "proxy-authenticate",
        "proxy-connection",
        "refresh",
        "report-to",
        "reporting-endpoints",
        "server",
        "service-worker-allowed",
        "set-cookie",
        "set-cookie2",
        "strict-transport-security",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-request-id",
    }
)
"""Hop-by-hop, about another origin, or replaced by ours."""

_ABOUT_THE_BODY = frozenset({"content-type", "etag", "content-md5", "digest", "content-digest"})
"""Not true of a body that was made from the upstream's."""
_JSON = "application/json"

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


def answer_headers(exchange: Exchange, attempt: Attempt, incoming: Incoming) -> Pairs:
    """The upstream's headers that may pass, then ours."""
    credential = attempt.target.provider.credential
    secret = credential.secret if credential is not None else None
    others = attempt.target.provider.secrets
    dropped = _DROPPED
    passage = attempt.passage
    made = passage is not None and (
        passage.foreign
        or (passage.whole and exchange.call.stream)
        or (passage.retold and not 200 <= incoming.status < 300)
    )
    if made:
        dropped = dropped.union(_ABOUT_THE_BODY)
    if any(name == "connection" for name, _ in incoming.headers):
        dropped = dropped.union(_named_by_connection(incoming.headers))
    kept = [
        (name, value)
        for name, value in incoming.headers
        if name not in dropped
        and not name.startswith("x-wattline-")
        and (exchange.plan.passed or not name.startswith("access-control-"))
        and (secret is None or secret not in value)
        and not (others and any(other in value for other in others))
    ]
    upstream_id = next((v for n, v in incoming.headers if n == "x-request-id"), None)
    if upstream_id is not None and _ID.fullmatch(upstream_id):
        kept.append(("x-wattline-upstream-request-id", upstream_id))
    if made:
        streamed = exchange.call.stream and 200 <= incoming.status < 300
        kept.append(("content-type", exchange.dialect.stream_type if streamed else _JSON))
    ours = exchange_headers(exchange, exchange.request)
    return (*kept, *_made_by(exchange, attempt.target), *ours)


def kept_headers(exchange: Exchange, target: Target, content_type: str, age: float) -> Pairs:
    """Headers of an answer that was kept for `age` seconds. The upstream's other ones spoke of then."""
    pairs = [("content-type", content_type or _JSON), ("age", str(int(age)))]
    return (*pairs, *_made_by(exchange, target), *exchange_headers(exchange, exchange.request))


def _made_by(exchange: Exchange, target: Target) -> Pairs:
    """Ours on an answer of a target: whose it is, and what was left out of the question."""
    pairs: list[tuple[str, str]] = []
    if exchange.dropped:
        pairs.append(("x-wattline-dropped", _printable(", ".join(exchange.dropped))[:1000]))
    pairs.append(("x-wattline-provider", target.provider.name))
    pairs.append(("x-wattline-model", _printable(target.model)))
    if target.provider.demo:
        pairs.append(("x-wattline-demo", "no provider key can be used; this answer is made up"))
    return tuple(pairs)


def _named_by_connection(headers: Headers) -> Iterator[str]:
    for name, value in headers:
        if name == "connection":
            yield from (option.strip().lower() for option in value.split(","))


def shown_id(asked: str | None, own: str) -> str:
    """The client's `x-request-id` if it is a sound one, else ours."""
    return asked if asked and _ID.fullmatch(asked) else own


def exchange_headers(exchange: Exchange | None, request: Request) -> Pairs:
    """Ours on every answer: ids, rule, number of attempts."""
    shown = shown_id(request.header("x-request-id"), request.id)
    pairs = [("x-request-id", shown), ("x-wattline-call", request.id)]
    if exchange is not None:
        pairs.append(("x-wattline-attempts", str(len(exchange.attempts))))
        if exchange.plan.rule is not None:
            pairs.append(("x-wattline-rule", _printable(exchange.plan.rule)))
        if exchange.plan.fault is not None and (drill := exchange.drill) is not None:
            pairs.append(("x-wattline-drill", drill))
        if exchange.cache is not None:
            pairs.append(("x-wattline-cache", exchange.cache))
    return tuple(pairs)


def _printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else ascii(text)[1:-1]


def with_headers(answer: Whole, headers: Pairs) -> Whole:
    """The answer with these headers, which replace its own of the same name."""
    ours = {name for name, _ in headers}
    kept = (pair for pair in answer.headers if pair[0] not in ours)
    return Whole(answer.status, (*kept, *headers), answer.body)
