"""`wattline explain`: the sidecar's own decision on a call that nobody makes."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from wattline.base.settings import Settings
from wattline.cli.book import rules_path
from wattline.cli.comparison import Comparison, compare, read_as_sidecar, read_here
from wattline.cli.explain_requests import request_lines
from wattline.cli.parked import parking_of
from wattline.cli.question import Question, read_exchange
from wattline.cli.resting import Held, held, resting_of
from wattline.cli.terminal import safe
from wattline.cli.usage import LEDGER
from wattline.engine.explain import explain as explain_call
from wattline.engine.explain import render
from wattline.engine.health import Health
from wattline.engine.view import View
from wattline.engine.windows import Windows
from wattline.rules.book import Book
from wattline.service.catalog.costs import Costs
from wattline.service.catalog.prices import Prices
from wattline.service.explaining import explained_json, requests_of
from wattline.service.metering.past import heal, remember
from wattline.store.base import LedgerDown
from wattline.store.reading import reading


def explain(question: Question, settings: Settings, *, as_json: bool = False) -> int:
    """Print the plan and what led to it: as the sidecar that runs these rules would decide, else with
    this shell's variables. Raises Failure, RulesError, OSError.
    """
    comparison = compare(settings, rules_path(settings))
    book = read_as_sidecar(settings, comparison).book
    exchange = read_exchange(question, book)
    now, wall = time.monotonic(), time.time()
    as_sidecar = comparison is not None and comparison.same_file
    rests = held(book, settings.state / LEDGER, runs=as_sidecar)
    view, source = _view(book, settings.state / LEDGER, now, wall, rests, runs=as_sidecar)
    found = explain_call(exchange.call, book, view, now, wall)
    exchange.plan = found.plan
    requests = requests_of(exchange)
    if as_json:
        shown = {
            **explained_json(found, requests),
            "windows_from": source,
            "rests": [one.json for one in rests],
            "availability_from": "sidecar" if as_sidecar else "shell",
            "sidecar": comparison and comparison.as_json(read_here(settings)),
        }
        json.dump(shown, sys.stdout, indent=2)
        print()
    else:
        sys.stdout.write(render(found))
        for line in request_lines(requests):
            print(safe(line))
        for line in _ledger_lines(source, rests):
            print(safe(line))
        for line in _origin(comparison, settings):
            print(safe(line))
    return 0


def _ledger_lines(source: str, rests: Sequence[Held]) -> Iterator[str]:
    """What this rests on, and who knows more."""
    yield ""
    yield f"Not asked of a sidecar: {source}; rests are those that the ledger has."
    yield from (f"  {one}" for one in rests if one.owner is None)
    yield (
        "Only the running sidecar knows waits that nobody said, windows by address and who answered a conversation: "
        "send it the call with the header `x-wattline-explain: 1`."
    )


def _view(
    book: Book, ledger: Path, now: float, wall: float, rests: Sequence[Held], *, runs: bool
) -> tuple[View, str]:
    """What the ledger tells of windows, rests, health, balances and what is switched off; and in words, what that is."""
    windows, health = Windows(), Health(book.health)
    source = _remembered(windows, health, book, ledger, now, wall, runs=runs)
    costs = Costs(Prices())
    asyncio.run(costs.learn(book))
    parking = parking_of(ledger)
    view = View(
        windows,
        resting_of(rests, now),
        lambda who: _balance(ledger, who),
        parking,
        health,
        costs.of,
    )
    return view, source


def _origin(comparison: Comparison | None, settings: Settings) -> Iterator[str]:
    """Whose providers these are."""
    if comparison is None:
        yield (
            f"No sidecar runs with the state folder {settings.state}: "
            "providers are those that this shell's variables give."
        )
    elif not comparison.same_file:
        yield (
            f"The {comparison.name} runs other rules, {comparison.running.rules}. Providers are those that "
            f"this shell's variables give; --rules with that file asks about the sidecar's."
        )
    else:
        yield f"Providers are those of the {comparison.name}."
        if (here := read_here(settings)) is None:
            yield "With this shell's variables the rules can't be used: see `wattline check`."
        else:
            yield from (f"  {difference}" for difference in comparison.differences(here))


def _remembered(
    windows: Windows,
    health: Health,
    book: Book,
    ledger: Path,
    now: float,
    wall: float,
    *,
    runs: bool,
) -> str:
    """Fill the windows and the health; in words, from what."""
    if not ledger.exists():
        return "windows are empty, there is no ledger yet"
    try:
        count = remember(windows, book, ledger, now, wall)
        heal(health, ledger, now, wall, book.version if runs else None)
    except LedgerDown as error:
        return f"windows are empty, the ledger can't be read ({error})"
    return f"windows are filled with the last {count} attempts of the ledger"


def _balance(ledger: Path, principal: str) -> int | None:
    """Free micro-units of a limited principal."""
    try:
        with reading(ledger) as connection:
            row = connection.execute(
                "SELECT balance - held FROM accounts WHERE principal = ? AND limited = 1",
                (principal,),
            ).fetchone()
    except LedgerDown:
        return None
    return None if row is None else int(row[0])
