"""What all parts stand on: settings, clock, rules, ledger, the way to providers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wattline.app.address import Address
from wattline.base.clock import Clock
from wattline.base.ids import new_id
from wattline.base.settings import Settings
from wattline.dialects.base import Dialect
from wattline.dialects.spoken import spoken_dialects
from wattline.rules.book import Book
from wattline.rules.packaged import packaged_rules
from wattline.service.accounts.known_secrets import KnownSecrets
from wattline.service.reload import Books, read_book
from wattline.store.sqlite import SqliteLedger
from wattline.store.writer import no_crash
from wattline.testing.crash import Crash, CrashingUpstream
from wattline.upstream.base import Upstream
from wattline.upstream.guard import Listeners
from wattline.upstream.pool import AiohttpUpstream


@dataclass(frozen=True, slots=True, repr=False)
class Ground:
    """`exit` closes what was opened, the last first. `dialects` are those that clients can speak, by name.
    `pseudonym` is our name on the way to providers.
    """

    settings: Settings
    clock: Clock
    secrets: KnownSecrets
    address: Address
    exit: contextlib.AsyncExitStack
    books: Books
    ledger: SqliteLedger
    listeners: Listeners
    upstream: Upstream
    dialects: Mapping[str, Dialect]
    pseudonym: str

    def book(self) -> Book:
        """The rules in force at this moment."""
        return self.books.current

    @property
    def ledger_file(self) -> Path:
        """For what only reads."""
        return _ledger_file(self.settings)


def load_rules(settings: Settings, demo_url: str) -> Books:
    """The rules that settings mean; `demo_url` is the demo provider's. Raises RulesError, OSError."""
    path = settings.rules or packaged_rules()
    env = {**settings.env, "WATTLINE_DEMO_URL": f"{demo_url}/v1"}
    own: tuple[str, int] | None = None
    if settings.host is not None or settings.port is not None:
        first = read_book(path, env, None).listen
        port = settings.port if settings.port is not None else first.port
        own = settings.host or first.host, port
    return Books(path, env, own, read_book(path, env, own))


async def open_ledger(
    settings: Settings, clock: Clock, book: Book, crash: Crash | None
) -> SqliteLedger:
    """The ledger of the state folder. Raises LedgerDown."""
    return await SqliteLedger.open_at(
        _ledger_file(settings),
        clock,
        sync="full" if book.ledger.sync == "full" else "normal",
        crash_at=crash or no_crash,
    )


def open_upstream(listeners: Listeners, crash: Crash | None) -> Upstream:
    """The pool of connections, which leads to none of `listeners`."""
    upstream = AiohttpUpstream(listeners=listeners)
    return upstream if crash is None else CrashingUpstream(upstream, crash)


async def open_ground(
    settings: Settings,
    clock: Clock,
    secrets: KnownSecrets,
    address: Address,
    exit: contextlib.AsyncExitStack,  # noqa: A002  (its name)
    *,
    demo_url: str,
    crash: Crash | None,
) -> Ground:
    """Load the rules, open the ledger. Raises RulesError, LedgerDown, OSError."""
    books = load_rules(settings, demo_url)
    secrets.follow(lambda: books.current)
    ledger = await open_ledger(settings, clock, books.current, crash)
    exit.push_async_callback(ledger.close)
    listeners = Listeners()
    upstream = open_upstream(listeners, crash)
    exit.push_async_callback(upstream.close)
    return Ground(
        settings=settings,
        clock=clock,
        secrets=secrets,
        address=address,
        exit=exit,
        books=books,
        ledger=ledger,
        listeners=listeners,
        upstream=upstream,
        dialects=spoken_dialects(),
        pseudonym=new_id("wattline"),
    )


def _ledger_file(settings: Settings) -> Path:
    return settings.state / "ledger.sqlite"
