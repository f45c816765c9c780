"""A call that nobody made: what `wattline explain` asks about, read as the sidecar would read it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from wattline.base.errors import ClientFault
from wattline.base.origin import Origin
from wattline.base.strict_json import read_object
from wattline.cli.failure import USAGE, Failure
from wattline.cli.wrong_value import wrong_value
from wattline.dialects.base import Route
from wattline.dialects.spoken import spoken_dialects
from wattline.dialects.table import find, known, normalise
from wattline.engine.plan import Plan
from wattline.rules.book import Book
from wattline.rules.problems import unknown
from wattline.service.exchange import Exchange
from wattline.wire.call import LOCAL, Operation, Principal
from wattline.wire.http import Request, Use

_DIALECTS = spoken_dialects()
_EXAMPLES: dict[Operation, dict[str, Any]] = {
    Operation.CHAT: {"messages": [{"role": "user", "content": "Hello"}]},
    Operation.COMPLETION: {"prompt": "Hello"},
    Operation.RESPONSES: {"input": "Hello"},
    Operation.EMBEDDINGS: {"input": "Hello"},
    Operation.MODERATIONS: {"input": "Hello"},
    Operation.RERANK: {"query": "Hello", "documents": ["Hello"]},
    Operation.IMAGES: {"prompt": "Hello"},
    Operation.SPEECH: {"input": "Hello", "voice": "alloy"},
    Operation.TRANSCRIPTION: {},
    Operation.VIDEOS: {"prompt": "Hello"},
    Operation.INTERACTIONS: {"input": "Hello"},
}
"""The least that each operation needs, for questions without a body."""
_GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
_ANTHROPIC = {"messages": [{"role": "user", "content": "Hello"}]}


@dataclass(frozen=True, slots=True)
class Question:
    """The options of `wattline explain`; `body` is a file's name, `-` stdin, None an example."""

    body: str | None
    model: str | None
    path: str
    headers: Sequence[str] = ()
    method: str = "POST"
    host: str | None = None
    stream: bool = False
    tokens: int | None = None
    tags: Sequence[str] = ()
    user: str | None = None
    principal: str | None = None
    own_keys: Sequence[str] = ()
    """Providers that the caller has keys of its own for."""


ANY_CALL: Final = Question(None, None, "/v1/chat/completions")
"""Where nothing was said of it."""


def read_exchange(question: Question, book: Book) -> Exchange:
    """The call that is asked about, with no plan yet. Raises Failure."""
    try:
        path = normalise(question.path)
        route = _route(question, path)
        value = _value(question, route, book)
        request = _request(question, book)
        call = _DIALECTS[route.dialect].read_call(
            request, route, value, _principal(question, book), path or question.path
        )
    except ClientFault as fault:
        raise Failure(f"this is no valid request: {fault.message}") from fault
    call = replace(
        call,
        tokens=call.tokens if question.tokens is None else question.tokens,
        tags=call.tags | frozenset(question.tags),
    )
    return Exchange(
        request=request,
        route=route,
        dialect=_DIALECTS[route.dialect],
        call=call,
        book=book,
        plan=Plan(None, None, ()),
        body=json.dumps(value).encode(),
        value=value,
        began=0.0,
    )


def _route(question: Question, path: str | None) -> Route:
    if not question.path.startswith("/"):
        raise wrong_value("--path", question.path, "must begin with /, as in /v1/chat/completions")
    if path is None:
        raise Failure(f"path {question.path!r} could be read in two ways: the sidecar refuses it")
    method, host = question.method.upper(), question.host or ""
    route = find(method, host, path, forward=question.host is not None)
    if route is not None and route.operation is Operation.LOOKUP:
        raise Failure(
            f"{method} {path} asks about what an earlier call made: it goes to the provider that made it, "
            "and no rule is asked"
        )
    if route is not None:
        return route
    if question.host is not None:
        raise Failure(f"{method} {path} is no model call at {host}: it is passed on untouched")
    near = known(path)
    hint = f"; {near} takes POST" if near == path else f"; did you mean {near}?" if near else ""
    raise Failure(f"{method} {path} is no model call{hint}")


def _value(question: Question, route: Route, book: Book) -> dict[str, Any]:
    if question.body is None:
        if question.model is None:
            raise Failure("say which --model, or give a file with a request's body", USAGE)
        value = _example(route)
    else:
        value = read_object(_read(question.body, book), max_depth=book.limits.json_depth)
    asked = {"model": question.model, "user": question.user, "stream": question.stream or None}
    return value | {name: given for name, given in asked.items() if given is not None}


def _example(route: Route) -> dict[str, Any]:
    if route.dialect == "gemini" and route.operation in (Operation.CHAT, Operation.COUNT_TOKENS):
        return dict(_GEMINI)
    if route.operation is Operation.COUNT_TOKENS:
        return dict(_ANTHROPIC)
    return dict(_EXAMPLES.get(route.operation, {}))


def _read(name: str, book: Book) -> bytes:
    bound = book.limits.json_bytes
    if name == "-":
        raw = sys.stdin.buffer.read(bound + 1)
    else:
        with Path(name).open("rb") as file:
            raw = file.read(bound + 1)
    if len(raw) > bound:
        raise Failure(f"the body is larger than {bound} bytes (rules.yaml: limits.json_bytes)")
    return raw


def _request(question: Question, book: Book) -> Request:
    listen = book.listen
    return Request(
        id="req_explain",
        method=question.method.upper(),
        scheme="http" if question.host is None else "https",
        host=listen.host if question.host is None else question.host,
        port=listen.port if question.host is None else 443,
        path=question.path,
        headers=[_header(text) for text in question.headers],
        body=b"",
        peer="127.0.0.1",
        use=Use.REVERSE if question.host is None else Use.FORWARD,
    )


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise Failure(f"--header {json.dumps(text)}: write name=value", USAGE)
    return name.strip().lower(), value.strip()


def _principal(question: Question, book: Book) -> Principal:
    owned = _owned(question, book)
    if question.principal is None:
        return replace(LOCAL, providers=owned) if owned else LOCAL
    names = set(book.auth.keys.values())
    if names and question.principal not in names:
        raise Failure(f"--principal: {unknown('key', question.principal, names)}", USAGE)
    tier = book.auth.tiers.get(question.principal)
    return Principal(question.principal, tier=tier, providers=owned)


def _owned(question: Question, book: Book) -> frozenset[tuple[str, Origin]]:
    found = [(name, book.names.provider(name)) for name in question.own_keys]
    missing = [name for name, provider in found if provider is None]
    if missing:
        raise Failure(f"--own-key: {unknown('provider', missing[0], book.providers)}", USAGE)
    return frozenset((p.name, p.origin) for _, p in found if p is not None)
