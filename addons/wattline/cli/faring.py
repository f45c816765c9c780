"""`wattline health --targets`: how each target does, worked out from the ledger as a start of the sidecar would."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from wattline.base.settings import Settings
from wattline.cli.book import rules_path
from wattline.cli.comparison import compare, read_as_sidecar
from wattline.cli.resting import Held, held, rest_of
from wattline.cli.terminal import console, print_rows, safe
from wattline.cli.usage import LEDGER
from wattline.engine.breaker import State
from wattline.engine.health import Health
from wattline.rules.book import Book
from wattline.service.metering.past import heal

NUMBERS = ("score", "first output", "answer", "failures", "attempts")
HEADS = ("target", "breaker", "rests", *NUMBERS)
SPARE = ("answer", "score", "first output", "attempts", "failures")
"""What a narrow terminal does without, the first of them first."""


def targets(settings: Settings, *, as_json: bool = False) -> None:
    """Print a line for each target that was tried in the last hour. Raises LedgerDown, RulesError, OSError."""
    comparison = compare(settings, rules_path(settings))
    book = read_as_sidecar(settings, comparison).book
    runs, now = comparison is not None and comparison.same_file, 0.0
    health = healed(book, settings, runs=runs)
    rests = held(book, settings.state / LEDGER, runs=runs)
    if as_json:
        told = [_facts(health, place, now, book, rests) for place in _places(health)]
        print(json.dumps({"targets": told, "rests": [one.json for one in rests]}))
        return
    if len(health):
        rows = [[*map(safe, _row(health, p, now, book, rests))] for p in _places(health)]
        print_rows(HEADS, rows, numbers=NUMBERS, ids=("target", "breaker", "rests"), spare=SPARE)
    else:
        print("No target answered or failed in the last hour.")
    for one in rests:
        console().print(safe(str(one)))


def healed(book: Book, settings: Settings, now: float = 0.0, *, runs: bool = False) -> Health:
    """The health of targets out of the ledger; without a ledger nothing is known. `runs`: a sidecar with these rules
    does. Raises LedgerDown.
    """
    health = Health(book.health)
    ledger = settings.state / LEDGER
    if ledger.exists():
        heal(health, ledger, now, time.time(), book.version if runs else None)
    return health


def _places(health: Health) -> list[tuple[str, str]]:
    return sorted(health.places())


def _row(
    health: Health, place: tuple[str, str], now: float, book: Book, rests: Sequence[Held]
) -> tuple[str, ...]:
    figures, state, wait = health.figures(place), health.state(place, now), health.wait(place, now)
    told = {State.HALF_OPEN: "half open", State.OPEN: "open"}.get(state, "closed")
    return (
        "/".join(place),
        told if wait is None else f"{told} for {wait:.0f} s",
        _rest(place, book, rests) or "-",
        f"{figures.score:.2f}",
        _milliseconds(figures.first_ms),
        _milliseconds(figures.total_ms),
        f"{figures.errors:.0%}",
        str(figures.calls),
    )


def _rest(place: tuple[str, str], book: Book, rests: Sequence[Held]) -> str:
    provider = book.providers.get(place[0])
    return "" if provider is None else rest_of(provider, rests)


def _facts(
    health: Health, place: tuple[str, str], now: float, book: Book, rests: Sequence[Held]
) -> dict[str, Any]:
    figures = health.figures(place)
    return {
        "target": "/".join(place),
        "breaker": health.state(place, now).value,
        "rests": _rest(place, book, rests) or None,
        "triedAgainIn": health.wait(place, now),
        "score": round(figures.score, 4),
        "firstByteMs": figures.first_ms,
        "responseMs": figures.total_ms,
        "errorShare": round(figures.errors, 4),
        "calls": figures.calls,
    }


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
