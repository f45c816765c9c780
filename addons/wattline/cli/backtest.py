"""`wattline backtest`: the calls of the ledger under another rules file. Nothing is called."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from wattline.base.amounts import MICRO, plain
from wattline.base.settings import Settings
from wattline.cli.book import load_rules, rules_path
from wattline.cli.comparison import compare
from wattline.cli.failure import USAGE, Failure
from wattline.cli.options import age
from wattline.cli.output import check_output
from wattline.cli.picture import picture
from wattline.cli.terminal import console, counted, safe, table
from wattline.cli.usage import LEDGER
from wattline.engine.tally import Sum, Tally
from wattline.engine.tally_json import notes, tally_json, targets
from wattline.rules.book import Book
from wattline.rules.elsewhere import Elsewhere
from wattline.service.history.prices import known_prices
from wattline.service.history.span import Span, available, run, served, versions_of
from wattline.store.history import apart

SHOWN = 12
"""Rows of a table."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The options of `wattline backtest`; `settings.rules` is the file that is tried."""

    settings: Settings
    since: str = "7d"
    as_json: bool = False
    picture: Path | None = None


def backtest(wish: Wish) -> int:
    """Print what would have been otherwise. Raises Failure, RulesError, LedgerDown, OSError."""
    if wish.picture is not None and wish.picture.suffix.lower() != ".svg":
        raise Failure("the picture is SVG: give a name that ends in .svg", USAGE)
    if wish.picture is not None:
        check_output(wish.picture)
    ledger = wish.settings.state / LEDGER
    if not ledger.exists():
        raise Failure(f"no ledger in {wish.settings.state}: there are no calls to replay")
    start = 0 if wish.since == "all" else int((time.time() - age(wish.since)) * 1000)
    span = Span(max(start, 0))
    found = served(ledger, span)
    book, source = _book(wish.settings, found)
    same = versions_of(ledger, rules_path(wish.settings).read_text("utf-8", "replace"))
    price = known_prices(book, found)
    with _progress() as tell, _no_collections():
        tally, unknown = run(ledger, book, span, same=same, price=price, tell=tell)
    beside = apart(ledger, span.since)
    if wish.as_json:
        more = {"availability_from": source, "drilled": beside[0], "refused_unsent": beside[1]}
        json.dump({**tally_json(tally, unknown), **more}, sys.stdout, indent=2)
        print()
    else:
        _print(tally, unknown, wish, source)
        for note in _compared_with_usage(*beside):
            console().print(f"* {note}")
    if wish.picture is not None:  # the last thing: if it can't be written, the rest was told
        wish.picture.write_text(picture(tally), "utf-8")
    return 0


def _book(settings: Settings, found: list[tuple[str, str]]) -> tuple[Book, str]:
    """The file as a sidecar would have it: with the keys of the one that runs, else with those that the ledger
    shows to have worked.
    """
    comparison = compare(settings, rules_path(settings))
    there: Mapping[str, str | None] | None = None
    callers: frozenset[str] = frozenset()
    if comparison is not None:
        there, callers = comparison.elsewhere.providers, comparison.elsewhere.callers
    book = load_rules(settings, elsewhere=Elsewhere(available(there, found), callers)).book
    if comparison is not None and comparison.same_file and comparison.running.rules_version:
        book = replace(book, version=comparison.running.rules_version)
    return book, "ledger" if comparison is None else "sidecar"


@contextmanager
def _no_collections() -> Iterator[None]:
    """Millions of short-lived values, none of them in a cycle."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=None)

        def tell(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        yield tell


def _print(tally: Tally, unknown: int, wish: Wish, source: str) -> None:
    out = console()
    if not tally.calls:
        if wish.since == "all":
            print("No calls to replay.")
        else:
            print(
                f"No calls to replay in the last {wish.since}. See further back with --since 30d or all."
            )
        return
    share = tally.changed / tally.calls
    print(f"{tally.calls:,} calls, {tally.changed:,} of them ({share:.1%}) change their target.")
    if tally.changed:
        made = table(("then", "with these rules", "calls"), ("calls",))
        for (old, new), count in tally.moves.most_common(SHOWN):
            made.add_row(safe(old), safe(new), f"{count:,}")
        out.print(made)
    made = table(("target", "then", "now"), ("then", "now"))
    for name in targets(tally)[:SHOWN]:
        made.add_row(safe(name), f"{tally.served_then[name]:,}", f"{tally.served_now[name]:,}")
    out.print(made)
    print(
        f"429: {tally.limited_then:,} then, {tally.limited_now:,} now; {tally.avoided:,} avoided, "
        f"{tally.caused:,} caused."
    )
    print(f"energy: {_spent(tally.energy, MICRO)}")
    if tally.dollars.calls:
        print(f"dollars: {_spent(tally.dollars, 1)}")
    for rule in tally.never:
        print(f"never reached: rule {safe(rule.name)}, line {rule.line}")
    for note in notes(tally, unknown):
        out.print(safe(f"* {note}"))
    if source == "ledger":
        print(
            "* No sidecar runs: providers that answered in this time are taken to have their keys."
        )


def _amount(value: Fraction) -> str:
    return plain(round(float(value), 4), grouped=True)


def _compared_with_usage(drilled: int, refused: int) -> Iterator[str]:
    """Why `wattline usage` may count other calls than these."""
    if drilled:
        text = "a drill made a fault in them; `wattline usage` counts them"
        yield f"{counted(drilled, 'call')} left out: {text}."
    if refused:
        text = "refused before any attempt: counted here, and not by `wattline usage`"
        yield f"{counted(refused, 'call')} {text}."


def _spent(found: Sum, unit: int) -> str:
    then, least, most = (
        round(Fraction(n) / unit, 4) for n in (found.then, found.least, found.most)
    )
    now = _amount(least) if least == most else f"{_amount(least)} to {_amount(most)}"
    change = ""
    if then:
        low, high = float(least / then - 1), float(most / then - 1)
        change = f" ({low:+.1%})" if least == most else f" ({low:+.1%} to {high:+.1%})"
    return f"{_amount(then)} then, {now} now{change}"
