"""Cases out of calls that were made, without what would tell who made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from wattline.base.amounts import MICRO
from wattline.base.secret_look import looks_secret
from wattline.engine.backtest import Past, planned_of
from wattline.engine.case_shape import CODES
from wattline.engine.past_call import NO_FEATURES, skipped_of

DENIED = "denied_by_rule"


def cases_of(
    calls: Iterable[Past], limit: int, *, people: bool = False
) -> Iterator[dict[str, Any]]:
    """At most `limit` cases, each of another kind. `people`: with the callers' names and user fields."""
    seen = set()
    for past in calls:
        if past.found is NO_FEATURES or not past.found.path or not _of_rules(past):
            continue
        kind = _kind(past, people=people)
        if kind in seen:
            continue
        seen.add(kind)
        yield case_of(past, len(seen), people=people)
        if len(seen) >= limit:
            return


def has_secret(past: Past) -> bool:
    """What it called a model, or tagged itself with, looks like a key: somebody mistook one field for another."""
    return any(map(looks_secret, (past.row.requested, past.found.path, *(past.found.tags or ()))))


def _of_rules(past: Past) -> bool:
    """A plan of one target that an answer from the cache took the place of is not recorded."""
    return past.found.passed or past.code == DENIED or bool(planned_of(past) or past.found.skipped)


def _kind(past: Past, *, people: bool) -> tuple[object, ...]:
    """What makes two calls different enough for a case each; sizes count in powers of four."""
    found, row = past.found, past.row
    who = (row.principal, found.user) if people else ()
    facts = (
        found.path,
        found.method,
        found.tools,
        found.images,
        found.forward,
        found.tier,
        row.stream,
    )
    tags, headers = tuple(found.tags or ()), tuple(sorted((found.headers or {}).items(), key=str))
    left = tuple(sorted((name, one.code) for name, one in skipped_of(found).items()))
    size = found.tokens.bit_length() // 2
    return (
        past.rule,
        tuple(planned_of(past)),
        row.requested,
        *facts,
        tags,
        headers,
        left,
        size,
        who,
    )


def case_of(past: Past, number: int, *, people: bool) -> dict[str, Any]:
    """One case, as it is written to a file."""
    skipped = {name: left.code for name, left in skipped_of(past.found).items()}
    planned = planned_of(past)
    expect: dict[str, Any] = {"rule": past.rule or None, "targets": planned}
    if skipped:
        expect["skipped"] = skipped
    if past.found.passed:
        expect["passed"] = True
    if past.code == DENIED:
        expect["denied"] = past.status
    made = {
        "name": f"{past.rule or 'no rule'}, {past.row.requested}, {number}",
        "request": _request(past, people=people),
        "state": _state(past, skipped, planned),
        "expect": expect,
    }
    return {name: part for name, part in made.items() if part}


def _request(past: Past, *, people: bool) -> dict[str, Any]:
    found, row = past.found, past.row
    said: dict[str, Any] = {
        "model": row.requested,
        "path": found.path,
        "method": found.method if found.method != "POST" else None,
        "dialect": row.dialect,
        "operation": row.operation,
        "stream": row.stream or None,
        "tools": found.tools or None,
        "images": found.images or None,
        "tokens": found.tokens,
        "max_output": found.max_output,
        "tags": found.tags,
        "headers": {k: v for k, v in (found.headers or {}).items() if isinstance(v, str)} or None,
        "tier": found.tier,
        "forward": found.forward or None,
        "host": found.host if found.forward else None,
        "provider": found.provider,
        "own_keys": [name for name, _ in found.own] if found.own else None,
        "at": datetime.fromtimestamp(past.at, UTC).isoformat(timespec="seconds"),
    }
    if people:
        said |= {"principal": row.principal, "user": found.user}
    return {name: value for name, value in said.items() if value is not None}


def _state(past: Past, skipped: dict[str, str], planned: list[str]) -> dict[str, Any]:
    found = past.found
    passing = {name: code for name, code in skipped.items() if code in CODES}
    without = sorted(
        {name.partition("/")[0] for name, code in skipped.items() if code == "unavailable"}
    )
    micro = (found.balance or {}).get("micro")
    said: dict[str, Any] = {
        "left_out": passing or None,
        "without_keys": without or None,
        "fill": found.fill,
        "health": {k: list(v) for k, v in found.health.items()} if found.health else None,
        "balance": None if micro is None else micro / MICRO,
        "draw": found.draw,
    }
    if found.kept is not None:
        said["kept"] = planned[0] if found.kept and planned else None
    return {name: value for name, value in said.items() if value is not None or name == "kept"}
