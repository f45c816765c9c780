"""A test of rules: facts of a request, what stood in its way, and the plan that is expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from wattline.base.amounts import MICRO
from wattline.dialects.table import find, normalise
from wattline.engine.case_names import check_names, windows_of
from wattline.engine.case_shape import EXPECT, BadCase, Case, moment_of
from wattline.engine.decide import decide
from wattline.engine.health import Health
from wattline.engine.past_call import Features
from wattline.engine.plan import Plan
from wattline.engine.rest import Resting
from wattline.engine.then import ThenView
from wattline.engine.windows import Windows
from wattline.rules.book import Book
from wattline.wire.call import LOCAL, Call, Operation, Principal

NOON: Final = datetime(2026, 1, 7, 12, tzinfo=UTC)
"""When calls are made that say no time: a Wednesday."""


def call_of(case: Case, book: Book) -> Call:
    """The call that is asked about. Raises BadCase."""
    check_names(case, book)
    said = case.request
    forward, host = said.get("forward", False), said.get("host", "127.0.0.1")
    method, path = said.get("method", "POST"), said.get("path", "/v1/chat/completions")
    route = find(method, host if forward else "", normalise(path) or path, forward=forward)
    dialect = said.get("dialect") or (route.dialect if route is not None else None)
    operation = said.get("operation") or (route.operation.value if route is not None else None)
    if dialect is None or operation is None:
        raise BadCase(
            f"{case.place}.request: {method} {path} is no model call; say `dialect` and `operation`"
        )
    principal = said.get("principal", LOCAL.id)
    tier = said.get("tier", book.auth.tiers.get(principal))
    owned = frozenset((name, book.providers[name].origin) for name in said.get("own_keys", ()))
    return Call(
        id="case",
        dialect=dialect,
        operation=Operation(operation),
        method=method,
        host=host,
        path=path,
        model=said["model"],
        stream=said.get("stream", False),
        principal=Principal(principal, tier, providers=owned),
        headers={k.lower(): str(v) for k, v in said.get("headers", {}).items()},
        tokens=said.get("tokens", 0),
        max_output=said.get("max_output"),
        tools=said.get("tools", False),
        images=said.get("images", False),
        user=said.get("user"),
        tags=frozenset(said.get("tags", ())),
        forward=forward,
        provider=said.get("provider"),
        conversation="?" if "kept" in case.state else None,
    )


def plan_of(case: Case, book: Book) -> Plan:
    """What the rules say. Raises BadCase."""
    call = call_of(case, book)
    view = ThenView(Windows(), Resting(), Health(book.health))
    kept = case.state.get("kept")
    view.look(_facts(case, book), [] if kept is None else [kept], exact=True)
    said = case.request.get("at")
    wall = (NOON if said is None else moment_of(said, case.place)).timestamp()
    return decide(call, book, view, 0.0, wall, float(case.state.get("draw", 0.0)))


def _facts(case: Case, book: Book) -> Features:
    state = case.state
    limited = ("window_full", "resting")
    balance = state.get("balance")
    return Features(
        skipped=[
            [name, code, 60.0, int(code in limited)]
            for name, code in state.get("left_out", {}).items()
        ],
        fill=_fill(state["fill"], book) if "fill" in state else None,
        balance=None if balance is None else {"micro": round(balance * MICRO)},
        health=_health(state.get("health", {})),
        kept=None if "kept" not in state else state["kept"] is not None,
    )


def _fill(said: Mapping[str, float], book: Book) -> dict[str, float]:
    """A window that several providers or keys share is as full for all of them."""
    found = {
        window.name: said[window.declared]
        for window in windows_of(book)
        if window.declared is not None and window.declared in said
    }
    return {**found, **said}


def _health(
    said: Mapping[str, Any],
) -> dict[str, tuple[str, int, float, float, float | None]] | None:
    """A state alone has the figures of what was not tried."""
    return {
        name: (value, 0, 1.0, 0.0, None) if isinstance(value, str) else tuple(value)
        for name, value in said.items()
    } or None


def outcome(plan: Plan) -> dict[str, Any]:
    """A plan in the words of `expect`."""
    names = list(dict.fromkeys(map(str, plan.targets)))
    return {
        "rule": plan.rule,
        "first": names[0] if names else None,
        "targets": names,
        "skipped": {skip.target: skip.code for skip in plan.skipped},
        "denied": None if plan.deny is None else plan.deny.status,
        "passed": plan.passed,
        "panic": plan.panic,
        "unknown": plan.unknown,
    }


def differences(case: Case, found: Mapping[str, Any]) -> Iterator[str]:
    """A line for each thing that is otherwise than expected."""
    for name in EXPECT:
        if name in case.expect and case.expect[name] != found[name]:
            yield f"{name}: expected {_word(case.expect[name])}, found {_word(found[name])}"


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} ({code})" for name, code in value.items()) or "none"
    return "none" if value is None else str(value)
