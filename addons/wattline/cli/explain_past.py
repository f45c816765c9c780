"""`wattline explain --call`: why a call of the past went where it went."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from wattline.base.amounts import plain
from wattline.base.settings import Settings
from wattline.cli.book import rules_path
from wattline.cli.comparison import compare, read_as_sidecar
from wattline.cli.failure import Failure
from wattline.cli.terminal import safe
from wattline.cli.usage import LEDGER
from wattline.engine.explain import render
from wattline.service.attempts import SHADOW_COPY
from wattline.service.history.recalled import Recalled, recall_call, recalled_json
from wattline.service.metering.settlement import DRILL, EXCLUDED
from wattline.store.base import State
from wattline.store.sqlite import NOT_SENT
from wattline.store.start import CRASHED

_MARKS = MappingProxyType(
    {
        DRILL: "a drill made this fault",
        SHADOW_COPY: "a shadow copy",
        EXCLUDED: "its error does not count against the target",
        CRASHED: "the sidecar ended before it did",
    }
)
"""Flags of an attempt in words."""


def explain_past(name: str, settings: Settings, *, as_json: bool = False) -> int:
    """Print it. Raises Failure when the ledger has no such call, RulesError, LedgerDown, OSError."""
    ledger = settings.state / LEDGER
    if not ledger.exists():
        raise Failure(f"no ledger in {settings.state}: no call is recorded")
    book = read_as_sidecar(settings, compare(settings, rules_path(settings))).book
    found = recall_call(ledger, name, book, settings.env)
    if found is None:
        raise Failure(
            f"no call {name!r} is in the ledger: give the id of an answer's x-wattline-call. Requests that were "
            "refused by their head (key, window of requests, size) are not recorded"
        )
    told = recalled_json(found)
    if as_json:
        json.dump(told, sys.stdout, indent=2)
        print()
        return 0
    if found.explanation is not None:
        sys.stdout.write(render(found.explanation))
    for line in _lines(found, told):
        print(safe(line))
    return 0


def _lines(found: Recalled, told: dict[str, Any]) -> Iterator[str]:
    yield f"recorded  {found.past.row.call} at {_time(found.past.at)}"
    yield from _decision(told["recorded"])
    if told["refused"] is not None:
        yield f"refused   with {told['refused']['status']} {told['refused']['code']}, before any attempt"
    for attempt in told["attempts"]:
        yield from _attempt(attempt)
    if told["energy"] is not None:
        yield f"energy    {plain(told['energy'])}"
    elif told["attempts"] and all(map(_unanswered, told["attempts"])):
        yield "energy    none: no attempt was answered"
    elif told["attempts"]:
        yield "energy    not known: no rate was configured, or it has not ended"
    if found.explanation is not None and not found.agrees:
        yield "! This explanation does not come to what was recorded: what is recorded is what happened."
    for note in found.notes:
        yield f"* {note}"


def _unanswered(attempt: dict[str, Any]) -> bool:
    """It failed, or its call ended before it was sent."""
    return bool(attempt["state"] == State.FAILED or attempt["error"] == NOT_SENT)


def _decision(recorded: dict[str, Any]) -> Iterator[str]:
    rule, position = recorded["rule"], recorded["position"]
    place = f" (number {position + 1})" if position is not None else ""
    yield f"  rule {rule}{place}" if rule else "  no rule"
    if recorded["targets"]:
        yield f"  to be tried: {', '.join(recorded['targets'])}"
    for skip in recorded["skipped"]:
        wait = "" if skip["retry_after"] is None else f", free in {plain(skip['retry_after'])} s"
        yield f"  left out: {skip['target']} ({skip['code']}{wait})"
    if recorded["panic"]:
        yield "  every target failed too often: they were tried all the same"
    for name in ("fill", "balance", "health", "draw"):
        if name in recorded:
            yield f"  {name}: {json.dumps(recorded[name])}"


def _attempt(told: dict[str, Any]) -> Iterator[str]:
    for target, code in told["missed"]:
        yield f"  not tried: {target} ({code})"
    parts = [told["state"]]
    parts += [_MARKS[flag] for flag in told["flags"] if flag in _MARKS]
    parts += [told["error"]] if told["error"] else []
    parts += [f"HTTP {told['status']}"] if told["status"] is not None else []
    if told["first_byte_ms"] is not None:
        parts.append(f"first byte after {told['first_byte_ms']} ms")
    if told["total_ms"] is not None:
        parts.append(f"{told['total_ms']} ms in all")
    if told["prompt"] is not None:
        parts.append(_tokens(told))
    key = f" with key {told['key']}" if told["key"] is not None else ""
    yield f"attempt {told['number']} {told['target']}{key}: {', '.join(parts)}"


def _tokens(told: dict[str, Any]) -> str:
    if CRASHED in told["flags"]:
        return f"about {told['prompt']} tokens (estimated: the prompt and all that it may have written)"
    return f"{told['prompt']}+{told['completion']} tokens ({told['source']})"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
