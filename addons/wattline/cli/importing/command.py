"""The whole of `wattline import`: files in, rows to the ledger, a report out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from wattline.base.settings import Settings
from wattline.cli.desk import Ask, desk
from wattline.cli.failure import FAILED, say
from wattline.cli.importing.fragment import Fragment
from wattline.cli.importing.people import People, Person
from wattline.cli.importing.report import FileReport, Report
from wattline.cli.importing.shapes import MAX_BYTES, Found, Kind, NoImport, read
from wattline.cli.importing.talk import dialogs, referrals, systems
from wattline.service.importing.rows import Done, Row, What

BATCH: Final = 200
"""Rows in one question."""
BATCH_BYTES: Final = 4 * 1024 * 1024
"""Bytes in one question, but for a row that is larger by itself."""

type Step = Callable[[int], None]
"""So many rows are done."""
type Files = list[tuple[FileReport, Found]]
type Place = tuple[FileReport, str]


@dataclass(slots=True)
class Work:
    """Rows for the ledger, each with the places that it is from."""

    what: What
    rows: list[tuple[list[Place], Row]] = field(default_factory=list)


def import_files(
    paths: Sequence[Path], settings: Settings, *, dry: bool, credit: int | None, as_json: bool
) -> int:
    """The exit code: 0 when all was taken. `credit` is micro-units for users of files without balances; None for
    no limit. Raises Failure, LedgerDown, RulesError, OSError.
    """
    report, fragment = Report(dry), Fragment()
    found = list(_read(paths, report))
    people, first = _people(found, credit)
    works = [first, *_talk(found, people)]
    _rules(found, fragment)
    if any(work.rows for work in works):
        with (
            desk(settings, dry=dry) as ask,
            _progress(sum(len(work.rows) for work in works), quiet=as_json) as step,
        ):
            for work in works:
                _take(work, ask, step, dry=dry)
    report.rules, report.variables = fragment.text, fragment.variables
    _print(report, as_json=as_json)
    return 0 if report.whole else FAILED


def _read(paths: Iterable[Path], report: Report) -> Iterator[tuple[FileReport, Found]]:
    for path in paths:
        if path.is_dir() and not any(path.glob("*.json")):
            report.files.append(FileReport(str(path), error="there is nothing: no *.json in it"))
    for path in _files(paths):
        file = FileReport(str(path))
        report.files.append(file)
        try:
            found = read(_bytes(path))
        except NoImport as error:
            file.error = str(error)
            continue
        except OSError as error:
            file.error = error.strerror or "can't be read"
            continue
        file.kind, file.rows = found.kind.value, len(found.rows)
        if found.twice:
            file.notes["names that came twice in one object: the last counts"] = found.twice
        yield file, found


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """Each file once; of a folder its *.json."""
    seen: set[Path] = set()
    for path in paths:
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        for one in inside:
            if (whole := one.absolute()) not in seen:
                seen.add(whole)
                yield one


def _bytes(path: Path) -> bytes:
    """Raises NoImport, OSError."""
    if path.exists() and not path.is_file():
        raise NoImport("it is no file")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise NoImport(f"it is larger than {MAX_BYTES >> 20} MiB: split it")
    return data


def _people(found: Files, credit: int | None) -> tuple[People, Work]:
    people = People()
    places: dict[str, list[Place]] = {}
    for file, one in found:
        if one.kind not in (Kind.TOKENS, Kind.KEYS):
            continue
        for place, row in one.rows:
            person: Person | None = None
            if not isinstance(row, dict):
                file.refuse(place, "no object")
            elif one.kind is Kind.TOKENS:
                person = people.add_token(place, row, file.refuse)
            else:
                person = people.add_key(place, row, file.refuse, credit)
            if person is not None:
                places.setdefault(person.user, []).append((file, place))
        file.notes.update(people.notes)
        people.notes.clear()
    work = Work(What.PEOPLE)
    work.rows = [(places[user], person.row()) for user, person in people.found.items()]
    return people, work


def _talk(found: Files, people: People) -> list[Work]:
    works: list[Work] = []
    for kind, what, rows_of in (
        (Kind.SYSTEM_MESSAGES, What.SYSTEMS, systems),
        (Kind.DIALOGS, What.DIALOGS, dialogs),
        (Kind.REFERRALS, What.REFERRALS, referrals),
    ):
        for file, one in found:
            if one.kind is kind:
                rows: Iterable[tuple[str, Row]] = rows_of(one.rows, people, file.refuse)
                works.append(Work(what, [([(file, place)], row) for place, row in rows]))
    return works


def _rules(found: Files, fragment: Fragment) -> None:
    for file, one in found:
        before = len(fragment.notes)
        if one.kind is Kind.TIERS:
            file.made = fragment.add_tiers(one.rows, file.refuse)
        elif one.kind is Kind.PROVIDERS:
            file.made = fragment.add_providers(one.rows, file.refuse)
        file.notes.update(dict.fromkeys(fragment.notes[before:], len(one.rows)))


def _take(work: Work, ask: Ask, step: Step, *, dry: bool) -> None:
    for batch in _batches(work.rows):
        rows = [msgspec.to_builtins(row) for _, row in batch]
        outcomes = ask("import", what=work.what.value, rows=rows, dry=dry)["outcomes"]
        for (places, _), outcome in zip(batch, outcomes, strict=True):
            _note(places, Done(outcome["done"]), outcome["told"], outcome["left"])
        step(len(batch))


def _batches(rows: list[tuple[list[Place], Row]]) -> Iterator[list[tuple[list[Place], Row]]]:
    batch: list[tuple[list[Place], Row]] = []
    size = 0
    for one in rows:
        more = len(msgspec.json.encode(one[1]))
        if batch and (len(batch) >= BATCH or size + more > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += more
    if batch:
        yield batch


def _note(places: list[Place], done: Done, told: list[str], left: list[str]) -> None:
    for file, place in places:
        if done is Done.REFUSED:
            file.refuse(place, "; ".join(told))
            continue
        file.made += done is Done.MADE
        file.there += done is Done.THERE
        file.notes.update(told)
        for reason in left:
            file.refuse(place, reason)


@contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[Step]:
    """A bar on stderr, where that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rows", total=total)
        yield lambda done: progress.advance(task, done)


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        json.dump(report.facts(), sys.stdout, indent=2)
        print()
        return
    sys.stdout.write(report.rules)
    for line in report.lines():
        say(printable(line))


def printable(text: str) -> str:
    """`text` without what a terminal would act on: places and paths come from others."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
