"""Exchanges as they stand before their first attempt."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from wattline.dialects.base import Route
from wattline.dialects.spoken import spoken_dialects
from wattline.dialects.table import find
from wattline.engine.plan import Plan
from wattline.rules.load import load
from wattline.service.exchange import Exchange
from wattline.service.outgoing.upload import Upload
from wattline.wire.call import LOCAL
from wattline.wire.http import Request, Use

RULES = """version: 1
health: {breaker: false}
providers:
  p: {url: "https://p.test/v1", key: "${KEY}"}
models: {m: {provider: p, rate: 2}}
rules: [{name: all, try: model}]
"""
BOOK = load(RULES, env={"KEY": "sk-secret-0000000001"})


def exchange(path: str, body: object, *headers: tuple[str, str], passed: bool = False) -> Exchange:
    """`body`: JSON, or a form's bytes, whose content type is among the headers."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    route = find("POST", "localhost", path, forward=False)
    assert isinstance(route, Route)
    request = Request(
        *("req_1", "POST", "http", "localhost", 80, path, headers),
        body=raw if route.json else b"",
        peer="127.0.0.1",
        use=Use.REVERSE,
    )
    content: bytes | Upload = raw
    value = json.loads(raw) if route.json else {}
    if not route.json:
        content = Upload.read(io.BytesIO(raw), request.header("content-type") or "")
        value = content.values
    dialect = spoken_dialects()[route.dialect]
    call = dialect.read_call(request, route, value, LOCAL, path)
    plan = Plan("all", 0, BOOK.models["m"])
    return Exchange(
        request=request,
        route=route,
        dialect=dialect,
        call=call,
        book=BOOK,
        plan=replace(plan, passed=passed),
        body=content,
        value=value,
        began=0.0,
    )
