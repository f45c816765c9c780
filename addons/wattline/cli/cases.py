"""`wattline test` and `wattline record`: rules checked against cases, and cases made from real calls."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from wattline.base.settings import Settings
from wattline.cli.book import load_rules, rules_name, rules_path
from wattline.cli.case_files import case_files, read_file, write_file
from wattline.cli.failure import FAILED, USAGE, Failure
from wattline.cli.options import age
from wattline.cli.terminal import counted, safe
from wattline.cli.usage import LEDGER
from wattline.engine.backtest import Past
from wattline.engine.case import differences, outcome, plan_of
from wattline.engine.case_names import doubts, known_state
from wattline.engine.case_record import cases_of, has_secret
from wattline.engine.case_shape import BadCase, Case, read_case
from wattline.rules.book import Book
from wattline.rules.elsewhere import Elsewhere
from wattline.service.history.past import past_calls
from wattline.store.history import history

NO_KEY = "no key, says the case"
_ODD = re.compile(r"[^A-Za-z0-9._-]+")

type Books = Callable[[frozenset[str]], Book]
"""The rules where these providers have no key, and all others have theirs."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one case. `problem`: it could not be asked; `notes` are no differences."""

    file: Path
    name: str
    lines: tuple[str, ...] = ()
    problem: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """As expected."""
        return not self.lines and self.problem is None


def check_cases(
    paths: list[Path], settings: Settings, *, update: bool = False, as_json: bool = False
) -> int:
    """0 when all cases come to what they expect, 1 when not, 2 when one can't be read. Raises Failure, RulesError,
    OSError.
    """
    books = books_of(settings)
    books(frozenset())  # a mistake in the rules is told before all else
    verdicts = [v for file in case_files(paths) for v in _file(file, books, update=update)]
    if not verdicts:
        raise Failure("there are no cases in these files", USAGE)
    wrong = [verdict for verdict in verdicts if not verdict.ok]
    if as_json:
        _print_json(verdicts)
    else:
        _print_notes(verdicts)
        _print(wrong, len(verdicts), rules_name(settings), update=update)
    if any(verdict.problem for verdict in verdicts):
        return USAGE
    return FAILED if wrong and not update else 0


def books_of(settings: Settings) -> Books:
    """Reads the file once for each set of missing keys."""
    first = load_rules(settings, elsewhere=None).book
    callers = _callers(rules_path(settings))

    @cache
    def book(without: frozenset[str]) -> Book:
        there = {name: NO_KEY if name in without else None for name in first.providers}
        return load_rules(settings, elsewhere=Elsewhere(there, callers)).book

    return book


def book_of(case: Case, books: Books) -> Book:
    """The rules with the keys that a case says are there."""
    if not case.unconfigured:
        return books(case.without)
    providers = books(frozenset()).providers.values()
    return books(case.without | {provider.name for provider in providers if not provider.demo})


def _callers(path: Path) -> frozenset[str]:
    """The names under `auth.keys`: nobody's key must be here for a case about its holder."""
    found = yaml.safe_load(path.read_text("utf-8"))
    auth = found.get("auth") if isinstance(found, dict) else None
    keys = auth.get("keys") if isinstance(auth, dict) else None
    return frozenset(map(str, keys)) if isinstance(keys, dict) else frozenset()


def _file(file: Path, books: Books, *, update: bool) -> Iterator[Verdict]:
    written = read_file(file)
    changed = False
    for number, value in enumerate(written, 1):
        place = _place(value, number)
        try:
            case = read_case(value, place, bare=update)
            book = book_of(case, books)
            found = outcome(plan_of(case, book))
        except BadCase as problem:
            yield Verdict(file, place, problem=str(problem))
            continue
        lines = tuple(differences(case, found))
        if update and (lines or not case.expect):
            value["expect"] = _expected(case, found)
            changed = True
        yield Verdict(file, case.name, lines, notes=tuple(doubts(case, book)))
    if changed:
        write_file(file, written)


def _place(value: Any, number: int) -> str:
    """Which case of a file it is, for people."""
    name = value.get("name") if isinstance(value, dict) else None
    return f"case {number}, {name:.80}" if name and isinstance(name, str) else f"case {number}"


def _expected(case: Case, found: dict[str, Any]) -> dict[str, Any]:
    """What the case spoke of, as it is now."""
    names = list(case.expect) or ["rule", "targets"]
    return {name: found[name] for name in names}


def _print_notes(verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        for note in verdict.notes:
            print(safe(f"note: {verdict.file}: {verdict.name}: {note}"))


def _print(wrong: list[Verdict], count: int, rules: str, *, update: bool) -> None:
    for verdict in wrong:
        print(safe(f"{verdict.file}: {verdict.name}"))
        if verdict.problem is not None:
            print(safe(f"  can't be asked: {verdict.problem}"))
        for line in verdict.lines:
            print(safe(f"  {line}"))
    passed = count - len(wrong)
    end = ", their files now expect what was found" if update and wrong else ""
    print(safe(f"{rules}: {passed} of {count} cases as expected, {len(wrong)} not{end}"))


def _print_json(verdicts: list[Verdict]) -> None:
    told = [
        {
            "file": str(v.file),
            "case": v.name,
            "ok": v.ok,
            "differences": list(v.lines),
            "problem": v.problem,
            "notes": list(v.notes),
        }
        for v in verdicts
    ]
    json.dump({"cases": told, "ok": all(v.ok for v in verdicts)}, sys.stdout, indent=2)
    print()


@dataclass(frozen=True, slots=True)
class Wish:
    """The options of `wattline record`."""

    settings: Settings
    out: Path
    since: str = "7d"
    limit: int = 200
    people: bool = False


def record(wish: Wish) -> int:
    """Write cases, one file for each rule; nothing is written when anything fails. Raises Failure, RulesError,
    LedgerDown, OSError.
    """
    ledger = wish.settings.state / LEDGER
    if not ledger.exists():
        raise Failure(f"no ledger in {wish.settings.state}: no calls are recorded")
    start = 0 if wish.since == "all" else int((time.time() - age(wish.since)) * 1000)
    books = books_of(wish.settings)
    with history(ledger, max(start, 0)) as found:
        calls = _Shown(past_calls(found.calls()))
        cases = list(cases_of(calls, wish.limit, people=wish.people))
    if not cases:
        raise Failure("no calls in this time say what they were decided by")
    odd = _odd(cases, books)
    files = _files(cases, wish.out)
    _write(files)
    print(safe(f"{counted(len(cases), 'case')} in {counted(len(files), 'file')} below {wish.out}"))
    if calls.hidden:
        print(
            f"{counted(calls.hidden, 'call')} left out: the name of a model, or a tag, looks like a key in them."
        )
    if odd:
        print(
            f"{odd} of them do not come to what was recorded with these rules: `wattline test` shows which."
        )
    return 0


class _Shown:
    """Calls but those that hold what looks like a key. `hidden`: how many these were, so far."""

    def __init__(self, calls: Iterable[Past]) -> None:
        self._calls = calls
        self.hidden = 0

    def __iter__(self) -> Iterator[Past]:
        for past in self._calls:
            if has_secret(past):
                self.hidden += 1
            else:
                yield past


def _files(cases: list[dict[str, Any]], folder: Path) -> dict[Path, list[dict[str, Any]]]:
    """Cases by their file. Raises Failure when one of these is there."""
    files: dict[Path, list[dict[str, Any]]] = {}
    for case in cases:
        name = _ODD.sub("-", case["expect"]["rule"] or "no-rule")[:80]
        files.setdefault(folder / f"{name}.yaml", []).append(case)
    for path in files:
        if path.exists():
            raise Failure(f"{path} is there already: give another folder, or take it away")
    return files


def _write(files: dict[Path, list[dict[str, Any]]]) -> None:
    """All of them, or none."""
    written: list[Path] = []
    try:
        for path, cases in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            written.append(path)
            write_file(path, cases)
    except OSError:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _odd(cases: list[dict[str, Any]], books: Books) -> int:
    """How many are otherwise with the rules as they are, or ask for what these do not have. Those that are so only
    because no key was set then say so from now on; what was looked at for conditions that are gone is left out.
    """
    count, book = 0, books(frozenset())
    for value in cases:
        if "state" in value:
            value["state"] = known_state(value["state"], book)
        if _holds(value, books):
            continue
        bare = {**value, "state": {**value.get("state", {}), "unconfigured": True}}
        if _holds(bare, books):
            value["state"] = bare["state"]
        else:
            count += 1
    return count


def _holds(value: dict[str, Any], books: Books) -> bool:
    try:
        case = read_case(value, "case")
        return not any(differences(case, outcome(plan_of(case, book_of(case, books)))))
    except BadCase:
        return False
