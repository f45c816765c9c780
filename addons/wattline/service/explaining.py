"""Where a call would go, why, and what each target would be sent: as the sidecar would do it, without sending it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from wattline.base.errors import ClientFault, Kind
from wattline.engine.explain import as_json, explain
from wattline.engine.explanation import Explanation
from wattline.engine.json_diff import LONGEST, Change, differences
from wattline.engine.view import View
from wattline.engine.windows import Ticket
from wattline.rules.addresses import is_loopback
from wattline.rules.book import Book
from wattline.rules.compiled.target import Target
from wattline.service.exchange import Attempt, Exchange
from wattline.service.large import is_large
from wattline.service.outgoing.outgoing import outgoing
from wattline.service.outgoing.passage import passage_to
from wattline.service.outgoing.prompting import CannotExpress
from wattline.service.outgoing.upload import Upload
from wattline.upstream.base import Broken
from wattline.wire.call import LOCAL, Call, Role
from wattline.wire.http import Request, Whole

HEADER: Final = "x-wattline-explain"
TARGETS: Final = 8
"""Targets whose request is shown."""
_PSEUDONYM: Final = "explain"
_OFF: Final = frozenset({"", "0", "false"})
_ON: Final = frozenset({"1", "true"})


@dataclass(frozen=True, slots=True)
class RequestFound:
    """What one target would be sent. `rewritten`: its dialect, where the whole body is written anew; then `changes`
    is empty and `fields` has the names of the new body's fields. `why_not`: it can't be made.
    """

    target: str
    method: str = ""
    path: str = ""
    rewritten: str | None = None
    changes: tuple[Change, ...] = ()
    fields: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """What the target has no words for."""
    note: str | None = None
    why_not: str | None = None


def asks(call: Call) -> bool:
    """The caller wants to be told, and nothing done. Raises ClientFault 400: a call that may not have been meant
    to be made is not.
    """
    said = call.headers.get(HEADER)
    if said is None:
        return False
    word = said.strip().lower()
    if word in _OFF or word in _ON:
        return word in _ON
    raise ClientFault(
        f"{HEADER} takes 1 or 0. The call was not made.", code="invalid_value", param=HEADER
    )


def check_lookup(request: Request) -> None:
    """Raises ClientFault 400: no rule decides where a question about an earlier call goes."""
    if request.header(HEADER) is not None:
        raise ClientFault(
            f"This asks about what an earlier call made, and goes to whoever made it: no rule is asked, and {HEADER} "
            "has nothing to explain. The call was not made.",
            code="invalid_value",
            param=HEADER,
        )


def check_allowed(request: Request, book: Book) -> None:
    """Explanations tell of other callers' load and of all providers. Raises ClientFault 403."""
    principal = request.principal or LOCAL
    if principal.role is Role.ADMIN:
        return
    if book.auth.mode == "open" and is_loopback(request.peer):
        return
    raise ClientFault(
        f"{HEADER} is for admins. The call was not made.",
        status=403,
        code="explain_not_allowed",
        kind=Kind.PERMISSION,
    )


async def answer(exchange: Exchange, view: View, now: float, wall: float, draw: float) -> Whole:
    """The explanation of a call as it stands, as JSON. The exchange is of no use afterwards."""
    plan = exchange.plan
    found = explain(exchange.call, exchange.book, view, now, wall, draw, made=lambda _: plan)
    if is_large(exchange.body):
        requests = await asyncio.to_thread(requests_of, exchange)
    else:
        requests = requests_of(exchange)
    told = {
        **explained_json(found, requests),
        "windows_from": "sidecar",
        "availability_from": "sidecar",
    }
    body = json.dumps(told).encode()
    headers = (("content-type", "application/json"), (HEADER, "1"), ("cache-control", "no-store"))
    return Whole(200, headers, body)


def explained_json(found: Explanation, requests: Iterable[RequestFound]) -> dict[str, Any]:
    """The object that `wattline explain --json` prints, too."""
    return {**as_json(found), "requests": [_request_json(one) for one in requests]}


def requests_of(exchange: Exchange) -> list[RequestFound]:
    """What the targets of an exchange's plan would be sent. Pictures that would be fetched are not."""
    once = {str(target): target for target in exchange.plan.targets}
    return [_request(exchange, target) for target in list(once.values())[:TARGETS]]


def _request(exchange: Exchange, target: Target) -> RequestFound:
    attempt = Attempt("explain", 1, target, Ticket(()), exchange.began)
    name = str(target)
    try:
        wanted = (target, exchange.call, exchange.dialect, exchange.plan.adapt, exchange.value)
        passage = attempt.passage = passage_to(*wanted)
        made = outgoing(exchange, attempt, _PSEUDONYM, mark=False)
    except (CannotExpress, Broken) as reason:
        return RequestFound(name, why_not=str(reason))
    except ClientFault as fault:
        return RequestFound(name, why_not=fault.message)
    note = None
    if target.provider.inline_images and exchange.call.images:
        note = "pictures named by URL would be fetched and sent along"
    dialect = target.provider.dialect if passage.foreign or passage.rewrites else None
    found = _compared(exchange, target, made.body, dialect)
    return RequestFound(name, made.method, made.path, dialect, *found, exchange.dropped, note)


def _compared(
    exchange: Exchange, target: Target, body: object, dialect: str | None
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    if not isinstance(body, bytes) or isinstance(exchange.body, Upload):
        asked = exchange.value.get("model")
        was = ascii(asked)[:LONGEST] if isinstance(asked, str) else None
        return (Change("model", was, ascii(target.model)),), ()
    try:
        after = json.loads(body) if body else {}
    except ValueError:
        return (), ()
    if dialect is not None:
        return (), tuple(after) if isinstance(after, dict) else ()
    return differences(dict(exchange.value), after), ()


def _request_json(found: RequestFound) -> dict[str, Any]:
    return {
        "target": found.target,
        "method": found.method,
        "path": found.path,
        "rewritten": found.rewritten,
        "changes": [
            {"path": one.path, "was": one.was, "becomes": one.becomes} for one in found.changes
        ],
        "fields": list(found.fields),
        "left_out": list(found.left_out),
        "note": found.note,
        "why_not": found.why_not,
    }
