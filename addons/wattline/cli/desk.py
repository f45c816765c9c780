"""Many questions about accounts one after the other: to the sidecar that runs, else to the ledger itself."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from wattline.base.clock import SystemClock
from wattline.base.settings import Settings
from wattline.cli.accounts import MAX_ANSWER, TIMEOUT, result_of
from wattline.cli.book import read_rules
from wattline.engine.spending import Spending
from wattline.service.accounts.accounts import Accounts
from wattline.service.accounts.control import Control
from wattline.service.accounts.control_door import connect
from wattline.service.importing.imports import Imports
from wattline.store.sqlite import SqliteLedger

type Ask = Callable[..., dict[str, Any]]
"""`ask(verb, **given)`: as `cli.accounts.ask`."""


@contextmanager
def desk(settings: Settings, *, dry: bool) -> Iterator[Ask]:
    """Whom to ask. With `dry` nothing is asked that changes anything: then no ledger is made either.
    Raises Failure, LedgerDown, RulesError, OSError.
    """
    wire = connect(settings.state, TIMEOUT)
    if wire is None:
        with _ledger(settings, dry=dry) as ask:
            yield ask
        return
    with wire, wire.makefile("rb") as answers:

        def ask_sidecar(verb: str, **given: Any) -> dict[str, Any]:
            wire.sendall(_question(verb, given))
            return result_of(answers.readline(MAX_ANSWER))

        yield ask_sidecar


def _question(verb: str, given: dict[str, Any]) -> bytes:
    return json.dumps({"verb": verb, **given}, ensure_ascii=False).encode() + b"\n"


@contextmanager
def _ledger(settings: Settings, *, dry: bool) -> Iterator[Ask]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        control = runner.run(stack.enter_async_context(_control(settings, dry=dry)))

        def ask_ledger(verb: str, **given: Any) -> dict[str, Any]:
            return result_of(runner.run(control.handle(_question(verb, given))))

        try:
            yield ask_ledger
        finally:
            runner.run(stack.aclose())


@asynccontextmanager
async def _control(settings: Settings, *, dry: bool) -> AsyncIterator[Control]:
    book, clock = read_rules(settings).book, SystemClock()
    with tempfile.TemporaryDirectory() as empty:
        folder = Path(empty) if dry and not _has_ledger(settings) else settings.state
        ledger = await SqliteLedger.open_at(folder / "ledger.sqlite", clock)
        try:
            accounts = Accounts(ledger.accounts, ledger, clock, lambda: book, Spending())
            imports = Imports(accounts, ledger.dialogs, ledger.referrals, lambda: book)
            yield Control(accounts, imports)
        finally:
            await ledger.close()


def _has_ledger(settings: Settings) -> bool:
    return (settings.state / "ledger.sqlite").exists()
