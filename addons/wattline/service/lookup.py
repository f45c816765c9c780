"""A question about what an earlier call made: it goes to that call's provider, whatever the rules say now.

What was made lives in one account. Where the provider has several keys it is asked with the one that was used;
if that is not known any more, or is not in the rules any more, with each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from wattline.base.errors import ClientFault, Kind
from wattline.dialects.base import Route
from wattline.dialects.follow_up import kind_of, query_of
from wattline.dialects.headers import plain_headers, tags
from wattline.engine.decide import obstacle_of
from wattline.engine.keys import all_out, keyed
from wattline.engine.plan import KeyOut, Plan, Skip
from wattline.engine.summary import Failure
from wattline.engine.view import View
from wattline.rules.book import Book
from wattline.rules.compiled.target import Target
from wattline.service.remembered import Maker, Remembered
from wattline.wire.call import LOCAL, Call
from wattline.wire.http import Request, Use

_OF_A_BODY = frozenset({"content-type", "content-encoding"})
_FREE = Fraction(1)
"""Any rate will do: nothing is counted."""


def maker_of(remembered: Remembered, request: Request, route: Route) -> Maker:
    """Who made what is asked about. Raises ClientFault 404: nobody did for this caller, or too long ago."""
    kind, caller = kind_of(route), (request.principal or LOCAL).id
    maker = remembered.find(kind, caller, route.subject)
    if maker is None:
        raise ClientFault(
            f"No {kind.removesuffix('s')} {route.subject[:100]!r} is known here. One is remembered for "
            f"{remembered.ttl:g} s, for the caller that made it through this sidecar"
            f"{' (VIDEO_REQUEST_CACHE_TTL_MS)' if kind == 'videos' else ''}.",
            status=404,
            code="not_found",
            kind=Kind.NOT_FOUND,
        )
    return maker


def lookup_call(request: Request, route: Route, maker: Maker, path: str) -> Call:
    """The neutral call. It has no body, and so nothing that costs."""
    return Call(
        id=request.id,
        dialect=route.dialect,
        operation=route.operation,
        method=request.method,
        host=request.host,
        path=path,
        model=maker.entry,
        stream=False,
        principal=request.principal or LOCAL,
        headers=plain_headers(request.headers),
        tags=tags(request.headers),
        forward=request.use is Use.FORWARD,
    )


def lookup_plan(call: Call, maker: Maker, book: Book, view: View, now: float) -> Plan:
    """To the maker and to nobody else."""
    name = f"{maker.provider}/{maker.model}"
    provider = book.providers.get(maker.provider)
    if provider is None:
        skip: Skip | None = Skip(name, "unavailable", "it is not in rules.yaml any more")
        targets: tuple[Target, ...] = ()
    else:
        target = Target(provider, maker.model, maker.entry, _FREE)
        every = (target,) if provider.owned_by(call.principal) else _keys(target, maker)
        found = [(one, obstacle_of(one, call, view, now)) for one in every]
        targets = tuple(one for one, obstacle in found if obstacle is None)
        out = [KeyOut(one, obstacle) for one, obstacle in found if obstacle is not None]
        skip = _waiting(target, out, whole=not targets)
    return Plan(
        rule=None,
        position=None,
        targets=targets,
        skipped=() if skip is None else (skip,),
        reasons=(f"it was made by {name}",),
        version=book.version,
    )


def _keys(target: Target, maker: Maker) -> tuple[Target, ...]:
    """The one that made it, or each that may have."""
    each = keyed(target)
    return tuple(one for one in each if maker.key and one.provider.key == maker.key) or each


def _waiting(target: Target, out: Sequence[KeyOut], *, whole: bool) -> Skip | None:
    """Why some of its keys can't be asked now; `whole`: none can."""
    if not out:
        return None
    skip = all_out(target, out) if whole and len(out) > 1 else out[0].skip
    return replace(skip, reason=f"{target.provider.name} made it: {skip.reason}")


def is_nowhere(plan: Plan, target: Target, failures: Sequence[Failure]) -> bool:
    """The 404 that ended the last of `failures` is the answer: no other key is left that may have made it, was
    passed over, or failed in another way.
    """
    if len(plan.targets) == 1 and not plan.skipped:
        return True
    known = all(failure.code == "http_404" for failure in failures)
    return known and target is plan.targets[-1] and not plan.skipped


def without_body(request: Request) -> Request:
    """The request as it goes on: a lookup's method says it all."""
    headers = tuple(pair for pair in request.headers if pair[0] not in _OF_A_BODY)
    return replace(request, headers=headers, body=b"")


def with_query(request: Request, route: Route) -> Route:
    """The route with the client's own query (`?variant=thumbnail`). Raises ClientFault."""
    return replace(route, upstream_path=route.upstream_path + query_of(request.path))
