"""`wattline doctor`: one line for each thing that has to be right, and what to do where it is not."""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from platform import python_version
from threading import Thread

from wattline.base.settings import Settings, SettingsError
from wattline.cli.book import read_rules, rules_name, rules_path
from wattline.cli.comparison import Comparison, compare, read_as_sidecar
from wattline.cli.environment import PROXY_VARIABLES, undone
from wattline.cli.failure import FAILED, Failure
from wattline.cli.files import network_note, permission_notes
from wattline.cli.finding import Finding, Mark
from wattline.cli.health import HEALTHY
from wattline.cli.parked import parked_lines
from wattline.cli.port_check import try_listen
from wattline.cli.resting import all_keys_out, held
from wattline.cli.running import NoAnswer, Running, ask_health
from wattline.cli.terminal import safe
from wattline.cli.usage import LEDGER
from wattline.proxy.ca import CaError, ensure_ca
from wattline.rules.book import Book
from wattline.rules.compiled.entrance import Listen
from wattline.rules.problems import RulesError
from wattline.rules.providers import NOWHERE
from wattline.rules.unconfigured import what_calls_get, why_unconfigured
from wattline.store.base import LedgerDown
from wattline.store.reading import attempt_counts, recent

DNS_SECONDS = 3.0
OLDEST_PYTHON = (3, 12)
OLDEST_SQLITE = (3, 37)
SOON_DAYS = 30
_REFUSED_ADVICE = (
    "Look at its account at the provider. Another key takes a restart; where this one is good again, a change of "
    "rules.yaml ends all rests at once."
)
_OTHER_STATE = "Choose another with --state or WATTLINE_STATE."


def doctor(read: Callable[[], Settings]) -> int:
    """Print all findings; 0 when nothing is wrong. `read` may raise SettingsError or Failure: nothing that needs
    settings is looked at then.
    """
    bad = False
    for finding in _all(read):
        print(finding.line(), flush=True)
        bad = bad or finding.mark is Mark.BAD
    return FAILED if bad else 0


def _all(read: Callable[[], Settings]) -> Iterator[Finding]:
    yield _python()
    yield _sqlite()
    try:
        settings = read()
    except (SettingsError, Failure) as error:
        advice = "Set it anew or leave it out, then ask again: the rest was not looked at."
        yield Finding(Mark.BAD, str(error), advice)
        return
    yield from examine(settings)


def examine(settings: Settings) -> Iterator[Finding]:
    """Findings in the order in which a start needs the things."""
    comparison = compare(settings, rules_path(settings))
    book, finding = _rules(settings)
    theirs = _as_sidecar(settings, comparison)
    if book is None and theirs is not None:
        finding = Finding(Mark.NOTE, finding.text, "The sidecar, with its variables, can use it.")
    yield finding
    yield from (Finding(Mark.NOTE, note) for note in permission_notes(rules_path(settings)))
    yield (state := _state(settings.state))
    yield from _file_system(settings.state)
    yield _listener(settings, book, comparison)
    if comparison is not None:
        yield from _ailing(comparison.running)
    if state.mark is not Mark.BAD or settings.state.is_dir():
        yield _ca(settings)
        yield _ledger(settings.state / LEDGER)
    yield _clock(settings.state / LEDGER)
    yield from _proxies(settings)
    if comparison is not None:
        yield from _compared(comparison, book)
    if (known := theirs or book) is not None:
        yield from _providers(known)
        yield from _rests(known, settings.state / LEDGER, runs=theirs is not None)
    yield from (
        Finding(Mark.NOTE, safe(line).plain) for line in parked_lines(settings.state / LEDGER)
    )


def _python() -> Finding:
    text = f"Python {python_version()} in {sys.prefix}"
    if sys.version_info < OLDEST_PYTHON:
        return Finding(Mark.BAD, text, "Use Python 3.12 or newer.")
    return Finding(Mark.GOOD, text)


def _sqlite() -> Finding:
    text = f"SQLite {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        return Finding(Mark.BAD, text, "The ledger needs 3.37 or newer: use a newer Python.")
    return Finding(Mark.GOOD, text)


def _rules(settings: Settings) -> tuple[Book | None, Finding]:
    name = rules_name(settings)
    try:
        book = read_rules(settings).book
    except RulesError as error:
        count = len(error.problems)
        text = f"{name} has {_counted(count, 'problem')}, the first: {error.problems[0]}"
        return None, Finding(Mark.BAD, text, "`wattline check` lists them all.")
    except OSError as error:
        return None, Finding(
            Mark.BAD, f"{name}: {error.strerror}", "Make it readable to this user."
        )
    text = f"{name}: {_counted(len(book.rules), 'rule')}, version {book.version}"
    if book.warnings:
        return book, Finding(
            Mark.NOTE, text, f"{_counted(len(book.warnings), 'warning')}: see `wattline check`."
        )
    return book, Finding(Mark.GOOD, text)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _state(state: Path) -> Finding:
    existing = next(folder for folder in (state, *state.parents) if os.path.lexists(folder))
    if not existing.is_dir():
        text = f"state folder {state} can't be used: {existing} is no folder"
        return Finding(Mark.BAD, text, _OTHER_STATE)
    if not os.access(existing, os.W_OK | os.X_OK):
        text = f"state folder {state} can't be written: this user may not write in {existing}"
        return Finding(Mark.BAD, text, _OTHER_STATE)
    if existing != state:
        return Finding(Mark.NOTE, f"state folder {state} will be made by the first start")
    return Finding(Mark.GOOD, f"state folder {state}")


def _file_system(state: Path) -> Iterator[Finding]:
    advice = "SQLite's locks and its WAL are not safe there: choose a local disk with --state."
    yield from (Finding(Mark.NOTE, note, advice) for note in network_note(state))


def _compared(comparison: Comparison, book: Book | None) -> Iterator[Finding]:
    """What the sidecar has, beside this shell."""
    running = comparison.running
    if not comparison.same_file:
        yield Finding(
            Mark.NOTE,
            f"the sidecar runs other rules: {running.rules}",
            "What is said of providers here is about this shell; --rules asks about another file.",
        )
        return
    yield Finding(Mark.GOOD, f"the sidecar has rules version {running.rules_version} in force")
    for difference in comparison.differences(book) if book is not None else ():
        yield Finding(Mark.NOTE, str(difference))


def _as_sidecar(settings: Settings, comparison: Comparison | None) -> Book | None:
    """The rules with what the sidecar has; None when it has other rules or they can't be read."""
    if comparison is None or not comparison.same_file:
        return None
    with suppress(RulesError, OSError):
        return read_as_sidecar(settings, comparison).book
    return None


def _listener(settings: Settings, book: Book | None, comparison: Comparison | None) -> Finding:
    if comparison is not None:
        running = comparison.running
        text = f"a sidecar runs on {running.address} (process {running.pid})"
        return Finding(Mark.GOOD, text)
    return try_listen(settings, book.listen if book is not None else Listen())


def _ailing(running: Running) -> Iterator[Finding]:
    """What the sidecar itself says is wrong, such as a ledger that it can't write."""
    with suppress(NoAnswer):
        found = ask_health(running.reachable_host, running.port)
        if found["status"] != HEALTHY:
            reason = f": {found['reason']}" if found.get("reason") else ""
            yield Finding(Mark.BAD, f"the sidecar is {found['status']}{reason}")


def _ca(settings: Settings) -> Finding:
    folder = settings.state / "ca"
    if not folder.exists():
        return Finding(Mark.NOTE, f"CA in {folder} will be made by the first start")
    if not folder.is_dir():
        text = f"the CA's folder {folder} is no folder"
        return Finding(Mark.BAD, text, "Move it away: the first start makes a new CA there.")
    try:
        files = ensure_ca(folder, settings.env)
    except CaError as error:
        return Finding(Mark.BAD, "the CA can't be used", str(error))
    except OSError as error:
        return Finding(Mark.BAD, f"CA in {folder}: {error.strerror}", "Make the folder yours.")
    text = f"CA in {folder}, valid until {files.expires.date()}"
    if (files.expires - datetime.now(UTC)).days < SOON_DAYS:
        return Finding(Mark.NOTE, text, f"Delete {folder} when you can, a new one is made then.")
    return Finding(Mark.GOOD, text)


def _ledger(path: Path) -> Finding:
    if not path.exists():
        if path.with_name(f"{path.name}-wal").exists():
            text = f"ledger {path} is gone, its newest commits are in {path.name}-wal"
            return Finding(Mark.BAD, text, "Stop the sidecar, put the file back, and start again.")
        return Finding(Mark.NOTE, f"ledger {path} will be made by the first start")
    if path.is_dir():
        text = f"ledger {path} is a folder, no file"
        return Finding(Mark.BAD, text, "Move it away: the first start makes a new ledger there.")
    try:
        counts = attempt_counts(path)
    except LedgerDown as error:
        return Finding(Mark.BAD, str(error), "Restore it from a backup, or use another --state.")
    return Finding(Mark.GOOD, f"ledger {path}: {sum(counts.values()):,} attempts")


def _clock(ledger: Path) -> Finding:
    now = time.time()
    shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    last = 0.0
    with suppress(LedgerDown):
        last = max((row.at / 1000 for row in recent(ledger, 1)), default=0.0)
    installed = Path(__file__).stat().st_mtime
    if now < max(last, installed) - 60:
        what = "the ledger's last call" if last > installed else "this installation"
        return Finding(Mark.BAD, f"the clock says {shown}, before {what}", "Set the clock.")
    return Finding(Mark.GOOD, f"the clock says {shown}")


def _proxies(settings: Settings) -> Iterator[Finding]:
    if any(undone(settings.env).get(name) for name in PROXY_VARIABLES):
        yield Finding(
            Mark.NOTE,
            "HTTP_PROXY or HTTPS_PROXY is set: wattline's own calls don't use it",
            "They connect directly; providers must be reachable so.",
        )


def _providers(book: Book) -> Iterator[Finding]:
    ready = [p for p in book.providers.values() if p.unavailable is None and not p.demo]
    if not ready:
        yield Finding(
            Mark.NOTE,
            f"{why_unconfigured(book)}: {what_calls_get(book)}",
            "Set for example OPENAI_API_KEY; `wattline check` says what each provider needs.",
        )
        return
    resolved = _resolve(sorted({p.origin.host for p in ready if p.origin != NOWHERE}))
    for provider in ready:
        if provider.origin == NOWHERE:
            text = f"provider {provider.name}: configured in the sidecar, its URL is not known here"
            yield Finding(Mark.GOOD, text)
            continue
        problem = resolved[provider.origin.host]
        text = f"provider {provider.name}: configured, {provider.origin.host}"
        if problem is None:
            yield Finding(Mark.GOOD, text)
        else:
            yield Finding(
                Mark.BAD,
                f"{text} {problem}",
                f"Check the url of {provider.name} in rules.yaml, or the variable that it takes, DNS and the network.",
            )


def _rests(book: Book, ledger: Path, *, runs: bool) -> Iterator[Finding]:
    """Keys of the operator that calls can't use now, as the ledger has it."""
    found = [one for one in held(book, ledger, runs=runs) if one.owner is None]
    for one in found:
        provider = book.providers.get(one.provider)
        bad = provider is not None and all_keys_out(provider, found)
        advice = _REFUSED_ADVICE if one.refused else ""
        yield Finding(Mark.BAD if bad else Mark.NOTE, str(one), advice)


def _resolve(hosts: Sequence[str]) -> dict[str, str | None]:
    """What is wrong with each name; None when it resolves. All are asked at once."""
    found: dict[str, str | None] = dict.fromkeys(hosts, f"did not resolve in {DNS_SECONDS:g} s")

    def ask(host: str) -> None:
        found[host] = _problem(host)

    # Daemons, since a resolver can't be interrupted and must not hold up the end of the process.
    threads = [Thread(target=ask, args=(host,), daemon=True) for host in hosts]
    deadline = time.monotonic() + DNS_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(found)


def _problem(host: str) -> str | None:
    with suppress(ValueError):
        ip_address(host)
        return None
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return f"does not resolve ({getattr(error, 'strerror', None) or error})"
    return None
