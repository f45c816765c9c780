"""Questions about accounts, to the sidecar that runs, or to the ledger itself when none does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wattline.base.settings import Settings
from wattline.cli.failure import Failure

TIMEOUT = 15.0
MAX_ANSWER = 64 * 1024 * 1024
LEDGER = "ledger.sqlite"
READS = frozenset({"list", "show", "users"})
"""Verbs that change nothing."""


def ask(settings: Settings, verb: str, **given: Any) -> dict[str, Any]:
    """The result of a verb of `service.accounts.control`. Raises Failure, LedgerDown, RulesError, OSError."""
    from wattline.service.accounts.control_door import connect

    question = json.dumps({"verb": verb, **given}).encode() + b"\n"
    wire = connect(settings.state, TIMEOUT)
    if wire is None:
        line = _ask_alone(settings, verb, question)
    else:
        with wire, wire.makefile("rb") as answers:
            wire.sendall(question)
            line = answers.readline(MAX_ANSWER)
    return result_of(line)


def result_of(line: bytes) -> dict[str, Any]:
    """The result in an answer. Raises Failure."""
    if not line.endswith(b"\n"):
        raise Failure("the sidecar stopped before it answered: nothing, or all of it, was done")
    answer: dict[str, Any] = json.loads(line)
    if not answer["ok"]:
        raise Failure(answer["error"]["message"])
    result: dict[str, Any] = answer["result"]
    return result


def _ask_alone(settings: Settings, verb: str, question: bytes) -> bytes:
    """Who only reads makes no ledger."""
    import asyncio
    import tempfile
    from dataclasses import replace

    if verb not in READS or (settings.state / LEDGER).exists():
        return asyncio.run(_ask_ledger(settings, question))
    with tempfile.TemporaryDirectory() as empty:
        return asyncio.run(_ask_ledger(replace(settings, state=Path(empty)), question))


async def _ask_ledger(settings: Settings, question: bytes) -> bytes:
    """No sidecar runs: for this moment we are the process that writes."""
    from wattline.base.clock import SystemClock
    from wattline.cli.book import read_rules
    from wattline.engine.spending import Spending
    from wattline.service.accounts.accounts import Accounts
    from wattline.service.accounts.control import Control
    from wattline.service.metering.past import recount
    from wattline.store.sqlite import SqliteLedger

    book, clock, spending = read_rules(settings).book, SystemClock(), Spending()
    path = settings.state / LEDGER
    ledger = await SqliteLedger.open_at(path, clock)
    try:
        recount(spending, path, clock.monotonic(), clock.wall())
        accounts = Accounts(ledger.accounts, ledger, clock, lambda: book, spending)
        return await Control(accounts).handle(question)
    finally:
        await ledger.close()
