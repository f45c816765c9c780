"""Questions about accounts, to the sidecar that runs, or to the ledger itself when none does."""

from __future__ import annotations

import json
from typing import Any

from wattline.base.settings import Settings
from wattline.cli.failure import Failure

TIMEOUT = 15.0
MAX_ANSWER = 64 * 1024 * 1024


def ask(settings: Settings, verb: str, **given: Any) -> dict[str, Any]:
    """The result of a verb of `service.accounts.control`. Raises Failure, LedgerDown, RulesError, OSError."""
    import asyncio

    from wattline.service.accounts.control_door import connect

    question = json.dumps({"verb": verb, **given}).encode() + b"\n"
    wire = connect(settings.state, TIMEOUT)
    if wire is None:
        line = asyncio.run(_ask_ledger(settings, question))
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
    path = settings.state / "ledger.sqlite"
    ledger = await SqliteLedger.open_at(path, clock)
    try:
        recount(spending, path, clock.monotonic(), clock.wall())
        accounts = Accounts(ledger.accounts, ledger, clock, lambda: book, spending)
        return await Control(accounts).handle(question)
    finally:
        await ledger.close()
